"""Git history, through the real git: what people believed gone, and repositories that want to run something."""

from __future__ import annotations

import os
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sourcescraft import a_key, look_through

from provision.containers.blob import ReadLimits

pytestmark = pytest.mark.timeout(90)
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """The real git in `tmp_path/repo`, without any user's configuration."""
    repo = tmp_path / "repo"
    repo.mkdir()
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=repo, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    return run


def commit(git: Git, path: Path, text: str, message: str = "m", when: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    git("add", "-A", ".")
    os.environ["GIT_COMMITTER_DATE"] = f"{1_700_000_000 + when} +0000"
    try:
        git("commit", "-q", "--allow-empty", "-m", message)
    finally:
        del os.environ["GIT_COMMITTER_DATE"]
    return git("rev-parse", "HEAD")[:10]


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows does for a user without the right to make symbolic links."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("packed", [False, True])
def test_each_secret_once_with_the_commit_it_came_in(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, links: bool
) -> None:
    if not links:
        refuse_links(monkeypatch)
    repo = tmp_path / "repo"
    removed, message, tagged, stashed, reset, dangling, branch = (a_key() for _ in range(7))
    commit(git, repo / "other", "nothing")
    born = commit(git, repo / "conf" / "a.env", f"A=1\nK={removed}\n", when=1)
    for i in range(3):
        commit(git, repo / "conf" / "a.env", f"A={i + 2}\nK={removed}\n", when=2 + i)
    commit(git, repo / "conf" / "a.env", "clean\n", when=9)
    git("mv", "conf/a.env", "b.env")
    said = commit(git, repo / "x", "x", f"log in with {message}", when=10)
    git("tag", "-a", "v1", "-m", f"use {tagged}")
    tag = git("rev-parse", "v1")[:10]
    git("checkout", "-q", "-b", "side")
    aside = commit(git, repo / "side.txt", f"k={branch}\n", when=11)
    git("checkout", "-q", "main")
    lost = commit(git, repo / "x", f"k={reset}", when=12)
    git("reset", "-q", "--hard", "HEAD~1")
    (repo / "x").write_text(f"k={stashed}\n")
    git("stash", "-q")
    stash = git("rev-parse", "stash")[:10]
    (repo / "d").write_text(f"k={dangling}\n")
    loose = git("hash-object", "-w", "d")[:10]
    (repo / "d").unlink()
    if packed:
        git("repack", "-q", "-a", "-d", "-k")
    result = look_through(repo / ".git")
    history = [f for f in result.found if f.place.path == str(repo / ".git")]
    assert {f.match.secret.reveal(): f.place.where for f in history} == {
        removed: f"commit {born}:conf/a.env",
        message: f"commit {said}:(message)",
        tagged: f"tag {tag}",
        branch: f"commit {aside}:side.txt",
        reset: f"commit {lost}:x (in no branch or tag)",
        stashed: f"commit {stash}:x (in no branch or tag)",
        dangling: f"blob {loose}, in no commit",
    }
    assert len(history) == 7
    assert {f.match.secret.reveal(): (f.place.line, f.place.column) for f in history}[removed] == (2, 3)
    assert not result.reasons(failed=True)


@pytest.mark.parametrize("odd", ["alternates", "pipe", "link"])
def test_without_links_git_is_not_led_elsewhere(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    repo = tmp_path / "repo"
    commit(git, repo / "a", f"k={a_key()}\n")
    objects = repo / ".git" / "objects"
    folder = next(entry for entry in objects.iterdir() if len(entry.name) == 2)
    if odd == "alternates":
        (objects / "info").mkdir(exist_ok=True)
        (objects / "info" / "alternates").write_text("/elsewhere\n")
    elif odd == "pipe":
        os.mkfifo(folder / ("0" * 38))
    else:
        (folder / ("0" * 38)).symlink_to("/etc/passwd")
    refuse_links(monkeypatch)
    result = look_through(repo / ".git")
    assert any("none of its objects was read" in reason for reason in result.reasons(failed=True))


def test_without_links_odd_names_of_folders_are_read(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, tmp_path / "repo" / "a", f"k={(key := a_key())}\n")
    repo = (tmp_path / "repo").rename(tmp_path / 'my "odd" \\repo #1\n')
    (repo / "a").unlink()
    refuse_links(monkeypatch)
    assert [f.match.secret.reveal() for f in look_through(repo / ".git").found] == [key]


def test_two_secrets_in_one_blob_and_one_in_two(git: Git, tmp_path: Path) -> None:
    one, two = a_key(), a_key()
    first = commit(git, tmp_path / "repo" / "f", f"a={one}\nagain={one}\n", when=1)
    second = commit(git, tmp_path / "repo" / "g", f"a={one}\nb={two}\n", when=2)
    git("rm", "-q", "f", "g")
    git("commit", "-q", "-m", "gone")
    result = look_through(tmp_path)
    assert result.where(one) == [f"commit {first}:f"]
    assert result.where(two) == [f"commit {second}:g"]


def test_a_bare_repository_and_one_of_sha256(git: Git, tmp_path: Path) -> None:
    key, other = a_key(), a_key()
    commit(git, tmp_path / "repo" / "f", key)
    git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    new = tmp_path / "new"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(new)], check=True)
    (new / "f").write_text(other)
    subprocess.run(["git", "add", "."], cwd=new, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "m"], cwd=new, check=True)
    assert len(look_through(tmp_path / "bare").where(key)) == 1
    assert str(look_through(new / ".git").where(other)[0]).startswith("commit ")


def test_nothing_in_a_repository_is_run_or_believed(git: Git, tmp_path: Path) -> None:
    key, elsewhere = a_key(), a_key()
    repo = tmp_path / "repo"
    ran = tmp_path / "ran"
    program = tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    program.chmod(0o755)
    commit(git, repo / "f", key)
    commit(git, repo / "f", "clean")
    (repo / ".gitattributes").write_text("* diff=evil filter=evil\n")
    commit(git, repo / "g", "x")
    git("replace", "-f", git("rev-parse", "HEAD~2:f"), git("rev-parse", "HEAD:f"))
    for name in ("core.fsmonitor", "core.pager", "diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.smudge",
                 "filter.evil.clean", "core.sshCommand", "gpg.program", "core.editor", "core.alternateRefsCommand",
                 "credential.helper", "uploadpack.packObjectsHook", "log.showSignature"):  # fmt: skip
        git("config", name, "true" if name == "log.showSignature" else str(program))
    git("config", "extensions.partialClone", "origin")
    git("config", "core.repositoryFormatVersion", "1")
    git("config", "remote.origin.url", f"ext::{program}")
    git("config", "remote.origin.promisor", "true")
    git("config", "include.path", str(program))
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        (repo / ".git" / "hooks").mkdir(exist_ok=True)
        (repo / ".git" / "hooks" / hook).symlink_to(program)
    far = tmp_path / "far"
    subprocess.run(["git", "init", "-q", str(far)], check=True)
    (far / "f").write_text(elsewhere)
    subprocess.run("git add . && git commit -q -m m", shell=True, cwd=far, check=True)
    (repo / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "objects" / "info" / "alternates").write_text(f"{far}/.git/objects\n")
    ran.unlink(missing_ok=True)
    result = look_through(repo)
    assert not ran.exists(), ran.read_text()
    assert len(result.where(key)) == 1
    assert not result.where(elsewhere)
    assert any("borrows" in reason for reason in result.reasons(failed=True))


def test_objects_that_are_damaged_or_no_files_are_reported_and_the_rest_is_found(git: Git, tmp_path: Path) -> None:
    keys = [a_key() for _ in range(6)]
    objects = tmp_path / "repo" / ".git" / "objects"
    for i, key in enumerate(keys):
        commit(git, tmp_path / "repo" / "f", f"k={key}\n", when=i)
    commit(git, tmp_path / "repo" / "f", "clean", when=9)
    for i, damage in enumerate(
        (b"", b"garbage", zlib.compress(b"blob 99999999999\0x"), zlib.compress(b"blob 5\0four"))
    ):
        object_id = git("rev-parse", f"HEAD~{i + 1}:f")
        path = objects / object_id[:2] / object_id[2:]
        path.chmod(0o600)
        path.write_bytes(damage)
    (objects / "aa").mkdir(exist_ok=True)
    os.mkfifo(objects / "aa" / ("b" * 38))
    next(folder for n in range(256) if not (folder := objects / f"{n:02x}").exists()).symlink_to("/etc")
    (objects / "pack" / f"pack-{'c' * 40}.pack").write_bytes(b"PACK")
    started = time.monotonic()
    result = look_through(tmp_path / "repo", limits=ReadLimits(silence_s=10))
    assert time.monotonic() - started < 45
    assert {key for key in keys if result.keys()[key]} == set(keys[:2])
    reasons = result.reasons(failed=True)
    assert reasons.count("a damaged object") >= 3, result.unread  # of the fourth, too short, git makes what it can
    assert any("is not a folder" in reason for reason in reasons)
    assert any("entries that are not files" in reason for reason in reasons)
    assert any("without its index" in reason for reason in reasons)


def test_a_damaged_object_takes_no_other_with_it(git: Git, tmp_path: Path) -> None:
    keys = {}
    for key in (a_key() for _ in range(6)):
        (tmp_path / "repo" / "f").write_text(f"k={key}\n")
        keys[git("hash-object", "-w", "f")] = key
    (tmp_path / "repo" / "f").unlink()
    for object_id, lost in keys.items():  # wherever it comes among the others
        path = tmp_path / "repo" / ".git" / "objects" / object_id[:2] / object_id[2:]
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(zlib.compress(b"blob 5\0four"))  # git gives four bytes of it and ends
        found = look_through(tmp_path / "repo", limits=ReadLimits(silence_s=8)).keys()
        assert {key for key in keys.values() if found[key]} == {*keys.values()} - {lost}
        path.write_bytes(whole)


def test_a_folder_that_only_looks_like_a_repository_hides_nothing(tmp_path: Path) -> None:
    key, beside, packed, other = a_key(), a_key(), a_key(), a_key()
    fake = tmp_path / "x"
    for name in ("objects/pack", "objects/aa", "refs"):
        (fake / name).mkdir(parents=True)
    (fake / "HEAD").write_text("ref: refs/heads/main\n")
    (fake / "objects" / "pack" / "notes.txt").write_text(key)
    (fake / "objects" / "aa" / "notes.txt").write_text(beside)
    (fake / "objects" / "pack" / f"pack-{'c' * 40}.pack").write_text(packed)  # git reads none without its index
    (fake / "objects" / "aa" / ("b" * 38)).write_text(other)
    result = look_through(tmp_path)
    assert result.keys() == {key: 1, beside: 1, packed: 1}
    assert "a damaged object" in result.reasons(failed=True)


def test_history_elsewhere_is_said_and_history_in_an_archive_is_read(git: Git, tmp_path: Path) -> None:
    key = a_key()
    commit(git, tmp_path / "repo" / "f", key)
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    assert any("outside" in reason for reason in look_through(tmp_path / "tree").reasons(failed=True))
    assert not look_through(tmp_path).unread
    subprocess.run(["tar", "czf", str(tmp_path / "x.tgz"), "repo"], cwd=tmp_path, check=True)
    (tmp_path / "repo" / "f").unlink()
    packed = look_through(tmp_path / "x.tgz")
    assert any("/objects/" in place for place in packed.places(key)), "history is read there too"
    assert not packed.unread


def test_without_git_that_is_said(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, tmp_path / "repo" / "f", key := a_key())
    monkeypatch.setenv("PATH", str(tmp_path))
    result = look_through(tmp_path / "repo")
    assert any("git is not installed" in reason for reason in result.reasons(failed=True))
    assert result.keys() == {key: 1}, "the working tree is read all the same"
