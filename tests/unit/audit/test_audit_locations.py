"""What kind of location a secret is in, and whether it belongs there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from leakcraft import known_key, match, raw
from sourcescraft import a_key

from provision.audit.locations import (
    AuditedHome,
    LocationKind,
    MachineLayout,
    is_in_place,
    location_kind,
    machine_layout,
)
from provision.containers.blob import ContentKind
from provision.fleet.desired import SecretDelivery

HOME = Path("/home/ada/.hermes")
LAYOUT = machine_layout(
    [AuditedHome(HOME), AuditedHome(HOME / "profiles" / "work"), AuditedHome(HOME)], Path("/home/ada/.config/p")
)
TEXT, SQLITE, ARCHIVE = ContentKind.TEXT, ContentKind.SQLITE, ContentKind.ARCHIVE


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        (f"{HOME}/.env", TEXT, LocationKind.ENV),
        (f"{HOME}/profiles/work/.env", TEXT, LocationKind.ENV),
        (f"{HOME}/sub/.env", TEXT, LocationKind.FILE),
        (f"{HOME}/config.yaml", TEXT, LocationKind.CONFIG),
        (f"{HOME}/config.yaml.bak.1", TEXT, LocationKind.BACKUP),
        (f"{HOME}/auth.json", TEXT, LocationKind.POOL),
        (f"{HOME}/state.db", SQLITE, LocationKind.DATABASE),
        (f"{HOME}/state-snapshots/1/state.db", SQLITE, LocationKind.BACKUP),
        (f"{HOME}/logs/agent.log", TEXT, LocationKind.LOG),
        (f"{HOME}/sessions/1.json", TEXT, LocationKind.SESSION),
        (f"{HOME}/.hermes_history", TEXT, LocationKind.CHAT),
        (f"{HOME}/notes.md", TEXT, LocationKind.FILE),
        ("/home/ada/.bash_history", TEXT, LocationKind.HISTORY),
        ("/home/ada/.config/p/identity.txt", TEXT, LocationKind.IDENTITY),
        ("/home/ada/.ssh/id_ed25519", TEXT, LocationKind.IDENTITY),
        ("/home/ada/.ssh/id_ed25519.pub", TEXT, LocationKind.FILE),
        ("/etc/hermes/.env", TEXT, LocationKind.ENV),
        ("/home/ada/.claude.json", TEXT, LocationKind.PROGRAM),
        ("/home/ada/.config/systemd/user/x.service", TEXT, LocationKind.SERVICE),
        ("/srv/all.zip", ARCHIVE, LocationKind.BACKUP),
        ("/srv/x.db", SQLITE, LocationKind.DATABASE),
        ("/var/log/syslog", TEXT, LocationKind.LOG),
        (f"{HOME}/.env", ContentKind.GIT, LocationKind.GIT),
        ("<stdin>", ContentKind.STREAM, LocationKind.STREAM),
    ],
)
def test_kinds(path: str, kind: ContentKind, expected: LocationKind) -> None:
    assert location_kind(raw(path, match("x"), kind=kind), LAYOUT) is expected


def test_the_innermost_home_counts() -> None:
    assert len(LAYOUT.homes) == 2
    home, inside = LAYOUT.home_of(f"{HOME}/profiles/work/.env") or (None, "")
    assert home is not None
    assert (home.path, inside) == (HOME / "profiles" / "work", ".env")
    assert LAYOUT.home_of(f"{HOME}-other/.env") is None


def env_with(tmp_path: Path, delivery: SecretDelivery | None) -> tuple[str, MachineLayout]:
    env = tmp_path / ".env"
    env.touch(0o600)
    manifest = SimpleNamespace(user="ada", secret_delivery=delivery, key_env="AISA_API_KEY") if delivery else None
    return str(env), MachineLayout((AuditedHome(tmp_path, manifest),))  # type: ignore[arg-type]


def test_a_key_in_its_own_env_is_in_place(tmp_path: Path) -> None:
    path, layout = env_with(tmp_path, SecretDelivery.FILE)

    def fits(**fields: object) -> bool:
        return is_in_place(raw(path, match("x", key="AISA_API_KEY", **fields)), LocationKind.ENV, layout)

    assert fits()
    assert fits(known=known_key("ada"))
    assert not fits(known=known_key("bob"))
    assert not fits(known=known_key("ada", "previous"))
    Path(path).chmod(0o644)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o011 == 0:
            break  # no other user can reach the file: its mode does not matter here
    else:
        assert not fits()


def test_a_key_that_is_delivered_in_memory_is_not_in_place_on_disk(tmp_path: Path) -> None:
    path, layout = env_with(tmp_path, SecretDelivery.RUN)
    assert not is_in_place(raw(path, match("x", key="AISA_API_KEY")), LocationKind.ENV, layout)
    assert is_in_place(raw(path, match("x", key="OTHER_KEY")), LocationKind.ENV, layout)


def test_the_pool_may_hold_tokens_but_no_key_of_the_gateway(tmp_path: Path) -> None:
    path, layout = env_with(tmp_path, None)
    assert is_in_place(raw(path, match("an-oauth-token")), LocationKind.POOL, layout)
    assert not is_in_place(raw(path, match(a_key())), LocationKind.POOL, layout)
    assert not is_in_place(raw(path, match("an-oauth-token")), LocationKind.LOG, layout)
