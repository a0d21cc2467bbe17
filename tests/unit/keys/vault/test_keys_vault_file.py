"""The vault's file: created once, changed whole or not, recorded first."""

from __future__ import annotations

from pathlib import Path

import keysmith
import pytest

from provision.detect.secret import Secret
from provision.files import STAGED_SUFFIX
from provision.keys.events.log import log_path, read_events
from provision.keys.vault.file import NoVaultError, VaultChangedError, create_vault, editing, open_vault, read_vault

IDENTITIES, RECIPIENT = keysmith.identity()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_vault(tmp_path / "keys.vault", [RECIPIENT])
    return tmp_path / "keys.vault"


def test_an_existing_vault_is_not_replaced(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(NoVaultError, match="already exists"):
        create_vault(path, [RECIPIENT])
    assert path.read_bytes() == before


def test_a_missing_vault_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoVaultError, match="no vault at") as caught:
        read_vault(tmp_path / "keys.vault")
    assert "provision init" in caught.value.hint


def test_a_change_is_saved_and_recorded(path: Path) -> None:
    with editing(path, IDENTITIES, "keys import") as vault:
        vault.add("ada", Secret("one"), now=keysmith.NOW)
    again = open_vault(path, IDENTITIES)
    assert (again.key("ada"), again.generation) == (Secret("one"), 2)
    assert [each.event.what for each in read_events(log_path(path))][-1] == "key added"


def test_an_exception_or_no_change_leaves_file_and_log_alone(path: Path) -> None:
    before = path.read_bytes(), log_path(path).read_bytes()

    def interrupted() -> None:
        with editing(path, IDENTITIES, "keys import") as vault:
            vault.add("ada", Secret("one"), now=keysmith.NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with editing(path, IDENTITIES, "keys list"):
        pass
    assert (path.read_bytes(), log_path(path).read_bytes()) == before


def test_a_file_that_changed_during_the_edit_is_not_overwritten(path: Path) -> None:
    theirs = path.read_bytes().replace(b"generation 1\n", b"generation 9\n")

    def disturbed() -> None:
        with editing(path, IDENTITIES, "keys import") as vault:
            vault.add("ada", Secret("one"), now=keysmith.NOW)
            path.write_bytes(theirs)

    with pytest.raises(VaultChangedError):
        disturbed()
    assert path.read_bytes() == theirs


def test_a_link_to_the_vault_stays_a_link_and_staged_leftovers_go(path: Path) -> None:
    link = path.parent / "elsewhere" / "keys.vault"
    link.parent.mkdir()
    link.symlink_to(path)
    stray = path.with_name(f".{path.name}.0{STAGED_SUFFIX}")
    stray.touch()
    with editing(link, IDENTITIES, "keys import") as vault:
        vault.add("ada", Secret("one"), now=keysmith.NOW)
    assert link.is_symlink()
    assert not stray.exists()
    assert read_vault(path).generation == 2
