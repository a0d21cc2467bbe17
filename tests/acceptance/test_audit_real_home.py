"""A home in which the real Hermes was set up, chatted, failed, was given another key and made a backup: every copy is found.

What counts as a copy is decided by looking for the raw bytes of the keys in every file, every member of the backup and every
page of the databases.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import seeded
from hermes_runner import environment, run_hermes

from provision.aisa.simulator import Simulator
from provision.audit.finding import RawFinding
from provision.audit.scan import scan
from provision.containers.blob import ContentKind, Unreadable
from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint, new_salt
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey

pytestmark = [pytest.mark.acceptance, pytest.mark.fast_acceptance, pytest.mark.timeout(240)]

WIZARD = """
from hermes_cli.config import load_config
from hermes_cli.model_setup_flows import _model_flow_custom
_model_flow_custom(load_config())
"""


@dataclass(frozen=True)
class Life:
    """A user's folder after some days with Hermes, and the keys that went through it."""

    user: Path
    first: str
    second: str
    pasted: str

    @property
    def home(self) -> Path:
        return self.user / ".hermes"

    @property
    def keys(self) -> tuple[str, ...]:
        return self.first, self.second, self.pasted


def a_key() -> str:
    return "sk-" + "aisa-" + seeded.token_urlsafe(32)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    scratch = tmp_path_factory.mktemp("life")
    environ = environment(scratch, None)
    lived = Life(Path(environ["HOME"]), a_key(), a_key(), a_key())
    lived.home.mkdir(mode=0o700)
    with Simulator([lived.first]) as sim:
        answers = f"{sim.base_url}\n{lived.first}\n2\n1\n\n\n"
        subprocess.run(
            [sys.executable, "-c", WIZARD], input=answers, env={**environ, "HERMES_HOME": str(lived.home)},
            text=True, capture_output=True, check=True, timeout=90,
        )  # fmt: skip
        chat = run_hermes(lived.home, environ, ("chat", "-Q", "-q", f"my key is {lived.pasted}, keep it", "-t", "todo"))
        assert chat.exit_code == 0, chat
        run_hermes(lived.home, environ, ("auth", "add", "custom:other", "--type", "api-key", "--api-key", lived.second))
        sim.revoke(lived.first)
        failed = run_hermes(lived.home, environ)
        assert "401" in failed.stdout, failed
        run_hermes(lived.home, environ, ("config", "set", "AISA_API_KEY", lived.second))
    run_hermes(lived.home, environ, ("backup", "-o", str(lived.user / "all.zip")))
    run_hermes(lived.home, environ, ("backup", "--quick"))
    (lived.user / ".bash_history").write_text(f"ls\nhermes config set AISA_API_KEY {lived.second}\n")
    return lived


def known(life: Life) -> KnownKeys:
    """What a fleet's audit takes along: fingerprints, no key."""
    salt = new_salt()
    keys = {fingerprint(key, salt): KnownKey("ada", fingerprint(key, salt), "current") for key in life.keys}
    return KnownKeys(salt, frozenset(map(shape_of, life.keys)), keys)


def raw_copies(life: Life) -> set[tuple[str, str]]:
    """Every file and every member of a zip that holds the bytes of a key, as (place, key)."""
    found = set()
    for path in life.user.rglob("*"):
        if path.is_file():
            places = {str(path): path.read_bytes()}
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    places |= {f"{path}!{name}": archive.read(name) for name in archive.namelist()}
            found |= {(place, key) for place, data in places.items() for key in life.keys if key.encode() in data}
    return found


def looked_through(life: Life) -> tuple[list[RawFinding], list[Unreadable]]:
    found, unread = [], []
    for item in scan([life.user], Detector(known=known(life))):
        (found if isinstance(item, RawFinding) else unread).append(item)
    return found, unread  # type: ignore[return-value]


def place(finding: RawFinding) -> str:
    member = (finding.place.where or "").partition(": ")[0]
    archived = finding.kind is ContentKind.ARCHIVE or member.startswith("all.zip!")
    return f"{finding.place.path}!{member.partition('!')[2]}" if archived else finding.place.path


def test_every_copy_of_every_key_is_found_and_nothing_else(life: Life) -> None:
    expected = raw_copies(life)
    assert len(expected) >= 13, (
        expected
    )  # config, .env, auth.json, state.db: at home, in snapshot and backup; the history
    found, unread = looked_through(life)
    assert not [u for u in unread if u.failed]
    assert {f.match.known.user if f.match.known else None for f in found} == {"ada"}
    assert {f.match.secret.reveal() for f in found} == set(life.keys)
    assert {(place(f), f.match.secret.reveal()) for f in found} == expected


def test_in_text_every_occurrence_is_found_under_its_name(life: Life) -> None:
    found, _ = looked_through(life)
    for name in ("config.yaml", ".env", "auth.json"):
        path = life.home / name
        there = [f for f in found if f.place.path == str(path)]
        assert len(there) == sum(path.read_bytes().count(key.encode()) for key in life.keys)
        for finding in there:
            line = path.read_bytes().split(b"\n")[(finding.place.line or 0) - 1]
            assert line[(finding.place.column or 0) - 1 :].startswith(finding.match.secret.reveal().encode())
    where = {(Path(f.place.path).name, f.place.where) for f in found if Path(f.place.path).parent == life.home}
    assert {("config.yaml", "model.api_key"), (".env", "AISA_API_KEY")} <= where
    assert ("auth.json", 'credential_pool."custom:other"[0].access_token') in where
    assert any(name == "config.yaml" and str(at).startswith(("custom_providers", "providers")) for name, at in where)
    rows = [at for name, at in where if name == "state.db"]
    assert any(str(row).startswith("messages:row ") and str(row).endswith(", content") for row in rows), rows


def test_nothing_was_written(life: Life) -> None:
    def state() -> dict[Path, tuple[int, int, int]]:
        found = {path: path.lstat() for path in life.user.rglob("*")}
        return {path: (status.st_mtime_ns, status.st_size, status.st_ino) for path, status in found.items()}

    before = state()
    looked_through(life)
    assert state() == before


def test_the_history_of_the_owner_belongs_to_the_home(life: Life) -> None:
    found = [f for f in scan([life.home], Detector()) if isinstance(f, RawFinding)]
    beside = {f.place.path for f in found} - {
        f.place.path for f in found if Path(f.place.path).is_relative_to(life.home)
    }
    assert beside == {str(life.user / ".bash_history")}
