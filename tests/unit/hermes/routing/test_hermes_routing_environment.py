"""The environment that Hermes ends up with, and the place of each value."""

from __future__ import annotations

import pytest

from provision.hermes.home import HomeFiles
from provision.hermes.routing.environment import PROCESS, is_usable, load_environment

MANAGED = HomeFiles("/etc/hermes", env=b"A=managed\nEMPTY=\n")


def test_later_files_win_and_places_name_the_line() -> None:
    home = HomeFiles("/h", env=b"# x\nexport A=home\nB=1\nB=2\nEMPTY=home\n")
    found = load_environment(home, {"A": "process", "C": "process"}, MANAGED)
    assert [found.get(name) for name in ("A", "B", "C", "EMPTY", "NONE")] == ["managed", "2", "process", "", ""]
    assert found.place("A") == "/etc/hermes/.env:1 A"
    assert found.place("B") == "/h/.env:4 B"
    assert (found.place("C"), found.from_file("C")) == (PROCESS, False)
    assert load_environment(home, {}, None).place("A") == "/h/.env:2 A"


def test_the_file_of_1password_fills_gaps_only() -> None:
    home = HomeFiles("/h", env=b"A=home\n", onepassword_env=b"A=op\nB=op\n")
    found = load_environment(home, {}, None)
    assert (found.get("A"), found.get("B"), found.place("B")) == ("home", "op", "/h/.op.env:2 B")
    assert load_environment(home, {"OP_SERVICE_ACCOUNT_TOKEN": "t"}, None).get("B") == ""


def test_a_file_that_crashes_hermes_is_named_and_the_others_are_loaded() -> None:
    found = load_environment(HomeFiles("/h", env="A=1\n".encode("utf-32")), {}, MANAGED)
    assert found.crash is not None
    assert found.crash.startswith("/h/.env: ")
    assert found.get("A") == "managed"


def test_no_value_is_in_the_repr() -> None:
    assert "sk-secret" not in repr(load_environment(HomeFiles("/h", env=b"A=sk-secret\n"), {"B": "sk-secret"}, None))


@pytest.mark.parametrize("value", ["", "abc", "  abc ", "changeme", "Your-API-Key", "***", None, 12345])
def test_what_is_not_a_key(value: object) -> None:
    assert not is_usable(value)


@pytest.mark.parametrize("value", ["abcd", "your-api-key-here", "sk-…"])
def test_what_is_sent_as_a_key(value: str) -> None:
    assert is_usable(value)
