"""Read a file of keys, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from provision.errors import ProvisionError


def read_key_file(file: str) -> bytes:
    """The bytes of a file of keys; `-` reads standard input. Raises ProvisionError if there is none or it is too large."""
    from provision.files import FileProblemError, read_bounded
    from provision.keys.import_file import LIMIT_BYTES

    if file != "-":
        try:
            return read_bounded(Path(file), LIMIT_BYTES)
        except FileNotFoundError:
            raise FileProblemError(f"no such file: {file}") from None
    data = sys.stdin.buffer.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise ProvisionError(f"standard input is larger than {LIMIT_BYTES} bytes")
    return data
