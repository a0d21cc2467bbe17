"""An audit that remembers finds what an audit finds that remembers nothing: whatever happens to the files in between."""

from __future__ import annotations

import contextlib
import gzip
import json
import mmap
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sourcescraft import a_key, detector

from provision.audit import unchanged
from provision.audit.clean_cache import CleanCache
from provision.audit.finding import RawFinding
from provision.audit.scan import ScanProgress, scan

TICK_S = 0.03
"""Longer than a tick of any clock of a Linux file system (at most 10 ms)."""


class Audited(NamedTuple):
    found: set[tuple[Any, ...]]
    files: int
    unchanged: int


def audited(root: Path, cache: CleanCache | None, **how: Any) -> Audited:
    last = ScanProgress()

    def progress(tally: ScanProgress) -> None:
        last.files, last.unchanged = tally.files, tally.unchanged

    found: set[tuple[Any, ...]] = set()
    for item in scan(
        [root], detector(), **{"workers": 1, "companions": False, "cache": cache, **how}, on_progress=progress
    ):
        if isinstance(item, RawFinding):
            found.add((item.place, item.match.rule, item.match.secret.reveal(), item.before, item.after))
        else:
            found.add((item.path, item.reason, item.where))
    if cache:
        cache.save()
    return Audited(found, last.files, last.unchanged)


@pytest.fixture(params=["times", "content"])
def remembering(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], CleanCache]:
    """By inode and times, as on a disk of this system; and by content, as on Windows and for files of other users."""
    monkeypatch.setattr(unchanged, "_GRANULARITY_NS", int(TICK_S * 0.8e9))
    devices = frozenset({tmp_path.stat().st_dev}) if request.param == "times" else frozenset()
    monkeypatch.setattr(unchanged, "_timed_devices", lambda: devices)
    (tmp_path / "cache").mkdir(mode=0o700)
    return lambda: CleanCache(tmp_path / "cache" / "audit-x.clean", b"k" * 32)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for number in range(6):
        (root / f"f{number}.txt").write_text(f"nothing of interest {number}\n" * 9)
    (root / "sub" / "a.yaml").write_text("a: 1\n")
    with zipfile.ZipFile(root / "sub" / "z.zip", "w") as archive:
        archive.writestr("inside.txt", "nothing here either")
    (root / "log.gz").write_bytes(gzip.compress(b"nothing\n" * 50))
    (root / "f0.txt").chmod(0o600)
    time.sleep(TICK_S)
    return root


def test_what_is_unchanged_is_not_read_again(tree: Path, remembering: Callable[[], CleanCache]) -> None:
    key = a_key()
    (tree / "leak.txt").write_text(f"key {key}\n")
    first = audited(tree, remembering())
    second = audited(tree, remembering())
    assert first.unchanged == 0
    assert (second.found, second.files) == (first.found, first.files)
    assert second.unchanged == 9, "all but the one with a finding"
    assert any(key in item for item in second.found)


def test_other_processes_take_over_as_well(
    tree: Path, remembering: Callable[[], CleanCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.audit.scan._HERE_FILES", 0)
    first = audited(tree, remembering(), workers=2)
    (tree / "f1.txt").write_text(f"key {a_key()}\n" * 9)
    second = audited(tree, remembering(), workers=2)
    assert (first.unchanged, second.unchanged) == (0, 8)
    assert second.found == audited(tree, None).found


def test_a_database_is_read_again_for_its_log(tree: Path, remembering: Callable[[], CleanCache]) -> None:
    key = a_key()
    database = sqlite3.connect(tree / "s.db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table t (x)")
    database.execute("pragma wal_checkpoint(truncate)")
    time.sleep(TICK_S)
    audited(tree, remembering())
    database.execute("insert into t values (?)", (key[:20] + "x" * 30000 + key[20:],))
    database.execute("insert into t values (?)", (key,))
    database.commit()
    assert audited(tree, remembering()).found == audited(tree, None).found
    database.close()


@pytest.mark.hostile
def test_what_could_not_be_read_is_said_again(tree: Path, remembering: Callable[[], CleanCache]) -> None:
    (tree / "cut.gz").write_bytes(gzip.compress(random.randbytes(5000))[:3000])
    time.sleep(TICK_S)
    first = audited(tree, remembering())
    assert any("cut.gz" in str(item[0]) for item in first.found)
    assert audited(tree, remembering()).found == first.found


@pytest.mark.hostile
def test_a_write_that_began_before_and_ends_later_is_noticed(tree: Path, remembering: Callable[[], CleanCache]) -> None:
    """A mapping that was written already can be written again without a new time."""
    victim = tree / "f2.txt"
    victim.write_bytes(b"nothing " * 1024)
    key = a_key().encode()
    with victim.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0:1] = b"N"
        time.sleep(TICK_S * 2)
        audited(tree, remembering())
        before = victim.stat()
        mapped[100 : 100 + len(key) + 2] = b" " + key + b" "
        assert victim.stat().st_ctime_ns == before.st_ctime_ns, "or this shows nothing"
        assert any(key.decode() in item for item in audited(tree, remembering()).found)


@pytest.mark.hostile
def test_a_file_that_changes_while_it_is_scanned_is_scanned_again(
    tree: Path, remembering: Callable[[], CleanCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, victim = a_key(), tree / "sub" / "z.zip"
    real = unchanged.FileWatch.is_known

    def is_known(self: Any, data: bytes) -> bool:
        if Path(self._path).name == "z.zip" and victim.stat().st_size < 200:
            with zipfile.ZipFile(victim, "w") as archive:
                archive.writestr("inside.txt", f"key {key}\n" + "x" * 300)
        return real(self, data)

    monkeypatch.setattr(unchanged.FileWatch, "is_known", is_known)
    audited(tree, remembering())
    assert any(key in item for item in audited(tree, remembering()).found)


class Story:
    """Random things that happen to a tree."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._saved = root.parent / "saved"
        shutil.copytree(root, self._saved)
        self._open: list[Any] = []

    def files(self, root: Path | None = None) -> list[Path]:
        return sorted(path for path in (root or self._root).rglob("*") if path.is_file() and not path.is_symlink())

    def step(self) -> None:
        random.choice((
            self.edit, self.edit_in_place, self.edit_in_place, self.rename, self.swap, self.replace, self.link, self.restore,
            self.restore_all, self.mapping, self.keep_open, self.mode, self.new, self.delete, self.attribute,
        ))()  # fmt: skip

    def content(self, size: int) -> bytes:
        text = (f"key {a_key()} " if random.random() < 0.4 else "nothing at all ").encode()
        return (text * (size // len(text) + 1))[:size]

    def edit(self) -> None:
        random.choice(self.files()).write_bytes(self.content(random.choice((0, 60, 200, 5000))))

    def edit_in_place(self) -> None:
        """The same size, inode and mtime."""
        path = random.choice(self.files())
        before = path.stat()
        with path.open("r+b") as file:
            file.write(self.content(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def rename(self) -> None:
        path = random.choice(self.files())
        path.rename(path.with_name(random.choice(("n1.txt", "n2.yaml", "000001.log", "n.br"))))

    def swap(self) -> None:
        one, two = random.choice(self.files()), random.choice(self.files())
        kept = one.with_name("kept")
        one.rename(kept)
        if one != two:
            two.rename(one)
        kept.rename(two)

    def replace(self) -> None:
        """A new inode with the old times."""
        path = random.choice(self.files())
        before = path.stat()
        path.unlink()
        path.write_bytes(self.content(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def link(self) -> None:
        path = random.choice(self.files())
        with contextlib.suppress(FileExistsError):
            os.link(path, path.with_name(f"link{random.randrange(3)}.yaml"))

    def restore(self) -> None:
        path = random.choice(self.files(self._saved))
        target = self._root / path.relative_to(self._saved)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(path, target)

    def restore_all(self) -> None:
        """A backup comes back with its times."""
        if random.random() < 0.3:
            shutil.rmtree(self._root)
            shutil.copytree(self._saved, self._root)

    def mapping(self) -> None:
        path = random.choice(self.files())
        if path.stat().st_size:
            with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
                mapped[:] = self.content(len(mapped))

    def keep_open(self) -> None:
        """A program writes now, and after the next audit."""
        file = random.choice(self.files()).open("r+b")
        file.write(self.content(20))
        file.flush()
        self._open.append(file)

    def later(self) -> None:
        """What is open is written on, some of it closed."""
        for file in list(self._open):
            file.seek(0)
            file.write(self.content(60))
            file.flush()
            if random.random() < 0.5:
                file.close()
                self._open.remove(file)

    def mode(self) -> None:
        random.choice(self.files()).chmod(random.choice((0o600, 0o644, 0o666, 0o660)))

    def new(self) -> None:
        (self._root / f"new{random.randrange(5)}.txt").write_bytes(self.content(random.choice((40, 400))))

    def delete(self) -> None:
        files = self.files()
        if len(files) > 5:
            random.choice(files).unlink()

    def attribute(self) -> None:
        if hasattr(os, "setxattr"):
            with contextlib.suppress(OSError):
                os.setxattr(random.choice(self.files()), "user.origin", self.content(60))

    def close(self) -> None:
        for file in self._open:
            file.close()


@pytest.fixture
def story(tree: Path) -> Iterator[Story]:
    told = Story(tree)
    yield told
    told.close()


def run_story(tree: Path, story: Story, remembering: Callable[[], CleanCache], rounds: int) -> int:
    taken_over = 0
    for number in range(rounds):
        for _ in range(random.randrange(4)):
            story.step()
        if random.random() < 0.5:
            time.sleep(TICK_S)
        story.later()
        cache = remembering()
        if random.random() < 0.1:  # killed before its end
            for _ in zip(range(3), scan([tree], detector(), workers=1, companions=False, cache=cache), strict=False):
                pass
            continue
        incremental = audited(tree, cache)
        assert incremental.found == audited(tree, None).found, f"round {number}"
        taken_over += incremental.unchanged
    return taken_over


def test_whatever_happens_both_find_the_same(tree: Path, story: Story, remembering: Callable[[], CleanCache]) -> None:
    assert run_story(tree, story, remembering, 40) > 60, "or nothing was remembered"


@pytest.mark.slow
def test_whatever_happens_for_long_both_find_the_same(
    tree: Path, story: Story, remembering: Callable[[], CleanCache]
) -> None:
    assert run_story(tree, story, remembering, 1500) > 2000


def command(folder: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "provision", "audit", *arguments, "--format", "json"],
        cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode in (0, 10), run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def test_the_command_says_how_much_it_took_over_and_full_takes_nothing(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "user-cache"
    (tree / "leak.txt").write_text(f"key {a_key()}\n")
    time.sleep(2.1)
    environ = {"XDG_CACHE_HOME": str(cache)}
    first, second, full = (command(tree, ".", *more, **environ) for more in ([], [], ["--full"]))
    assert [each["summary"]["unchanged"] for each in (first, second, full)] == [0, 9, 0]
    assert first["findings"] == second["findings"] == full["findings"]
    assert len(first["findings"]) == 1
    (kept,) = cache.glob("*/audit-*.clean")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_modes_are_looked_at_although_nothing_is_read_again(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    home.mkdir(mode=0o700)
    for name in ("config.yaml", ".env", "state.db"):
        (home / name).touch(0o600)
    (home / "config.yaml").write_text("model: x\n")
    time.sleep(2.1)
    environ = {"XDG_CACHE_HOME": str(tmp_path / "user-cache")}
    first = command(tmp_path, str(home), **environ)
    (home / ".env").chmod(0o644)
    second = command(tmp_path, str(home), **environ)
    assert {f["rule"] for f in second["findings"]} - {f["rule"] for f in first["findings"]} == {"file-mode"}
    assert second["routes"] == first["routes"] != []


@pytest.mark.hostile
def test_an_audit_that_is_killed_leaves_no_harm(tree: Path, tmp_path: Path) -> None:
    for number in range(3000):
        (tree / f"more{number}.txt").write_text("nothing\n" * 20)
    key, environ = a_key(), os.environ | {"XDG_CACHE_HOME": str(tmp_path / "user-cache")}
    arguments = [sys.executable, "-m", "provision", "audit", str(tree)]
    run = subprocess.Popen(arguments, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(0.3, 1.5))
    run.send_signal(signal.SIGKILL)
    run.wait()
    (tree / "more5.txt").write_text(f"key {key}\n")
    found = command(tree, str(tree), XDG_CACHE_HOME=environ["XDG_CACHE_HOME"])
    assert [f["path"] for f in found["findings"]] == [str(tree / "more5.txt")]
