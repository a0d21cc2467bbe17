"""Files on a simulated Windows: written so that only their user reads them, and reported where others do or it is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
from windows_system import DRIVE, OWN, PROFILE, WindowsSystem, windows  # noqa: F401  a fixture

from provision.audit.access import Readers, readers
from provision.audit.homes import mode_findings
from provision.endpoint.route_check import managed_dir_in_force
from provision.files import write_atomic
from provision.hermes.home import read_home
from provision.keys.identities import IdentityFileError, check_private
from provision.keys.import_file import check_file_mode
from provision.signing.sshsig import BadSigningKeyError, load_signing_key, new_signing_key
from provision.windows_acl import make_private, own_sid, set_mode

PRIVATE = f"D:PAI(A;;FA;;;{OWN})(A;;FA;;;S-1-5-18)(A;;FA;;;S-1-5-32-544)"


def test_in_a_profile_a_written_file_keeps_what_it_inherits(windows: WindowsSystem, tmp_path: Path) -> None:  # noqa: F811
    write_atomic(tmp_path / ".env", b"A=1\n")
    assert windows.get(tmp_path / ".env") is None
    assert readers(tmp_path / ".env") is Readers.OWNER


def staged_lists(system: WindowsSystem, folder: Path) -> list[str]:
    import json

    lists = json.loads((system.root / "lists.json").read_text())
    return [sddl for path, sddl in lists.items() if path.startswith(str(folder / ".")) and "provision-new" in path]


def test_on_another_drive_a_private_file_gets_a_list_of_its_own(windows: WindowsSystem, tmp_path: Path) -> None:  # noqa: F811
    home = tmp_path / "hermes"
    home.mkdir()
    windows.set(home, DRIVE)
    windows.set("*", DRIVE)
    write_atomic(home / "config.yaml", b"a: 1\n", mode=0o644)
    assert staged_lists(windows, home) == []
    write_atomic(home / ".env", b"A=1\n")
    assert staged_lists(windows, home) == [PRIVATE], "a rename on the same drive keeps the list"


def test_a_key_that_others_can_read_is_not_where_it_belongs(windows: WindowsSystem, tmp_path: Path) -> None:  # noqa: F811
    key = tmp_path / "key"
    key.write_bytes(new_signing_key()[1])
    key.chmod(0o600)
    for sddl, expected in (
        (PROFILE, Readers.OWNER),
        (DRIVE, Readers.EVERYONE),
        ("D:(A;;FR;;;S-1-5-21-9-9-9-1)", Readers.GROUP),
    ):
        windows.set(key, sddl)
        assert readers(key) is expected
        if expected is Readers.OWNER:
            check_private(key)
            load_signing_key(key)
            assert list(check_file_mode(str(key))) == []
            continue
        with pytest.raises(IdentityFileError, match="readable by other accounts"):
            check_private(key)
        with pytest.raises(BadSigningKeyError, match="readable by other accounts"):
            load_signing_key(key)
        (warning,) = check_file_mode(str(key))
        assert "icacls" in (warning.hint or "")
    assert make_private(key)
    assert windows.get(key) == PRIVATE
    assert readers(key) is Readers.OWNER


def test_a_home_that_others_can_write_is_reported(windows: WindowsSystem, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / ".env").write_text("A=1\n")
    assert list(mode_findings(tmp_path, str)) == []
    windows.set(tmp_path, DRIVE)
    windows.set(tmp_path / ".env", DRIVE)
    found = {finding.rule: finding.message for finding in mode_findings(tmp_path, str)}
    assert found == {
        "home-writable": "other accounts can write into this home: Authenticated Users",
        "file-mode": "other accounts can write .env: Authenticated Users",
    }


def test_where_the_list_cannot_be_read_it_is_unknown(windows: WindowsSystem, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    windows.set("*", None)
    assert readers(path) is Readers.UNKNOWN
    messages = [finding.message for finding in mode_findings(tmp_path, str)]
    assert messages[1] == "who can access .env is unknown: its access control list cannot be read"
    with pytest.raises(PermissionError, match="cannot be set"):
        set_mode(path, 0o600)
    (windows.root / "System32" / "whoami.exe").unlink()
    own_sid.cache_clear()
    windows.set("*", PROFILE)
    assert readers(path) is Readers.UNKNOWN


def test_the_managed_scope_counts_on_windows_and_belongs_to_administrators(
    windows: WindowsSystem,  # noqa: F811
    tmp_path: Path,
) -> None:
    scope = tmp_path / "etc" / "hermes"
    scope.mkdir(parents=True)
    (scope / "config.yaml").write_text("model: {default: other}\n")
    assert managed_dir_in_force({"HERMES_MANAGED_DIR": str(scope)}) == scope
    windows.set("*", "D:(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)")
    assert read_home(tmp_path / "home", managed_dir=scope).managed_writers == ()
    windows.set(scope, DRIVE)
    assert read_home(tmp_path / "home", managed_dir=scope).managed_writers == ("Authenticated Users",)
    windows.set(scope, PROFILE)
    assert read_home(tmp_path / "home", managed_dir=scope).managed_writers == (OWN,), "the user is no administrator"
    windows.set("*", None)
    assert read_home(tmp_path / "home", managed_dir=scope).managed_writers is None


def test_the_managed_scope_belongs_to_root_elsewhere(tmp_path: Path) -> None:
    import os

    scope = tmp_path / "hermes"
    scope.mkdir()
    (scope / ".env").write_text("")
    own = () if os.geteuid() == 0 else (f"user {os.geteuid()}",)
    assert read_home(tmp_path, managed_dir=scope).managed_writers == own
    (scope / ".env").chmod(0o666)
    assert read_home(tmp_path, managed_dir=scope).managed_writers == (*own, "everyone")
