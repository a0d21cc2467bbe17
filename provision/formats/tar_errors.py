"""What `tarfile` raises for an archive that is damaged or was made to break its reader."""

from __future__ import annotations

import tarfile

TAR_ERRORS = (tarfile.TarError, ValueError, EOFError, OSError, OverflowError, RecursionError)
"""A size that does not fit 64 bits is an OverflowError, a chain of extended headers a RecursionError."""
