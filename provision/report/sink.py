"""Where a result goes piece by piece: standard output, a device or a pipe, or a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from typing import TYPE_CHECKING

from provision.files import STAGED_SUFFIX, FileProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def pour(pieces: Iterable[str], output: Path | None) -> None:
    """Write all pieces to standard output, or to `output` in one step. Raises FileProblemError when it cannot be written.

    What is there already and is no file, such as /dev/null, is written into: renaming would put a file in its place.
    """
    if output is None:
        sys.stdout.writelines(pieces)
        sys.stdout.flush()
    elif output.exists() and not output.is_file():
        try:
            with output.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(pieces)
        except OSError as e:
            raise FileProblemError(f"cannot write {output}: {e.strerror or e}") from e
    else:
        _replace(pieces, output)


def _replace(pieces: Iterable[str], output: Path) -> None:
    staged = output.with_name(f".{output.name}.{secrets.token_hex(6)}{STAGED_SUFFIX}")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(output)
    except OSError as e:
        raise FileProblemError(f"cannot write {output}: {e.strerror or e}") from e
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
