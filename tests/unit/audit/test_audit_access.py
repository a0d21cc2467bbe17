"""Who can read a file, by its mode and the modes of the folders above it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.audit.access import Readers, mode_for_others, readers


@dataclass
class Node:
    """A file or folder with a mode, and the folder above it; the root is its own parent."""

    mode: int
    above: Node | None = None

    @property
    def parent(self) -> Node:
        return self.above or self

    def stat(self) -> os.stat_result:
        return os.stat_result((self.mode, *[0] * 9))


ROOT = Node(0o755)


@pytest.mark.parametrize(
    ("folder", "file", "expected"),
    [
        (0o755, 0o644, Readers.EVERYONE),
        (0o755, 0o640, Readers.GROUP),
        (0o755, 0o600, Readers.OWNER),
        (0o700, 0o644, Readers.OWNER),
        (0o710, 0o644, Readers.GROUP),
        (0o750, 0o640, Readers.GROUP),
        (0o701, 0o604, Readers.EVERYONE),
        (0o701, 0o640, Readers.GROUP),  # the file's group may enter with the folder's permissions for all others
        (0o744, 0o644, Readers.OWNER),  # a folder that may be listed but not searched
    ],
)
def test_a_file_in_a_folder(folder: int, file: int, expected: Readers) -> None:
    assert readers(Node(file, Node(folder, ROOT))) is expected  # type: ignore[arg-type]


def test_every_folder_above_counts() -> None:
    private = Node(0o700, ROOT)
    assert readers(Node(0o644, Node(0o755, private))) is Readers.OWNER  # type: ignore[arg-type]
    assert readers(Node(0o644, Node(0o755, Node(0o711, ROOT)))) is Readers.EVERYONE  # type: ignore[arg-type]


def test_modes_that_grant_something_to_others(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert mode_for_others(file) is None
    assert readers(file) is Readers.OWNER
    file.touch(0o600)
    (tmp_path / "link").symlink_to(file)
    assert mode_for_others(file) is None
    file.chmod(0o620)
    assert mode_for_others(file) == 0o620
    assert mode_for_others(tmp_path / "link") is None
