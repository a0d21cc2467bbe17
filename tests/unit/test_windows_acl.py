"""Access control lists as `icacls /save` writes them: who beside the user, the system and administrators is let in."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.windows_acl import OtherAccounts, accounts_in, private_command

OWN = "S-1-5-21-1-2-3-1001"
BOB = "S-1-5-21-1-2-3-1002"


@pytest.mark.parametrize(
    ("sddl", "readers", "writers"),
    [
        (f"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;{OWN})", (), ()),
        (f"D:AI(A;ID;FA;;;S-1-5-18)(A;ID;FA;;;S-1-5-32-544)(A;ID;FA;;;{OWN})", (), ()),
        ("D:AI(A;ID;0x1200a9;;;BU)", ("Users",), ()),
        ("D:AI(A;ID;0x1301bf;;;AU)", ("Authenticated Users",), ("Authenticated Users",)),
        ("D:(A;;FR;;;WD)(A;;FW;;;BG)", ("Everyone",), ("Guests",)),
        (f"D:(A;;FA;;;{BOB})", (BOB,), (BOB,)),
        ("D:(A;;GR;;;WD)(A;OICIIO;GA;;;AU)", ("Everyone",), ()),
        ("D:(D;;FA;;;WD)(A;;WD;;;IU)", (), ("Interactive",)),
        ("D:(A;;CCSWRPWPLOCRRC;;;S-1-5-11)", ("Authenticated Users",), ()),
        ("D:(A;;0x100080;;;WD)", (), ()),
        ("D:P(A;;FA;;;CO)(A;;FA;;;OW)(A;;FA;;;AC)(A;;FA;;;S-1-15-2-1)", (), ()),
        ('D:(XA;;FR;;;WD;(@User.Title=="PM"))', ("Everyone",), ()),
        ("O:BAG:DUD:P(A;;FR;;;BU)S:(ML;;NW;;;LW)(AU;SA;FA;;;WD)", ("Users",), ()),
        ("D:P", (), ()),
        ("D:NO_ACCESS_CONTROL", ("Everyone",), ("Everyone",)),
        ("O:BAG:BA", ("Everyone",), ("Everyone",)),
    ],
)
def test_who_is_let_in(sddl: str, readers: tuple[str, ...], writers: tuple[str, ...]) -> None:
    assert accounts_in(sddl, frozenset({OWN})) == OtherAccounts(readers, writers)


@pytest.mark.parametrize("sddl", ["D:(A;;QQ;;;WD)", "D:(A;;FRx;;;WD)", "D:(A;;FR;;;)", "D:(A;;;;;WD)(A;x;FR;;;BU)"])
def test_what_is_not_understood_is_unknown(sddl: str) -> None:
    assert accounts_in(sddl, frozenset({OWN})) is None


def test_what_a_new_file_inherits() -> None:
    drive = "D:AI(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)(A;CIID;FA;;;WD)"
    found = accounts_in(drive, frozenset({OWN}), inherited=True)
    assert found == OtherAccounts(("Users", "Authenticated Users"), ("Authenticated Users",))


def test_the_command_is_for_powershell() -> None:
    assert private_command(Path("/my files/key")) == (
        "icacls '/my files/key' /reset; icacls '/my files/key' /inheritance:r /grant:r \"${env:USERNAME}:F\""
    )
