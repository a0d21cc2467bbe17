"""Where a long result goes piece by piece: standard output, or a file that appears whole or not at all."""

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
    """Write all pieces to standard output, or to `output` in one step. Raises FileProblemError when it cannot be written."""
    if output is None:
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
        return
    staged = output.with_name(f".{output.name}.{secrets.token_hex(6)}{STAGED_SUFFIX}")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            for piece in pieces:
                file.write(piece)
        staged.replace(output)
    except OSError as e:
        raise FileProblemError(f"cannot write {output}: {e.strerror or e}") from e
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
