"""Where the Desktop app works, by its connection.json and its variable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.endpoint.desktop import connection_folders, desktop_destinations
from provision.hermes.routing.destination import DestinationVerdict


def destinations(
    tmp_path: Path, connection: object, name: str = "connection.json", **environ: str
) -> list[tuple[str, str, str]]:
    environ = {"HOME": str(tmp_path), **environ}
    path = connection_folders(environ, "linux")[-1] / name
    path.parent.mkdir(parents=True)
    path.write_text(connection if isinstance(connection, str) else json.dumps(connection))
    found, hazards = desktop_destinations(environ)
    assert "s3cret" not in repr((found, hazards))
    return [(d.name, d.host, d.verdict) for d in found] + [("hazard", h.id, "") for h in hazards]


REMOTE = {
    "mode": "remote",
    "remote": {"url": "https://box.example:9119", "token": {"encoding": "plain", "value": "s3cret"}},
}
PROFILE = {
    "mode": "local",
    "profiles": {"work": {"mode": "cloud", "url": "https://cloud.example"}, "home": {"mode": "local"}},
}


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({"mode": "local"}, []),
        ({}, []),
        (REMOTE, [("desktop", "box.example:9119", DestinationVerdict.CONTENT)]),
        (PROFILE, [("desktop.work", "cloud.example", DestinationVerdict.CONTENT)]),
        ({"profiles": {"s": {"mode": "ssh", "host": "ada@box"}}}, [("desktop.s", "box", DestinationVerdict.CONTENT)]),
        (
            {"mode": "ssh", "remote": {"mode": "ssh", "host": "box", "user": "ada"}},
            [("desktop", "box", DestinationVerdict.CONTENT)],
        ),
        ({"mode": "local", "profiles": {"s": {"mode": "local", "savedSsh": {"mode": "ssh", "host": "box"}}}}, []),
        ({"mode": ["remote"]}, [("desktop", "", DestinationVerdict.UNKNOWN)]),
        (
            {"mode": "remote", "remote": {"url": "http://127.0.0.1:9119"}},
            [("desktop", "127.0.0.1:9119", DestinationVerdict.UNKNOWN)],
        ),
        (
            {"profiles": {"s": {"mode": "ssh", "host": "localhost"}}},
            [("desktop.s", "localhost", DestinationVerdict.UNKNOWN)],
        ),
        ({"mode": "cloud"}, [("desktop", "unknown", DestinationVerdict.CONTENT)]),
        ({"mode": "relay", "url": "https://box.example"}, [("desktop", "", DestinationVerdict.UNKNOWN)]),
        ({"mode": 7}, [("desktop", "", DestinationVerdict.UNKNOWN)]),
        ("{", [("desktop", "", DestinationVerdict.UNKNOWN)]),
        ("[]", [("desktop", "", DestinationVerdict.UNKNOWN)]),
    ],
)
def test_the_backend_of_desktop(connection: object, expected: list[object], tmp_path: Path) -> None:
    found = destinations(tmp_path, connection)
    assert [f for f in found if f[0] != "hazard"] == expected
    assert (("hazard", "desktop-token", "") in found) == (connection is REMOTE)


BOX = {
    "id": "box",
    "kind": "remote",
    "label": "Box",
    "url": "https://box.example",
    "token": {"encoding": "safeStorage"},
}
HERE = {"id": "local", "kind": "local", "label": "This device"}


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ({"version": 2, "primary": "local", "lastUsed": "local", "connections": [HERE, BOX]}, []),
        ({"version": 2, "primary": "box", "connections": [HERE, BOX]}, [("desktop.box", "box.example")]),
        ({"primary": "local", "lastUsed": "box", "connections": [HERE, BOX]}, [("desktop.box", "box.example")]),
        ({"primary": "local", "lastUsed": "box", "launchMode": "primary", "connections": [HERE, BOX]}, []),
        ({"primary": "s", "connections": [{"id": "s", "kind": "ssh", "host": "ada@box"}]}, [("desktop.s", "box")]),
        ({"primary": "s", "connections": [{"id": "s", "kind": "relay"}]}, [("desktop.s", "")]),
        ({"primary": "gone", "connections": [HERE]}, []),
        ({"primary": ["x"], "connections": {"id": 1}}, []),
        ("{", [("desktop", "")]),
    ],
)
def test_the_list_of_backends_of_newer_releases(registry: object, expected: list[object], tmp_path: Path) -> None:
    """The app opens the primary one, or the last one that was used. The others are the user's choice in the app."""
    found = destinations(tmp_path, registry, "connections.json")
    assert [(name, host) for name, host, _ in found if name != "hazard"] == expected


@pytest.mark.parametrize(
    ("name", "connection"),
    [
        ("connection.json", {"mode": "local", "remote": {"url": "https://box.example", "token": "s3cret"}}),
        ("connection.json", {"profiles": {"a": {"mode": "ssh", "host": "b", "token": {"encoding": "plain", "value": "s3cret"}}}}),
        ("connection.json", {"mode": "remote", "remote": {"url": "https://ada:s3cret@box.example"}}),
        ("connection.json", {"mode": "remote", "remote": {"url": "https://box.example/?token=s3cret"}}),
        ("connections.json", {"connections": [{"kind": "remote", "headers": {"CF-Access-Client-Secret": "s3cret"}}]}),
        ("connections.json", {"quarantined": [{"reason": "r", "entry": {"token": "s3cret"}}]}),
    ],
)  # fmt: skip
def test_a_token_in_clear_is_found_whatever_mode_is_chosen(name: str, connection: object, tmp_path: Path) -> None:
    assert ("hazard", "desktop-token", "") in destinations(tmp_path, connection, name)


@pytest.mark.parametrize(
    "connection",
    [
        {"mode": "local", "remote": {"url": "", "token": ""}},
        {"mode": "local", "remote": {"url": "https://box.example/?profile=a", "token": {"encoding": "safeStorage"}}},
        {"mode": "local", "remote": {"token": {"encoding": "plain", "value": ""}, "headers": {}}},
        {"mode": "local", "remote": {"token": None, "headers": {"X-A": {"encoding": "safeStorage", "value": "AAAA"}}}},
    ],
)
def test_an_encrypted_token_and_none_are_no_hazard(connection: object, tmp_path: Path) -> None:
    assert destinations(tmp_path, connection) == []


@pytest.mark.parametrize(
    "moved", [{"HERMES_DATA_DIR_SUFFIX": "-test"}, {"HERMES_DESKTOP_USER_DATA_DIR": "{}/elsewhere"}]
)
def test_the_folder_of_the_app_may_be_moved(moved: dict[str, str], tmp_path: Path) -> None:
    found = destinations(tmp_path, PROFILE, **{k: v.format(tmp_path) for k, v in moved.items()})
    assert ("desktop.work", "cloud.example", DestinationVerdict.CONTENT) in found


def test_the_variable(tmp_path: Path) -> None:
    found, hazards = desktop_destinations({"HOME": str(tmp_path), "HERMES_DESKTOP_REMOTE_URL": "https://box.example"})
    assert [d.host for d in found] == ["box.example"]
    assert [h.id for h in hazards] == ["desktop-elsewhere"]


@pytest.mark.parametrize("connection", [None, "{", {"mode": "local"}])
def test_the_variable_with_the_token(connection: object, tmp_path: Path) -> None:
    """It is named, never shown, whatever the file of the app says."""
    found = destinations(tmp_path, connection or {}, HERMES_DESKTOP_REMOTE_TOKEN="s3cret")
    assert ("hazard", "desktop-token", "") in found


@pytest.mark.parametrize("mode", ["remote", "cloud", "ssh", "relay", 7])
@pytest.mark.parametrize("address", ["https://box.example", "http://127.0.0.1:9119", "http://localhost:1", "", None])
@pytest.mark.parametrize("profile", [False, True])
def test_no_other_mode_than_local_is_in_order(mode: object, address: str | None, profile: bool, tmp_path: Path) -> None:
    entry = {"mode": mode, "url": address, "host": address}
    found = destinations(tmp_path, {"mode": "local", "profiles": {"work": entry}} if profile else entry)
    verdicts = [verdict for name, _, verdict in found if name != "hazard"]
    assert verdicts
    assert not {*verdicts} - {DestinationVerdict.CONTENT, DestinationVerdict.UNKNOWN}
    assert [f for f in found if f[0] == "hazard"]


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/u"}, ["/u/.config/Hermes"]),
        ("linux", {"HOME": "/u", "XDG_CONFIG_HOME": "/x"}, ["/x/Hermes"]),
        ("linux", {"HOME": "/u", "HERMES_DATA_DIR_SUFFIX": "-a"}, ["/u/.config/Hermes", "/u/.config/Hermes-a"]),
        ("linux", {"HERMES_DESKTOP_USER_DATA_DIR": "/d"}, ["/d"]),
        ("darwin", {"HOME": "/u"}, ["/u/Library/Application Support/Hermes"]),
        ("win32", {"APPDATA": "/a", "USERPROFILE": "/p"}, ["/a/Hermes"]),
        ("win32", {"USERPROFILE": "/p"}, ["/p/AppData/Roaming/Hermes"]),
        ("win32", {}, []),
        ("linux", {}, []),
    ],
)
def test_where_the_app_keeps_its_connection(platform: str, environ: dict[str, str], expected: list[str]) -> None:
    """As `hermes_cli.gui_uninstall.desktop_userdata_dir` of Hermes 0.19.0 has it, which removes that folder."""
    assert [folder.as_posix() for folder in connection_folders(environ, platform)] == expected
