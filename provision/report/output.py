"""Write a result, in pieces, to standard output, to a device or pipe, or atomically to a file."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from provision.files import FileProblemError, replace_file, staged_path
from provision.report.fitting import fitted
from provision.report.terminal import terminal_width

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_output(pieces: Iterable[str], output: Path | None) -> None:
    """Write all pieces to standard output, or to `output` in one step. Raises FileProblemError if it cannot be written.

    On a terminal the lines fit its width, unless they are data for a program.

    An `output` that exists and is not a regular file, such as /dev/null, is written into: a rename would replace it by a file.
    """
    if output is None:
        columns = terminal_width()
        sys.stdout.writelines(fitted(pieces, columns) if columns else pieces)
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
    staged = staged_path(output)
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        replace_file(staged, output)
    except OSError as e:
        raise FileProblemError(f"cannot write {output}: {e.strerror or e}") from e
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
