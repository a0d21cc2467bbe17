"""The vault's header: the workspace's id, the log's head, recovery recipients."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keysmith import identity, reopened, vault

from provision.keys.vault.text import (
    WORKSPACE_LINES_BYTES,
    VaultFormatError,
    parse_vault,
    parse_workspace_id,
)

HEAD = (12, "cd" * 32)


def test_the_workspace_id_is_in_the_first_two_lines() -> None:
    made = vault(ada="one")
    assert parse_workspace_id(made.serialised()[:WORKSPACE_LINES_BYTES], "keys.vault") == made.workspace_id


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"", "not a vault"),
        (b"provision-vault/v2\n", "newer provision"),
        (b"provision-vault/v1\n", "`workspace` is damaged or missing"),
        (b"provision-vault/v1\nvault " + b"0" * 32 + b"\n", "`workspace` is damaged or missing"),
        (b"provision-vault/v1\nworkspace " + b"0" * 31 + b"\n", "`workspace` is damaged or missing"),
        (b"provision-vault/v1\nworkspace " + b"0" * 32 + b"0", "`workspace` is damaged or missing"),
    ],
)
def test_a_damaged_beginning_names_no_workspace(head: bytes, says: str) -> None:
    with pytest.raises(VaultFormatError, match=says):
        parse_workspace_id(head, "keys.vault")


def test_recovery_keys_open_the_vault_and_stay_when_an_operator_goes() -> None:
    made = vault(ada="one")
    made.add_operator(identity(1)[1])
    made._header = replace(made._header, recovery=(f"{identity(2)[1]} on paper",), log_head=HEAD)
    made.rekey()
    made.remove_operator(identity(1)[1])
    again = reopened(made, 2)
    assert again.value("ada", 1).reveal() == "one"
    assert again.operators == (identity(0)[1],)
    header = parse_vault(again.serialised(), "keys.vault").header
    assert header.recovery == (f"{identity(2)[1]} on paper",)
    assert header.log_head == HEAD


@pytest.mark.parametrize("log", [b"log 0 " + b"cd" * 32, b"log 1", b"log 1 cd", b"log", b"log - -"])
def test_a_damaged_log_head_is_refused(log: bytes) -> None:
    data = vault(ada="one").serialised().replace(b"\nlog -\n", b"\n" + log + b"\n")
    with pytest.raises(VaultFormatError, match="`log` is damaged"):
        parse_vault(data, "keys.vault")
