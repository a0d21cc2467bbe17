"""The cache of compiled rules stays small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.detect.engines import hyperscan


def test_the_oldest_databases_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperscan, "_MOST_CACHED", 3)
    paths = [tmp_path / "cache" / f"detect-{number}.hsdb" for number in range(5)]
    for number, path in enumerate(paths):
        hyperscan._write_cache(path, b"x")
        os.utime(path, ns=(number, number))
    (tmp_path / "cache" / "other").write_text("")
    hyperscan._write_cache(tmp_path / "cache" / "detect-new.hsdb", b"x")
    assert sorted(each.name for each in (tmp_path / "cache").iterdir()) == [
        "detect-3.hsdb",
        "detect-4.hsdb",
        "detect-new.hsdb",
        "other",
    ]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    hyperscan._write_cache(tmp_path / "file" / "detect-1.hsdb", b"x")
