"""Read a file of keys, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from provision.detect.secret import Secret


def read_pasted_keys() -> list[Secret]:
    """The keys on standard input, one per line. Raises UsageError if there is none."""
    from provision.detect.secret import Secret

    if sys.stdin.isatty():
        print("paste the key, then press Enter and Ctrl-D", file=sys.stderr)
    lines = read_key_file("-").decode("utf-8", "replace").split()
    if not lines:
        raise UsageError("no key on standard input", hint="pipe the key in, or paste it and press Ctrl-D")
    return [Secret(line) for line in lines]


def read_key_file(file: str) -> bytes:
    """The bytes of a file of keys; `-` reads standard input. Raises ProvisionError if there is none or it is too large."""
    from provision.files import FileProblemError, read_bounded
    from provision.formats.shell_output import shell_bytes
    from provision.keys.import_file import LIMIT_BYTES

    if file != "-":
        try:
            return shell_bytes(read_bounded(Path(file), LIMIT_BYTES))
        except FileNotFoundError:
            raise FileProblemError(f"no such file: {file}") from None
    data = sys.stdin.buffer.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise ProvisionError(f"standard input is larger than {LIMIT_BYTES} bytes")
    return shell_bytes(data)
