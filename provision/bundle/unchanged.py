"""What the last `render` found: with which files, and what dist/ held then. While nothing of it differs, a further run need not
load the fleet, open the vault and compare thousands of bundles to find all of them unchanged.

Everything is compared by content, never by time: each file of the workspace (but receipts and git's own) and of the operator's
configuration folder, what the settings name elsewhere, the program, the environment, and each bundle in dist/. Whatever cannot be
compared so, such as a link, is a reason to render as usual. The note is in the user's cache folder and holds digests and paths.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from provision.bundle.dist import OWN, Dist, content_digest, is_leftover
from provision.bundle.file_names import BUNDLE_FILES
from provision.detect.engines.kept import keep, read_kept
from provision.fleet.config_folder import config_dir
from provision.programs import own_code, states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_NOT_READ = frozenset({".git", "receipts"})
"""Folders of a workspace that `render` does not read, except for recipients; a test watches what it opens."""
_MOST_FILES, _MOST_BYTES = 10_000, 1 << 30
_VARIABLES = ("PROVISION_", "HOME", "XDG_", "APPDATA", "LOCALAPPDATA", "USERPROFILE")
_CHAIN = ".trust.tar"


class IncomparableError(Exception):
    """Something is there that a digest does not describe, or too much of it."""


class _Note(NamedTuple):
    inputs: str
    elsewhere: list[str]
    """Files that the settings name."""
    dist: str
    content: str
    users: int
    since: float
    until: float
    """Unix seconds. From then on the same files can mean something else: a bundle is due, a key or a signer expires."""


class LastRender:
    """What the last render of a workspace found, beside the files as they are. Make it before anything else is read."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root, self._config = root.resolve(), config_dir(environ)
        self._used = repr((sys.version, sys.platform, own_code(), states_of(sys.path[1:]), _variables(environ)))
        name = f"{self._root}\0{self._config}".encode("utf-8", "surrogateescape")
        self._name = f"render-{hashlib.sha256(name).hexdigest()[:32]}"
        self._opened = self._files(Path(), (), only_settings=True)
        self._before: dict[str, bytes] | None = None
        self._dist, self._elsewhere = Path(), list[str]()

    def unchanged_users(self, now: float) -> int | None:
        """How many users there are, if `render` would find every bundle unchanged; None if that is unknown."""
        try:
            note = _Note(**json.loads(read_kept(self._name) or b"{}"))
        except (ValueError, TypeError):
            return None
        if not note.since <= now < note.until:
            return None
        files = self._files(Path(note.dist), note.elsewhere)
        if files is None or self._digest(files) != note.inputs:
            return None
        try:
            return note.users if _content(_bundles(Path(note.dist))) == note.content else None
        except (OSError, IncomparableError):
            return None

    def begin(self, dist: Path, elsewhere: Iterable[Path]) -> None:
        """Read what a render is about to read, and compare what was read so far. `elsewhere`: files that settings name."""
        self._dist, self._elsewhere = dist, sorted({str(path) for path in elsewhere})
        files = self._files(self._dist, self._elsewhere)
        if files is not None and self._opened is not None and self._opened.items() <= files.items():
            self._before = files

    def finish(
        self,
        contents: Mapping[str, bytes],
        *,
        chain: bytes,
        read: Iterable[Path],
        written: Iterable[Path],
        sound: Callable[[], bool],
        since: float,
        until: float,
    ) -> None:
        """Note a run that left every user a current bundle: `contents` has the digest of each, `chain` are the trust lists.

        `read`: further files that it read. `written`: those that it wrote, and `sound` looks at again. If any other file differs
        from the one before the run, nothing is noted.
        """
        before, after = self._before, self._files(self._dist, self._elsewhere)
        if before is None or after is None or not {str(path) for path in read} <= after.keys():
            return
        different = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        if set(map(os.path.realpath, different)) <= set(map(os.path.realpath, written)) and sound():
            whole = {**contents, _CHAIN: hashlib.sha256(chain).digest()} if chain else contents
            note = _Note(
                self._digest(after), self._elsewhere, str(self._dist), _content(whole), len(contents), since, until
            )
            keep(self._name, json.dumps(note._asdict()).encode())

    def _digest(self, files: Mapping[str, bytes]) -> str:
        return hashlib.sha256(repr((self._used, sorted(files.items()))).encode()).hexdigest()

    def _files(self, dist: Path, elsewhere: Iterable[str], *, only_settings: bool = False) -> dict[str, bytes] | None:
        """The digest of every file that a render may read, by path; None if that cannot be said."""
        skipped = {str(dist.resolve()), *(str(self._root / name) for name in _NOT_READ)}
        try:
            if only_settings:
                inside = iter([str(self._root / "provision.toml")])
            elif dist.is_symlink() or self._root.is_relative_to(dist):
                return None
            else:
                inside = _below(self._root, skipped)
            paths = [*inside, *_below(self._config, set()), *elsewhere]
            return {path: _file_digest(path) for path in dict.fromkeys(paths)}
        except (OSError, IncomparableError):
            return None


def _below(folder: Path, skipped: set[str]) -> Iterator[str]:
    """Every file and folder in a folder. Raises IncomparableError for a link and for more than a workspace has."""
    waiting, count = [str(folder)], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.path in skipped:
                    continue
                count += 1
                if entry.is_symlink() or count > _MOST_FILES:
                    raise IncomparableError
                if entry.is_dir():
                    waiting.append(entry.path)
                yield entry.path


def _file_digest(path: str) -> bytes:
    """A digest of a file's owner, mode and content; of a folder's owner and mode. Empty if it is missing."""
    try:
        status = os.stat(path)  # noqa: PTH116  texts, as scandir gives them: path objects cost a third of it
    except FileNotFoundError:
        return b""
    content = b""
    if stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_BYTES:
        content = Path(path).read_bytes()
    elif not stat.S_ISDIR(status.st_mode):
        raise IncomparableError
    return hashlib.sha256(f"{status.st_uid} {status.st_mode}\n".encode() + content).digest()


def _bundles(root: Path) -> dict[str, bytes]:
    """The digest of each bundle in dist/, by user, and that of the trust lists beside them."""
    dist, found = Dist(root, None), dict[str, bytes]()
    if any(is_leftover(entry.name) for entry in os.scandir(root / OWN)):
        raise IncomparableError  # a killed run: the next one removes it
    for name in os.listdir(root):  # noqa: PTH208
        if name == _CHAIN:
            found[name] = hashlib.sha256((root / name).read_bytes()).digest()
        elif name != OWN and (files := dist.read(name)):
            if not files.keys() >= set(BUNDLE_FILES):
                raise IncomparableError
            found[name] = content_digest(files)
    return found


def _content(bundles: Mapping[str, bytes]) -> str:
    return hashlib.sha256(repr(sorted(bundles.items())).encode()).hexdigest()


def _variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in environ.items() if name.upper().startswith(_VARIABLES))
