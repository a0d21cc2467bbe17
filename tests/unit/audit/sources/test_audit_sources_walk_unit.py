"""What a walk decides about one entry of a folder, where making the real thing takes a mount."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.audit.sources.walk import _Folder, _Walker
from provision.containers.blob import Unreadable

_ROOT = Path("/").stat()


def _entry(folder: str, name: str) -> os.DirEntry[str]:
    with os.scandir(folder) as listing:
        return next(entry for entry in listing if entry.name == name)


def test_a_folder_that_lies_in_itself_is_gone_through_once(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    entry = _entry(str(tmp_path), "again")
    status = entry.stat()
    top = _Folder(str(tmp_path), (status.st_dev, status.st_ino))  # as a bind mount of the folder inside itself shows it
    inner = _Folder(str(tmp_path), (status.st_dev, 1), parent=top)
    assert list(_Walker([str(tmp_path)])._entry(entry, inner)) == [
        Unreadable(entry.path, "a loop: it is a folder that it lies in", failed=False)
    ]


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="there is no /proc on this system")
def test_what_the_kernel_makes_up_is_passed_over_and_said() -> None:
    entry = _entry("/", "proc")
    assert list(_Walker(["/"])._entry(entry, _Folder("/", (_ROOT.st_dev, _ROOT.st_ino)))) == [
        Unreadable("/proc", "made up by the kernel while it is read: it holds nothing", failed=False)
    ]
