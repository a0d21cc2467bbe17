"""Root in the home of a user who attacks: swapped folders, links, and folders that several users can write to."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest

from provision.audit.fix import homes
from provision.audit.fix.apply import apply_fix, last_record, undo_fix
from provision.audit.fix.change import FixChange
from provision.audit.fix.homes import fix_home
from provision.detect.detector import Detector
from provision.detect.rules.builtin import BUILTIN
from provision.endpoint.apply import DiskWriter
from provision.endpoint.plan import FileChange
from provision.endpoint.privileges import LinkedHomeError, UnsafePathError, as_owner
from provision.endpoint.state import BrokenInstallationError, read_installed
from provision.errors import ProvisionError
from provision.files import STAGED_SUFFIX
from provision.hermes.home import HermesFiles, read_home
from provision.keys.identities import Identity, load_identities
from provision.redact import files
from provision.redact.files import redact_in_place
from provision.redact.masks import Masker, MaskStyle
from provision.redact.session import RedactionOptions, Session

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = pytest.mark.skipif(not AS_ROOT, reason="only root can work for another")
ADA, BOB = 12345, 12346
ROUNDS = 2000
KEY = "sk-aisa-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 2
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of ada, and a folder that only root can write to, with a file that ada cannot read."""
    for parent in tmp_path.parents:
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    user, secret = tmp_path / "ada", tmp_path / "root"
    user.mkdir()
    os.chown(user, ADA, ADA)
    secret.mkdir()
    (secret / ".bashrc").write_text("# root's\n")
    (secret / ".bashrc").chmod(0o644)
    return user, secret


def _as_ada(action: object) -> None:
    """Run an action of ada in a process of hers."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.setgroups([])
            os.setgid(ADA)
            os.setuid(ADA)
            action()  # type: ignore[operator]
        os._exit(0)
    os.waitpid(child, 0)


def _exchange(one: Path, other: Path) -> None:
    ctypes.CDLL(None).renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)


@contextmanager
def _swapping(one: Path, other: Path) -> Iterator[None]:
    """Ada exchanges two of her entries again and again, with pauses of up to 2 ms."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(ADA)
        os.setuid(ADA)
        while True:
            time.sleep(random.choice((0, 0, 0.0002, 0.002)))
            _exchange(one, other)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_uid, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def test_a_user_who_swaps_the_home_with_a_link_gets_nothing_of_root(folders: tuple[Path, Path]) -> None:
    user, secret = folders

    def prepare() -> None:
        (user / ".hermes").mkdir()
        (user / "other").symlink_to(secret)

    _as_ada(prepare)
    before, wrote, refused = _state(secret), 0, 0
    changes = [FileChange(".env", b"A=1\n", 0o600), FileChange("config.yaml", b"a: 1\n", 0o600)]
    began = time.monotonic()
    with _swapping(user / ".hermes", user / "other"):
        for _ in range(ROUNDS):
            try:
                writer = DiskWriter(user)
                with writer.opened(user / ".hermes"):
                    writer.apply(user / ".hermes", changes)
                wrote += 1
            except (ProvisionError, OSError):
                refused += 1
            assert os.geteuid() == 0
            if time.monotonic() - began > 40:
                break
    assert _state(secret) == before
    assert wrote
    assert refused
    assert not [path for path in user.rglob("*") if path.lstat().st_uid == 0]


def test_a_file_swapped_with_a_link_into_roots_folder_stays_untouched(folders: tuple[Path, Path]) -> None:
    user, secret = folders
    home = user / ".hermes"

    def prepare() -> None:
        home.mkdir()
        (home / ".env").write_text("A=0\n")
        (home / "other").symlink_to(secret / ".bashrc")

    _as_ada(prepare)
    before = _state(secret)
    with _swapping(home / ".env", home / "other"):
        for _ in range(ROUNDS // 3):
            with suppress(ProvisionError, OSError):
                writer = DiskWriter(user)
                with writer.opened(home):
                    writer.apply(home, [FileChange(".env", b"A=1\n", 0o600)])
    assert _state(secret) == before


def test_folders_of_root_in_a_folder_of_a_user_are_not_roots_business(folders: tuple[Path, Path]) -> None:
    """The user can rename such a folder and put a link in its place."""
    user, _ = folders
    (user / ".hermes").mkdir()
    with pytest.raises(UnsafePathError, match="folder of user 0"), as_owner(user / ".hermes"):
        pass


def test_roots_own_links_count_only_where_only_root_can_write(folders: tuple[Path, Path]) -> None:
    user, secret = folders
    (secret / "homes").symlink_to(user.parent)
    with as_owner(secret / "homes" / "ada") as for_another:
        assert for_another
        assert os.geteuid() == ADA
    secret.chmod(0o1777)
    with pytest.raises(LinkedHomeError), as_owner(secret / "homes" / "ada"):
        pass
    secret.chmod(0o755)
    (user / "link").symlink_to(secret)
    with pytest.raises(LinkedHomeError), as_owner(user / "link"):
        pass


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_home_that_another_user_could_make_first_is_refused(folders: tuple[Path, Path], mode: int) -> None:
    _, shared = folders
    shared.chmod(mode)
    with pytest.raises(UnsafePathError, match="can replace"), as_owner(shared / "new" / ".hermes"):
        pass
    assert not (shared / "new").exists()


def test_the_owners_groups_are_taken_not_roots(folders: tuple[Path, Path]) -> None:
    user, _ = folders
    with as_owner(user):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (ADA, ADA, [])
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_folder_of_provision_that_is_a_link_is_refused(folders: tuple[Path, Path]) -> None:
    user, secret = folders

    def prepare() -> None:
        (user / ".hermes").mkdir()
        (user / "elsewhere").mkdir()
        (user / ".hermes" / ".provision").symlink_to(user / "elsewhere")

    _as_ada(prepare)
    with pytest.raises(LinkedHomeError, match=r"\.provision"), DiskWriter(user).opened(user / ".hermes"):
        pass
    with pytest.raises((LinkedHomeError, BrokenInstallationError)):
        read_installed(user / ".hermes")
    assert not list((user / "elsewhere").iterdir())
    assert sorted(_state(secret)) == [str(secret / ".bashrc")]


def _fixed(changes: list[FixChange], folder: Path) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    apply_fix(changes, Detector(()), folder, [recipient], datetime.now(UTC), clean=str)


def test_a_fix_by_root_opens_no_database_behind_a_users_link(folders: tuple[Path, Path]) -> None:
    """To open a database can change it: what is left of a killed writer is moved into it."""
    user, secret = folders
    child = os.fork()
    if child == 0:
        db = sqlite3.connect(secret / "state.db")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a)")
        db.commit()
        os._exit(0)  # as if it was killed: its journal stays
    os.waitpid(child, 0)
    _as_ada(lambda: (user / ".hermes").symlink_to(secret))
    before = _state(secret)
    assert f"{secret}/state.db-wal" in before
    _fixed([FixChange(user / ".hermes" / "state.db", (), database=True)], user.parent / "fixes")
    assert _state(secret) == before


def test_a_fix_and_its_undo_by_root_under_a_user_who_swaps_folders(folders: tuple[Path, Path]) -> None:
    user, secret = folders
    home, made = user / ".hermes", user.parent / "fixes"

    def prepare() -> None:
        home.mkdir()
        (home / ".bashrc").write_text("A=1\n")
        (user / "other").symlink_to(secret)

    _as_ada(prepare)
    before, identity = _state(secret), pyrage.x25519.Identity.generate()
    changed = 0
    with _swapping(home, user / "other"):
        for round_ in range(ROUNDS // 20):
            at = datetime.fromtimestamp(round_, UTC)
            change = FixChange(home / ".bashrc", (), b"A=2\n", 0o600, was=b"A=1\n")
            done = apply_fix([change], Detector(()), made, [str(identity.to_public())], at, clean=str)
            if done.backup is None:
                continue
            changed += len(done.changed)
            for _ in range(50):  # until the undo, too, meets the real folder
                if undo_fix(last_record(made), lambda: _identities(identity, made)).backup is None:
                    break
    assert changed
    assert _state(secret) == before
    assert not [path for path in user.rglob("*") if path.lstat().st_uid == 0]


def test_a_fix_by_root_reads_nothing_behind_a_users_link(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the key of another home could go into the `.env` of a user who has a folder there again when it is written."""
    user, secret = folders
    settings = "model: {default: m, provider: custom, base_url: https://api.example.com/v1, api_key: %s}\n"
    (secret / "config.yaml").write_text(settings % KEY)

    def prepare() -> None:
        (user / ".hermes").symlink_to(secret)
        (user / "other").mkdir()

    def read_and_swap(root: Path, *, managed_dir: Path | None) -> HermesFiles:
        found = read_home(root, managed_dir=managed_dir)
        _exchange(user / ".hermes", user / "other")
        return found

    _as_ada(prepare)
    environ, now = {"HOME": str(user)}, datetime.now(UTC)
    assert fix_home(secret, lambda *_: environ, now)[0], "there is something to fix in it"
    monkeypatch.setattr(homes, "read_home", read_and_swap)
    changes, left = fix_home(user / ".hermes", lambda *_: environ, now)
    assert changes == []
    assert "symbolic link that another user owns" in left[0].why


@pytest.fixture
def notes(folders: tuple[Path, Path]) -> tuple[Path, Path, Path]:
    """A file of ada with a key, one of root with the same name, and a link that ada may put in the place of her folder."""
    user, secret = folders
    (secret / "notes.txt").write_text("root's\n")

    def prepare() -> None:
        (user / "d").mkdir()
        (user / "d" / "notes.txt").write_text(f"ada's\nAISA_API_KEY={KEY}\n")
        (user / "e").symlink_to(secret)

    _as_ada(prepare)
    return user / "d" / "notes.txt", user / "e", secret


def _session() -> Session:
    return Session(Detector(BUILTIN), Masker(MaskStyle.TAG, bytes(32)), RedactionOptions())


def test_redaction_in_place_by_root_stays_in_the_folder_that_it_began_in(
    notes: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else ada's text replaced root's file of the same name."""
    path, link, secret = notes
    before, choose = _state(secret), files.staged_path

    def choose_and_swap(target: Path) -> Path:
        chosen = choose(target)
        ctypes.CDLL(None).renameat2(_AT_FDCWD, os.fsencode(path.parent), _AT_FDCWD, os.fsencode(link), _RENAME_EXCHANGE)
        return chosen

    monkeypatch.setattr(files, "staged_path", choose_and_swap)
    with suppress(ProvisionError):
        redact_in_place(path, _session())
    assert _state(secret) == before
    assert path.parent.is_symlink()
    assert KEY not in (link / "notes.txt").read_text()


def test_redaction_in_place_by_root_gives_no_file_behind_a_link_to_a_user(
    notes: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, secret = notes
    before, redact = _state(secret), files.redact_open

    def redact_and_link(*words: Any) -> None:
        redact(*words)
        (staged,) = path.parent.glob(f".*{STAGED_SUFFIX}")
        staged.unlink()
        staged.symlink_to(secret / ".bashrc")

    monkeypatch.setattr(files, "redact_open", redact_and_link)
    with suppress(ProvisionError):
        redact_in_place(path, _session())
    assert _state(secret) == before


def test_redaction_by_root_follows_only_roots_links(notes: tuple[Path, Path, Path]) -> None:
    path, link, secret = notes
    (secret / "own").symlink_to(path)
    with pytest.raises(LinkedHomeError, match="symbolic link that another user owns"):
        redact_in_place(link / "notes.txt", _session())
    assert redact_in_place(secret / "own", _session())
    assert KEY not in path.read_text()
    assert path.stat().st_uid == ADA
    assert (secret / "own").is_symlink()


def test_a_program_that_only_root_can_read_works_with_a_users_rights(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the single file, which unpacks itself into a private folder of root."""
    user, secret = folders
    (secret / "lazy_module.py").write_text("import os\nuser = os.geteuid()\n")
    secret.chmod(0o700)
    monkeypatch.syspath_prepend(secret)
    with as_owner(user):
        with pytest.raises(PermissionError):
            list(secret.iterdir())
        import lazy_module  # type: ignore[import-not-found]

        assert os.geteuid() == os.getegid() == ADA
    assert lazy_module.user == 0


def _identities(identity: pyrage.x25519.Identity, folder: Path) -> tuple[Identity, ...]:
    path = folder / "identity.txt"
    if not path.exists():
        path.write_text(f"{identity}\n")
        path.chmod(0o600)
    return load_identities(path)
