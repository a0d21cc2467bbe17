"""Read a file of keys, which may be standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from provision.errors import ProvisionError


def read_key_file(file: str) -> bytes:
    """A file of keys, `-` for standard input; bounded. Raises ProvisionError."""
    from provision.files import FileProblemError, read_bounded
    from provision.keys.import_file import LIMIT_BYTES

    if file != "-":
        try:
            return read_bounded(Path(file), LIMIT_BYTES)
        except FileNotFoundError:
            raise FileProblemError(f"there is no file {file}") from None
    data = sys.stdin.buffer.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise ProvisionError(f"standard input is larger than {LIMIT_BYTES} bytes")
    return data
