"""What the real Hermes prints and packs, redacted: of homes that its own wizard made, with keys in every place it keeps them."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hermes_runner import HERMES, environment, run_hermes
from recording_gateway import Gateway
from redactcraft import aisa_key, known, opaque, pieces_left

pytestmark = pytest.mark.acceptance

WIZARD = """
from hermes_cli.config import load_config
from hermes_cli.model_setup_flows import _model_flow_custom
_model_flow_custom(load_config())
"""


@dataclass(frozen=True, slots=True)
class Lived:
    """A home that was set up by the wizard and used: one key in its config, another in its `.env`, pool and a conversation."""

    home: Path
    folder: Path
    environ: dict[str, str]
    keys: tuple[str, str]
    known: Path


@pytest.fixture(scope="module", params=["gateway keys", "keys without a shape"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with Gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield _lived(tmp_path_factory.mktemp("lived"), gateway, shaped=request.param == "gateway keys")


def _lived(tmp_path: Path, gateway: Gateway, *, shaped: bool) -> Lived:
    keys = (aisa_key("config"), aisa_key("env")) if shaped else (opaque("config", 48), opaque("env", 48))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    environ = environment(tmp_path, gateway)
    answers = f"https://api.aisa.one/v1\n{keys[0]}\n2\ngpt-4o\n\n\n"
    subprocess.run(
        [sys.executable, "-c", WIZARD], input=answers, env={**environ, "HERMES_HOME": str(home)},
        text=True, capture_output=True, check=True, timeout=90,
    )  # fmt: skip
    assert (home / "config.yaml").read_text().count(keys[0]) == 2
    run_hermes(home, environ, ("config", "set", "AISA_API_KEY", keys[1]))
    run_hermes(home, environ, ("auth", "add", "custom:aisa", "--type", "api-key", "--api-key", keys[1]))
    run_hermes(home, environ, ("-z", f"my key is {keys[1]} is it good?", "-t", "todo"))
    (tmp_path / "known.json").write_bytes(known(*keys).dump())
    return Lived(home, tmp_path, environ, keys, tmp_path / "known.json")


def _redact(lived: Lived, *args: str | Path) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "provision", "redact", "--known", lived.known, *args],
        env={**lived.environ, "HERMES_HOME": str(lived.home)},
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done


def test_what_hermes_prints_comes_out_clean(lived: Lived) -> None:
    raw_seen = 0
    for command in (
        ("config", "get", "AISA_API_KEY"),
        ("config", "get", "model.api_key"),
        ("config", "show"),
        ("dump", "--show-keys"),
        ("debug", "share", "--local"),
    ):
        raw = run_hermes(lived.home, lived.environ, command).stdout
        raw_seen += any(key in raw for key in lived.keys)
        shown = _redact(lived, "--exec", "--", HERMES, *command).stdout
        assert shown.strip(), command
        for key in lived.keys:
            assert not pieces_left(key, shown), command
    assert raw_seen >= 2, "Hermes prints no key any more: what is this test for?"


def test_the_files_of_a_home_come_out_clean(lived: Lived) -> None:
    out = lived.folder / "out"
    names = ["config.yaml", ".env", "auth.json", "state.db"]
    dirty = sum(key.encode() in (lived.home / name).read_bytes() for key in lived.keys for name in names)
    assert dirty >= 4
    _redact(lived, *(lived.home / name for name in names), "-o", out)
    for name in names:
        for key in lived.keys:
            assert not pieces_left(key.lower(), (out / name).read_bytes().lower()), name
    assert sqlite3.connect(out / "state.db").execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert "base_url: https://api.aisa.one/v1" in (out / "config.yaml").read_text()


def test_a_backup_comes_out_clean_and_can_be_opened(lived: Lived) -> None:
    backup, safe = lived.folder / "backup.zip", lived.folder / "safe.zip"
    run_hermes(lived.home, lived.environ, ("backup", "-o", str(backup)))
    with zipfile.ZipFile(backup) as before:
        dirty = [n for n in before.namelist() if any(key.encode() in before.read(n) for key in lived.keys)]
        assert {"config.yaml", ".env"} <= {Path(name).name for name in dirty}
    _redact(lived, backup, "-o", safe)
    with zipfile.ZipFile(backup) as before, zipfile.ZipFile(safe) as after:
        assert after.namelist() == before.namelist()
        for name in after.namelist():
            for key in lived.keys:
                assert not pieces_left(key.lower(), after.read(name).lower()), name
    bundle = io.BytesIO()
    with tarfile.open(fileobj=bundle, mode="w:gz") as support:
        support.add(backup, "hermes/backup.zip")
        support.add(lived.home / "logs", "hermes/logs")
    (lived.folder / "support.tar.gz").write_bytes(bundle.getvalue())
    _redact(lived, lived.folder / "support.tar.gz", "-o", lived.folder / "safe.tar.gz")
    with tarfile.open(lived.folder / "safe.tar.gz") as support:
        inner = support.extractfile("hermes/backup.zip")
        assert inner is not None
        with zipfile.ZipFile(io.BytesIO(inner.read())) as after:
            for name in after.namelist():
                for key in lived.keys:
                    assert not pieces_left(key.lower(), after.read(name).lower()), name
