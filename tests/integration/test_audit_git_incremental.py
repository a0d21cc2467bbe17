"""Git history in parts and from memory: the same is found as in one piece by a full audit."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sourcescraft import a_key, detector

from provision.audit import unchanged
from provision.audit.clean_cache import CleanCache
from provision.audit.finding import RawFinding
from provision.audit.scan import ScanProgress, scan
from provision.audit.sources import git as git_source
from provision.audit.sources.git_objects import PartReader

pytestmark = [pytest.mark.timeout(90), pytest.mark.programs("git")]
Remembering = Callable[[], CleanCache]
TICK_S = 0.03


class Audited(NamedTuple):
    found: Counter[tuple[Any, ...]]
    objects: int


def audited(root: Path, cache: CleanCache | None, **how: Any) -> Audited:
    last = ScanProgress()

    def progress(tally: ScanProgress) -> None:
        last.objects = tally.objects

    more = {"workers": 1, "companions": False, "cache": cache, **how}
    found: Counter[tuple[Any, ...]] = Counter()
    for item in scan([root], detector(), **more, on_progress=progress):
        if isinstance(item, RawFinding):
            found[item.place, item.match.rule, item.match.secret.reveal()] += 1
        else:
            found[item.path, item.reason, item.where] += 1
    if cache:
        cache.save()
    return Audited(found, last.objects)


def keys(result: Audited) -> set[str]:
    return {item[2] for item in result.found if item[2] and str(item[2]).startswith("sk-")}


class Repository:
    """A repository, and what happens to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = root / ".git" / "objects"
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self._when = 0

    def git(self, *arguments: str) -> str:
        self._when = getattr(self, "_when", 0) + 1
        names = {"NAME": "a", "EMAIL": "a@example.com", "DATE": f"{1_700_000_000 + self._when} +0000"}
        environ = {f"GIT_{who}_{name}": value for name, value in names.items() for who in ("AUTHOR", "COMMITTER")}
        environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environ, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, *texts: str) -> None:
        for text in texts:
            (self.root / f"f{random.randrange(6)}.txt").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"change {random.random()}")

    def forge(self, old: bytes, new: bytes) -> None:
        """Give a loose object another content of the same size."""
        for path in sorted(self.objects.glob("??/*")):
            content = zlib.decompress(path.read_bytes())
            if old in content:
                path.chmod(0o600)
                path.write_bytes(zlib.compress(content.replace(old, new)))
                return
        raise AssertionError("no such object")


def text(key: str = "") -> str:
    return f"{key}\n" + "".join(f"line {random.random()}\n" for _ in range(random.randrange(3, 60)))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "r")
    for number in range(8):
        made.commit(text(), text(f"k = {a_key()}" if number % 3 == 0 else ""))
    return made


@pytest.fixture(params=["times", "content"])
def remembering(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remembering:
    monkeypatch.setattr(unchanged, "_GRANULARITY_NS", int(TICK_S * 0.8e9))
    devices = frozenset({tmp_path.stat().st_dev}) if request.param == "times" else frozenset()
    monkeypatch.setattr(unchanged, "_timed_devices", lambda: devices)
    (tmp_path / "cache").mkdir(mode=0o700)
    return lambda: CleanCache(tmp_path / "cache" / "audit-x.clean", b"k" * 32)


@pytest.mark.parametrize("workers", [1, 2])
def test_in_parts_the_same_is_found(repository: Repository, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = a_key()
    for _ in range(3):
        repository.commit(text(f"s = {shared}"))  # in several parts, reported once
    whole = audited(repository.root / ".git", None)
    monkeypatch.setattr(git_source, "_PART_OBJECTS", 3)
    monkeypatch.setattr("provision.audit.scan._HERE_FILES", 0)
    parts = audited(repository.root / ".git", None, workers=workers)
    assert parts.found == whole.found
    assert len(keys(whole)) == 4


@pytest.mark.hostile
def test_damaged_objects_are_counted_over_all_parts(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        (repository.root / "d.txt").write_text(f"{number}")
        name = repository.git("hash-object", "-w", "d.txt")
        path = repository.objects / name[:2] / name[2:]
        path.chmod(0o600)
        path.write_bytes(b"garbage")
    monkeypatch.setattr(git_source, "_PART_OBJECTS", 7)
    found = audited(repository.root / ".git", None).found
    damaged = [item for item in found if item[1] == "a damaged object"]
    assert len(damaged) == 20
    assert any(item[1] == "10 more objects are damaged" for item in found)
    assert len([item for item in found if str(item[2]).startswith("sk-")]) == 3


@pytest.mark.hostile
def test_an_object_that_kills_a_process_takes_its_part_only(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = keys(audited(repository.root / ".git", None))
    here, real = os.getpid(), PartReader._object

    def deadly(self: Any, reader: Any, held: Any, data: Any) -> Any:
        yield from real(self, reader, held, data)
        if self._held or self._is_clean is False:  # it holds a secret, which was sent
            assert os.getpid() != here, "never in the process of the audit"
            if marker in data:
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGKILL)

    marker = min(whole).encode()
    monkeypatch.setattr(PartReader, "_object", deadly)
    monkeypatch.setattr(git_source, "_PART_OBJECTS", 1)
    monkeypatch.setattr("provision.audit.scan._HERE_FILES", 0)
    result = audited(repository.root / ".git", None, workers=2)
    assert keys(result) == whole - {marker.decode()}
    assert any("a worker process died" in str(item[1]) for item in result.found)


def test_only_what_is_new_is_scanned(repository: Repository, remembering: Remembering) -> None:
    time.sleep(TICK_S)
    first = audited(repository.root / ".git", remembering())
    second = audited(repository.root / ".git", remembering())
    assert first.objects == 0
    assert second.found == first.found
    repository.commit(text(f"k = {a_key()}"))
    third = audited(repository.root / ".git", remembering())
    assert third.objects == second.objects > 15
    assert third.found == audited(repository.root / ".git", None).found
    assert len(keys(third)) == 4


def test_nothing_is_read_of_files_that_are_known(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "_GRANULARITY_NS", int(TICK_S * 0.8e9))
    monkeypatch.setattr(unchanged, "_timed_devices", lambda: frozenset({tmp_path.stat().st_dev}))
    (tmp_path / "cache").mkdir(mode=0o700)
    time.sleep(TICK_S)
    for number in range(2):
        cache = CleanCache(tmp_path / "cache" / "audit-x.clean", b"k" * 32)
        with unchanged.without_sigio():
            files = unchanged.UnchangedFiles(cache)
            read = git_source.RepositoryScan(str(repository.root / ".git"), git_source.ReadLimits(), files)
            lines = b"".join(part.lines for part in read.parts() if isinstance(part, git_source.RepositoryPart))
        dirty = len(lines.splitlines())
        audited(repository.root / ".git", cache)
        assert (dirty > 20) if number == 0 else (dirty == 3), "only those with a key"


def test_a_clone_has_the_same_objects(repository: Repository, tmp_path: Path, remembering: Remembering) -> None:
    first = audited(repository.root / ".git", remembering())
    repository.git("clone", "-q", "--no-hardlinks", "--bare", str(repository.root), str(tmp_path / "clone.git"))
    clone = audited(tmp_path / "clone.git", remembering())
    assert clone.objects > 15
    assert keys(clone) == keys(first)
    assert clone.found == audited(tmp_path / "clone.git", None).found


@pytest.mark.hostile
def test_an_object_that_is_not_what_its_id_says_is_scanned(
    repository: Repository, tmp_path: Path, remembering: Remembering
) -> None:
    key = a_key()
    clean = "x" * len(key)
    repository.commit(clean + text())
    shutil.copytree(repository.root, tmp_path / "forged")
    forged = Repository.__new__(Repository)
    forged.root, forged.objects = tmp_path / "forged", tmp_path / "forged" / ".git" / "objects"
    forged.forge(clean.encode(), key.encode())
    time.sleep(TICK_S)
    assert key in keys(audited(forged.root / ".git", remembering())), "before anything is known"
    audited(repository.root / ".git", remembering())  # now its id is known to be clean
    for _ in range(2):
        assert key in keys(audited(forged.root / ".git", remembering()))
    repository.forge(clean.encode(), key.encode())
    assert key in keys(audited(repository.root / ".git", remembering()))


def test_whatever_happens_both_find_the_same(
    repository: Repository, remembering: Remembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_source, "_PART_OBJECTS", 9)
    steps: list[Callable[[], object]] = [
        lambda: repository.commit(text()),
        lambda: repository.commit(text(f"k = {a_key()}")),
        lambda: repository.git("repack", "-q", "-a", "-d"),
        lambda: repository.git("repack", "-q", "-d"),
        lambda: (repository.git("repack", "-q", "-d"), repository.git("multi-pack-index", "write")),
        lambda: repository.git("branch", "-f", "other", "HEAD~2"),
        lambda: repository.git("tag", "-f", "-a", "-m", f"token {a_key()}", "t"),
        lambda: repository.git("reset", "-q", "--hard", "HEAD~1"),
        lambda: repository.git("reflog", "expire", "--expire=now", "--all"),
        lambda: repository.git("prune", "--expire=now"),
    ]
    objects = 0
    for _ in range(9):
        random.choice(steps)()
        if random.random() < 0.5:
            time.sleep(TICK_S)
        incremental = audited(repository.root / ".git", remembering())
        assert incremental.found == audited(repository.root / ".git", None).found
        objects += incremental.objects
    assert objects > 40
