"""The file of what was clean: what is in it, when it is believed, how large it grows."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path

import pytest
import seeded

from provision.audit import clean_cache
from provision.audit.clean_cache import CleanCache

KEY = hashlib.sha256(b"rules").digest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir(mode=0o700)
    return tmp_path / "cache" / "audit-1.clean"


def saved(path: Path, *names: str) -> CleanCache:
    cache = CleanCache(path, KEY)
    cache.add({cache.token("file", name) for name in names})
    cache.save()
    return cache


def holds(path: Path, *names: str) -> list[bool]:
    cache = CleanCache(path, KEY)
    return [cache.token("file", name) in cache for name in names]


def test_what_was_added_is_there_in_the_next_run_and_nothing_else(path: Path) -> None:
    saved(path, "a", "b")
    saved(path, "c")
    assert holds(path, "a", "b", "c", "d") == [True, True, True, False]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_holds_no_name(path: Path) -> None:
    name = "a name that is not to be read from it"
    saved(path, name)
    assert name.encode() not in path.read_bytes()
    assert hashlib.sha256(name.encode()).digest()[:8] not in path.read_bytes()


def test_another_key_knows_nothing_of_it(path: Path) -> None:
    saved(path, "a")
    other = CleanCache(path, hashlib.sha256(b"new rules").digest())
    assert other.token("file", "a") not in other


def test_full_takes_nothing_from_it_and_adds_to_it(path: Path) -> None:
    saved(path, "a")
    full = CleanCache(path, KEY, full=True)
    assert full.token("file", "a") not in full
    full.add([full.token("file", "b")])
    full.save()
    assert holds(path, "a", "b") == [True, True]


def test_random_tokens_are_found_again(path: Path) -> None:
    tokens = {seeded.token_bytes(16) for _ in range(500)}
    cache = CleanCache(path, KEY)
    for part in (set(list(tokens)[:200]), set(list(tokens)[150:])):
        cache.add(part)
        cache.save()
    again = CleanCache(path, KEY)
    assert all(token in again for token in tokens)
    assert not any(seeded.token_bytes(16) in again for _ in range(500))


@pytest.mark.hostile
@pytest.mark.parametrize("where", [0, 30, 60, 70, -1])
def test_a_damaged_file_is_dropped(path: Path, where: int) -> None:
    saved(path, "a")
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    assert holds(path, "a") == [False]
    saved(path, "a")
    assert holds(path, "a") == [True]


@pytest.mark.hostile
@pytest.mark.parametrize("length", [0, 10, 64, 65, 66, 82])
def test_a_cut_file_is_dropped(path: Path, length: int) -> None:
    saved(path, "a")
    path.write_bytes(path.read_bytes()[:length])
    assert holds(path, "a") == [False]


@pytest.mark.hostile
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_access_is_not_believed(path: Path, mode: int) -> None:
    saved(path, "a")
    path.chmod(mode)
    assert holds(path, "a") == [False]


@pytest.mark.hostile
def test_a_folder_that_others_may_write_is_neither_read_nor_written(path: Path) -> None:
    saved(path, "a")
    path.parent.chmod(0o770)
    assert holds(path, "a") == [False]
    before = path.read_bytes()
    saved(path, "b")
    assert path.read_bytes() == before


@pytest.mark.hostile
def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    saved(path, "a")
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert holds(path, "a") == [False]


@pytest.mark.hostile
def test_the_file_or_folder_of_another_user_is_not_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path, "a")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert holds(path, "a") == [False]


def test_after_the_clock_was_set_back_it_is_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path, "a")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    assert holds(path, "a") == [False]


def test_of_too_many_those_that_were_not_used_go_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean_cache, "_MOST_RECORDS", 20)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 30 * 86_400 * 10**9)
    saved(path, *(f"old {n}" for n in range(12)))
    monkeypatch.setattr(time, "time_ns", lambda: now)
    cache = CleanCache(path, KEY)
    assert cache.use(cache.token("file", "old 3")), "used again, so it is new"
    cache.add(cache.token("file", f"new {n}") for n in range(15))
    cache.save()
    assert holds(path, "old 3", *(f"new {n}" for n in range(15))) == [True] * 16
    assert holds(path, "old 4") == [False]
    saved(path, *(f"more {n}" for n in range(100)))
    assert path.stat().st_size <= 200 + 20 * 18


def test_files_of_other_rules_are_removed_when_there_are_many(path: Path) -> None:
    for number in range(12):
        each = path.with_name(f"audit-{number}.clean")
        saved(each, "a")
        os.utime(each, (number, number))
    saved(path.with_name("audit-last.clean"), "a")
    left = sorted(each.name for each in path.parent.glob("audit-*.clean"))
    assert len(left) == 8
    assert "audit-last.clean" in left


def test_two_audits_at_once_leave_a_whole_file(path: Path) -> None:
    first, second = CleanCache(path, KEY), CleanCache(path, KEY)
    first.add([first.token("file", "a")])
    second.add([second.token("file", "b")])
    first.save()
    second.save()
    assert holds(path, "a", "b") == [True, True]


def test_records_stay_sorted_and_complete_however_they_are_added() -> None:
    expected: dict[bytes, int] = {}
    records = clean_cache._Records()
    for day, count in enumerate((0, 1, 500, 3, 2000, 40)):
        again = random.sample(sorted(expected), min(len(expected), count // 3))
        edges = [bytes(16), b"\0" * 15 + b"\1", b"\xff" * 16] if day % 2 else []
        tokens = [seeded.token_bytes(16) for _ in range(count)] + again + edges + again[:1]
        records = records.with_tokens(tokens, day)
        expected.update(dict.fromkeys(tokens, day))
        assert [records[at] for at in range(len(records))] == sorted(expected)
        assert {token: records.day(token) for token in expected} == expected
