"""Root works with the owner's rights in a home: groups, group and user change in this order, and come back."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from provision.endpoint import privileges
from provision.endpoint.privileges import LinkedHomeError, as_owner, link_target

OWNER = 12345
Calls = list[tuple[str, object]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What a root process would ask of the system; nothing of it is done."""
    made: Calls = []
    now: dict[str, object] = {"getgroups": [0, 27], "getegid": 0, "geteuid": 0}

    def change(name: str, value: object) -> None:
        made.append((name, value))
        now["get" + name.removeprefix("set")] = value

    monkeypatch.setattr(privileges, "is_root", lambda: True)
    for name in ("groups", "egid", "euid"):
        monkeypatch.setattr(os, "set" + name, lambda value, name="set" + name: change(name, value))
        monkeypatch.setattr(os, "get" + name, lambda name="get" + name: now[name])
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that belongs to a user with an id and group of their own, in folders of root."""
    fstat, inode = os.fstat, tmp_path.stat().st_ino

    def owned(descriptor: int) -> os.stat_result:
        fields = list(fstat(descriptor)[:10])
        fields[0] = stat.S_IFDIR | 0o755
        fields[4:6] = (OWNER, OWNER + 1) if fields[1] == inode else (0, 0)
        return os.stat_result(fields)

    monkeypatch.setattr(privileges.os, "fstat", owned)
    return tmp_path


def test_groups_go_first_and_everything_comes_back(calls: Calls, home: Path) -> None:
    """Root's supplementary groups would give the owner's session access that the owner does not have."""
    entered = [("setgroups", []), ("setegid", OWNER + 1), ("seteuid", OWNER)]
    with as_owner(home / "not" / "made" / "yet") as for_another:
        assert for_another
        assert calls == entered
    assert calls == [*entered, ("seteuid", 0), ("setegid", 0), ("setgroups", [0, 27])]


@pytest.mark.parametrize(("platform", "kept"), [("darwin", 16), ("linux", 40)])
def test_macos_takes_sixteen_groups(calls: Calls, monkeypatch: pytest.MonkeyPatch, platform: str, kept: int) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    privileges._set_groups(list(range(40)))
    assert calls == [("setgroups", list(range(kept)))]


def test_rights_come_back_after_an_error(calls: Calls, home: Path) -> None:
    with pytest.raises(KeyError), as_owner(home):
        raise KeyError
    assert calls[3:] == [("seteuid", 0), ("setegid", 0), ("setgroups", [0, 27])]


def test_the_way_to_a_home_is_not_followed_over_a_users_link(calls: Calls, home: Path) -> None:
    (home / "link").symlink_to("/etc")
    with pytest.raises(LinkedHomeError, match="symbolic link"), as_owner(home / "link" / "deeper"):
        pass
    back: Calls = [("seteuid", 0), ("setegid", 0), ("setgroups", [0, 27])]
    assert calls == [("setgroups", []), ("setegid", OWNER + 1), ("seteuid", OWNER), *back]


def test_no_rights_change_for_an_ordinary_user(calls: Calls, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "is_root", lambda: False)
    with as_owner(home) as for_another:
        assert not for_another
    assert calls == []


def test_a_users_own_link_leads_only_below_their_folder(tmp_path: Path) -> None:
    user, outside = tmp_path / "ada", tmp_path / "outside"
    for folder in (user, outside):
        folder.mkdir()
        (folder / "file").write_text("x")
    (user / "good").symlink_to(user / "file")
    (user / "bad").symlink_to(outside / "file")
    (user / "folder").symlink_to(user)
    assert link_target(user / "file", user) is None
    assert link_target(user / "good", user) == (user / "file").resolve()
    for name, user_home in (("bad", user), ("folder", user), ("good", None)):
        with pytest.raises(LinkedHomeError) as caught:
            link_target(user / name, user_home)
        assert caught.value.hint
