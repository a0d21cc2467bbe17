"""Which home Hermes opens."""

from __future__ import annotations

import pytest

from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.selection import select_home

BLUE = HomeFiles("/h/profiles/blue")


def files(active: bytes | None = None, path: str = "/h") -> HermesFiles:
    return HermesFiles(HomeFiles(path), {"blue": BLUE}, active)


@pytest.mark.parametrize(
    ("active", "flag", "home", "hazards"),
    [
        (None, None, "/h", []),
        (b"default\n", None, "/h", []),
        (b" Blue \n", None, "/h/profiles/blue", ["active-profile"]),
        (b"blue", "default", "/h", ["active-profile"]),
        (b"blue", "BLUE", "/h/profiles/blue", []),
        (None, "blue", "/h/profiles/blue", ["active-profile"]),
        (b"\xff", None, "/h", []),
    ],
)
def test_the_home(active: bytes | None, flag: str | None, home: str, hazards: list[str]) -> None:
    found = select_home(files(active), flag, {})
    assert (found.home.path, [h.id for h in found.hazards], found.refusal) == (home, hazards, None)
    assert (found.root is not None) is (home != "/h")


@pytest.mark.parametrize(("name", "refusal"), [("../x", "is invalid"), ("green", "does not exist"), ("", "is invalid")])
def test_a_name_that_ends_the_run(name: str, refusal: str) -> None:
    found = select_home(files(), name, {})
    assert found.refusal is not None
    assert refusal in found.refusal


def test_where_active_profile_does_not_count() -> None:
    assert select_home(files(b"blue", "/h/profiles/red"), None, {}).home.path == "/h/profiles/red"
    assert select_home(files(b"blue"), None, {"HERMES_S6_SUPERVISED_CHILD": "1"}).home.path == "/h"
