"""What is kept between runs: it stays small, damage is noticed, and nothing is read that another account could have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.detect.engines import kept, needle_plan
from provision.detect.engines.kept import keep, read_kept
from provision.detect.engines.needle_plan import NeedleWords, planned_needles

WORDS = NeedleWords((("[ab][0-9]x", 3),), ("token",), ("sk-",), ("sk-",), ("sk-",), bare=False, decode=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path / "cache")
    planned_needles.cache_clear()
    return tmp_path / "cache"


def test_the_oldest_files_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST_KEPT", 3)
    for number in range(5):
        keep(str(number), b"x")
        os.utime(folder / f"detect-{number}", ns=(number, number))
    (folder / "other").write_text("")
    keep("new", b"x")
    assert sorted(each.name for each in folder.iterdir()) == ["detect-3", "detect-4", "detect-new", "other"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path / "file")
    keep("1", b"x")
    assert read_kept("1") is None


def test_any_damage_is_noticed(folder: Path) -> None:
    keep("1", b"body")
    file = folder / "detect-1"
    whole = file.read_bytes()
    assert read_kept("1") == b"body"
    assert not file.stat().st_mode & 0o077
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert read_kept("1") is None, at
        file.write_bytes(whole[:at])
        assert read_kept("1") is None, at


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="modes of Unix")
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_place_that_others_can_write_is_not_read(folder: Path, mode: int) -> None:
    keep("1", b"body")
    folder.chmod(mode)
    assert read_kept("1") is None
    folder.chmod(0o755)
    assert read_kept("1") == b"body"
    (folder / "detect-1").chmod(mode)
    assert read_kept("1") is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of Unix")
def test_what_belongs_to_another_account_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("1", b"body")
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert read_kept("1") is None


def test_needles_that_were_kept_are_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tuple(planned_needles(WORDS))
    (file,) = folder.iterdir()
    planned_needles.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(needle_plan, "_computed", lambda _: pytest.fail("computed again"))
        assert tuple(planned_needles(WORDS)) == first
    planned_needles.cache_clear()
    other = tuple(planned_needles(WORDS._replace(keywords=("secret",))))
    assert other != first
    assert len(list(folder.iterdir())) == 2
    file.write_bytes(b"damaged")
    planned_needles.cache_clear()
    assert tuple(planned_needles(WORDS)) == first


@pytest.mark.parametrize("text", [b"[]", b"{}", b"1", b'[[99],[1],["a"]]', b"[[0],[1],[2]]", b"[[0],[],[]]", b"\xff"])
def test_a_kept_text_of_another_form_is_computed_again(text: bytes) -> None:
    assert needle_plan._parsed(text) is None


def test_needles_of_another_source_are_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuple(planned_needles(WORDS))
    planned_needles.cache_clear()
    monkeypatch.setattr(needle_plan, "_sources", lambda: b"changed")
    tuple(planned_needles(WORDS))
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(needle_plan, "_sources", lambda: None)
    planned_needles.cache_clear()
    assert tuple(planned_needles(WORDS))
    assert len(list(folder.iterdir())) == 2
