"""The empty repository that git is run on."""

from __future__ import annotations

import os
from pathlib import Path

from provision.audit.sources.git_view import repository_view


def repository(root: Path, config: str = "[core]\n\tfsmonitor = /tmp/evil\n") -> Path:
    (root / "objects" / "pack").mkdir(parents=True)
    (root / "objects" / "ab").mkdir()
    (root / "objects" / "ab" / ("c" * 38)).write_bytes(b"x")
    (root / "objects" / "info").mkdir()
    (root / "hooks").mkdir()
    (root / "config").write_text(config)
    return root


def test_only_objects_are_visible(tmp_path: Path) -> None:
    root, problems = repository(tmp_path / "r.git"), []
    with repository_view(str(root), problems) as view:
        assert problems == []
        assert sorted(p.name for p in view.iterdir()) == ["HEAD", "config", "objects", "refs"]
        assert sorted(p.name for p in (view / "objects").iterdir()) == ["ab", "pack"]
        assert (view / "objects" / "ab").resolve() == root / "objects" / "ab"
        assert "fsmonitor" not in (view / "config").read_text()
    assert not view.exists()
    assert (root / "objects" / "ab" / ("c" * 38)).exists()


def test_what_cannot_be_shown_is_reported(tmp_path: Path) -> None:
    root, problems = repository(tmp_path / "r.git", "[extensions]\n\tobjectformat = sha256\n"), []
    (root / "objects" / "info" / "alternates").write_text("/elsewhere\n")
    os.mkfifo(root / "objects" / "ab" / ("d" * 38))
    (root / "objects" / "pack" / "pack-1.pack").touch()
    (root / "objects" / "cd").write_text("a file")
    with repository_view(str(root), problems) as view:
        assert [p.name for p in (view / "objects" / "ab").iterdir()] == ["c" * 38], "git would wait on the pipe"
        assert "objectformat = sha256" in (view / "config").read_text()
    assert [problem.reason for problem in problems] == [
        "it borrows objects from another repository, which was not read: audit that one too",
        "objects/ab holds entries that are not files: those were not read",
        "objects/cd is not a folder: not read",
        "a pack without its index: git cannot read it; run git index-pack on it",
    ]


def test_objects_behind_a_link_are_not_read(tmp_path: Path) -> None:
    root, problems = tmp_path / "r.git", []
    real = repository(tmp_path / "real")
    root.mkdir()
    (root / "objects").symlink_to(real / "objects")
    with repository_view(str(root), problems) as view:
        assert list((view / "objects").iterdir()) == []
    assert [problem.reason for problem in problems] == ["its objects are behind a symbolic link: not read"]
