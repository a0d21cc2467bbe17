"""A bundle as one tar file, for feeds and packages."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from provision.bundle.manifest import BUNDLE_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping


def bundle_tar(files: Mapping[str, bytes]) -> bytes:
    """A bundle as a tar: the same files always give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in (*(name for name in BUNDLE_FILES if name in files), *sorted(files.keys() - set(BUNDLE_FILES))):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o644
            archive.addfile(member, io.BytesIO(files[name]))
        end = archive.offset + 2 * tarfile.BLOCKSIZE
    return packed.getvalue()[:end]  # without tar's padding to 10 KiB records, which would double the download
