"""An empty repository that shows the objects of another one, and the git program that runs on it.

A repository can make git run programs (hooks, `core.fsmonitor`, external diffs, filters, helpers, remotes of partial clones)
and read other places (alternates, includes, replacements). So git never sees the audited repository: it
gets an empty one in a temporary folder, with a fixed configuration, whose object folders are links to the real ones. Only
objects are visible. Where links cannot be made (Windows gives that right to administrators), it borrows the real objects as an
alternate instead, unless those borrow from further places themselves.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING

from provision.containers.blob import ReadLimits, Unreadable
from provision.containers.open_file import read_beginning
from provision.programs import find_program
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECT_FOLDER = re.compile(r"[0-9a-f]{2}|pack")
_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\tbigFileThreshold = 8m\n{more}"
OBJECT_ID = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")


class GitError(Exception):
    """git cannot be run, or stopped; the message says why."""


class GitEndedError(GitError):
    """git stopped before it answered."""


class GitSilentError(GitError):
    """git sent nothing for too long."""


@contextlib.contextmanager
def repository_view(repository: str, problems: list[Unreadable]) -> Iterator[Path]:
    """Yield a repository with only the objects of `repository`; what cannot be shown is added to `problems`."""
    real = Path(repository)
    sha256 = b"sha256" in read_beginning(str(real / "config"))
    config = _CONFIG.format(version=int(sha256), more="[extensions]\n\tobjectformat = sha256\n" if sha256 else "")
    with scratch_folder(Scratch.GIT) as ours:
        (ours / "refs").mkdir()
        (ours / "objects").mkdir()
        (ours / "HEAD").write_text("ref: refs/heads/none\n")
        (ours / "config").write_text(config)
        grafted = OBJECT_ID.findall(read_beginning(str(real / "shallow")))
        if grafted:
            (ours / "shallow").write_bytes(b"".join(commit + b"\n" for commit in grafted))
        for reason in _link_objects(real / "objects", ours / "objects"):
            problems.append(Unreadable(repository, reason))
        yield ours


def _link_objects(real: Path, ours: Path) -> Iterator[str]:
    if real.is_symlink():
        yield "its objects are behind a symbolic link: not read"
        return
    if (real / "info" / "alternates").exists():
        yield "it borrows objects from another repository, which was not read: audit that one too"
    if not _can_link(ours):
        yield from _borrow_objects(real, ours)
        return
    try:
        with os.scandir(real) as listing:
            folders = sorted(entry.name for entry in listing if _OBJECT_FOLDER.fullmatch(entry.name))
    except OSError as e:
        yield f"its objects cannot be read: {(e.strerror or '').lower()}"
        return
    for folder in folders:
        yield from _link_folder(real / folder, ours / folder)


def _can_link(ours: Path) -> bool:
    """Whether this user may make symbolic links here."""
    link = ours / "link"
    try:
        link.symlink_to(ours)
        link.unlink()
    except OSError:
        return False
    return True


def _borrow_objects(real: Path, ours: Path) -> Iterator[str]:
    """Let git find the real objects as an alternate (gitrepository-layout(5)). It would follow alternates of those."""
    if (real / "info" / "alternates").exists():
        yield "none of its objects was read: it borrows some, and symbolic links cannot be made here (run it as administrator)"
        return
    folders = [entry for entry in os.scandir(real) if _OBJECT_FOLDER.fullmatch(entry.name)]
    odd = [entry.name for entry in folders if not entry.is_dir(follow_symlinks=False)]
    odd += [
        f"{folder.name}/{entry.name}"
        for folder in folders
        if folder.name not in odd
        for entry in os.scandir(folder)
        if not entry.is_file(follow_symlinks=False)
    ]
    if odd:  # a named pipe or a link to elsewhere: git must not open it
        yield f"none of its objects was read: objects/{odd[0]} is not a file, and symbolic links cannot be made here"
        return
    packs = {entry.name for entry in os.scandir(real / "pack")} if (real / "pack").is_dir() else set()
    if any(name.endswith(".pack") and f"{name[:-5]}.idx" not in packs for name in packs):
        yield "a pack without its index: git cannot read it; run git index-pack on it"
    (ours / "info").mkdir()
    escaped = (
        str(real.absolute()).replace("\\", "/" if os.sep == "\\" else "\\\\").replace('"', '\\"').replace("\n", "\\n")
    )
    (ours / "info" / "alternates").write_bytes(os.fsencode(f'"{escaped}"\n'))


def _link_folder(real: Path, ours: Path) -> Iterator[str]:
    """Link a whole folder; file by file when it holds anything else (git would wait for ever on a named pipe)."""
    try:
        if not real.is_dir() or real.is_symlink():
            yield f"objects/{real.name} is not a folder: not read"
            return
        with os.scandir(real) as listing:
            odd = {entry.name for entry in listing if not entry.is_file(follow_symlinks=False)}
        names = {entry.name for entry in os.scandir(real)} if odd or real.name == "pack" else set()
        if not odd:
            ours.symlink_to(real.absolute())
        else:
            ours.mkdir()
            for name in names - odd:
                (ours / name).symlink_to((real / name).absolute())
            yield f"objects/{real.name} holds entries that are not files: those were not read"
        if any(name.endswith(".pack") and f"{name[:-5]}.idx" not in names for name in names):
            yield "a pack without its index: git cannot read it; run git index-pack on it"
    except OSError as e:
        yield f"objects/{real.name} cannot be read: {(e.strerror or '').lower()}"


class GitProcess:
    """One running git command. Reading stops with GitSilentError when it sends nothing for `ReadLimits.silence_s`."""

    def __init__(
        self, git_dir: Path, limits: ReadLimits, *arguments: str, stdin: int | IO[bytes] = subprocess.PIPE
    ) -> None:
        self._silence_s = limits.silence_s
        self._data = b""
        self._at = 0
        """What was read of its output, and how much of that was taken."""
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(git_dir),
            "LC_ALL": "C",
            "GIT_DIR": str(git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ALLOC_LIMIT": str(2 * limits.memory_bytes),
        }
        if "SYSTEMROOT" in os.environ:  # Windows programs do not start without it
            environ["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        git = find_program("git")
        if git is None:
            raise GitError("git is not installed")
        command = [git, "--no-pager", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", *arguments]
        try:
            self._process = subprocess.Popen(  # noqa: S603  fixed arguments
                command, env=environ, cwd=git_dir, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as e:
            raise GitError("git cannot be run") from e

    def __enter__(self) -> GitProcess:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.communicate()

    def write(self, data: bytes) -> None:
        """Send a few lines: less than a pipe can hold."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as e:
            raise GitEndedError("git stopped") from e

    def end_input(self) -> None:
        """Close the input: nothing more will be written."""
        assert self._process.stdin is not None  # noqa: S101
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdin = None

    def succeeded(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        try:
            return self._process.wait(self._silence_s) == 0
        except subprocess.TimeoutExpired:
            return False

    def line(self) -> bytes:
        """Return the next line without its line end; empty at the end of the output."""
        parts: list[bytes] = []
        while (end := self._data.find(b"\n", self._at)) < 0:
            parts.append(self._data[self._at :])
            if not self._read():
                return b"".join(parts)
        parts.append(self._data[self._at : end])
        self._at = end + 1
        return b"".join(parts)

    def tokens(self, end: bytes) -> Iterator[bytes]:
        """Yield its whole output, split at `end`."""
        parts: list[bytes] = []
        while self._read():
            first, *more = self._data.split(end)
            parts.append(first)
            for token in more:
                yield b"".join(parts)
                parts = [token]
        if last := b"".join(parts):
            yield last

    def parts(self, length: int) -> Iterator[bytes]:
        """Yield the next `length` bytes, in chunks. Raises GitError when there are fewer."""
        while length:
            if self._at == len(self._data) and not self._read():
                raise GitError("git stopped")
            part = self._data[self._at : self._at + length]
            self._at += len(part)
            length -= len(part)
            yield part

    def _read(self) -> bool:
        """Read its next output; false at the end."""
        assert self._process.stdout is not None  # noqa: S101
        descriptor = self._process.stdout.fileno()
        if os.name == "posix" and not select.select([descriptor], [], [], self._silence_s)[0]:
            raise GitSilentError(f"git sent nothing for {self._silence_s:.0f} s")
        self._data, self._at = os.read(descriptor, 1 << 18), 0
        return bool(self._data)
