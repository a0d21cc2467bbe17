"""Where the Desktop app works, by its connection.json and its variable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.endpoint.desktop import connection_file, desktop_destinations
from provision.hermes.routing.destination import DestinationVerdict


def destinations(tmp_path: Path, connection: object, **environ: str) -> list[tuple[str, str, str]]:
    environ = {"HOME": str(tmp_path), **environ}
    path = connection_file(environ, "linux")
    assert path
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
        ("linux", {"HOME": "/u"}, "/u/.config/Hermes/connection.json"),
        ("linux", {"HOME": "/u", "XDG_CONFIG_HOME": "/x"}, "/x/Hermes/connection.json"),
        ("darwin", {"HOME": "/u"}, "/u/Library/Application Support/Hermes/connection.json"),
        ("win32", {"APPDATA": "/a", "USERPROFILE": "/p"}, "/a/Hermes/connection.json"),
        ("win32", {"USERPROFILE": "/p"}, "/p/AppData/Roaming/Hermes/connection.json"),
        ("win32", {}, None),
        ("linux", {}, None),
    ],
)
def test_where_the_app_keeps_its_connection(platform: str, environ: dict[str, str], expected: str | None) -> None:
    """As `hermes_cli.gui_uninstall.desktop_userdata_dir` of Hermes 0.19.0 has it, which removes that folder."""
    found = connection_file(environ, platform)
    assert (found.as_posix() if found else None) == expected
