"""`revoke_command`: a rotation that closes without a console, proved by the gateway's 401 and by nothing else."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rotatecraft import Fleet

from provision.aisa import retry
from provision.aisa.simulator import Simulator

MASTER = "sk-master-0123456789"
PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "README.md").read_text("utf-8")
SCRIPT = re.search(r"```sh\n(#!/bin/sh\n# litellm-revoke.*?)```", PAGE, re.DOTALL)
GO = ("--yes", "--idle-for", "0", "--waves", "100%")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.01, 0.01))


class KeyApi:
    """A stub of LiteLLM's `POST /key/delete`: revokes at the simulated gateway; `broken` answers 500, `idle` does nothing."""

    def __init__(self, sim: Simulator) -> None:
        self.deleted: list[str] = []
        self.mode = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                good = self.path == "/key/delete" and self.headers["Authorization"] == f"Bearer {MASTER}"
                if good and not outer.mode:
                    for key in body["keys"]:
                        outer.deleted.append(key)
                        sim.revoke(key)
                self.send_response(200 if good and outer.mode != "broken" else 500)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def api(sim: Simulator) -> Iterator[KeyApi]:
    made = KeyApi(sim)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator, api: KeyApi, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Two users; the operator's revoke_command is the script of the docs, which keeps its arguments."""
    found = Fleet(tmp_path, sim, ["ada", "bob"])
    assert SCRIPT is not None
    script = tmp_path / "litellm-revoke"
    script.write_text(SCRIPT[1].replace("\nread", f'\necho "$@" >> {tmp_path}/argv\nread'))
    script.chmod(0o755)
    monkeypatch.setenv("LITELLM_URL", api.url)
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    settings = found.root / "provision.toml"
    settings.write_text(f'revoke_command = ["{script}", "{{user}}", "{{label}}"]\n' + settings.read_text())
    return found


def resume(fleet: Fleet, *more: str) -> int:
    return fleet.provision("rotate", "resume", "--receipts", str(fleet.drop), *more)


def rotated(fleet: Fleet) -> None:
    """A rotation whose new keys are installed everywhere."""
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), *GO) == 0
    fleet.poll()
    assert resume(fleet) == 0
    assert set(fleet.states().values()) == {"current"}


@pytest.mark.programs("curl")
def test_a_rotation_closes_by_itself(fleet: Fleet, api: KeyApi) -> None:
    assert fleet.provision("operators", "approve", "--yes") == 0
    old = set(fleet.keys.values())
    rotated(fleet)
    assert api.deleted == [], "nothing is revoked before its successor is proved"
    assert resume(fleet, "--dry-run") == 0
    assert api.deleted == [], "a dry run revokes nothing"
    assert resume(fleet) == 0
    assert set(api.deleted) == old
    assert set(fleet.states().values()) == {"retired"}
    fleet.nobody_without_a_key()
    assert fleet.provision("rotate", "finish") == 0
    log = [
        json.loads(line)["what"] for line in (fleet.root / "events.jsonl").read_text().splitlines() if '"what"' in line
    ]
    assert log.count("revoked by revoke_command") == log.count("old key proved dead") == 2
    arguments = (fleet.folder / "argv").read_text()
    assert sorted(arguments.splitlines()) == ["ada ada-laptop", "bob bob-laptop"]
    assert not [key for key in (*old, *api.deleted) if key in arguments]


@pytest.mark.programs("curl")
def test_a_leaked_key_is_revoked_at_once(fleet: Fleet, api: KeyApi) -> None:
    assert fleet.provision("operators", "approve", "--yes") == 0
    assert fleet.provision("rotate", "leaked", "ada", "--dry-run") == 10
    assert api.deleted == []
    assert fleet.provision("rotate", "leaked", "ada") == 10
    assert api.deleted == [fleet.keys["ada"]]
    assert fleet.states()["ada"] == "without a key", "proved dead; a new key is still to come"


@pytest.mark.programs("curl")
@pytest.mark.parametrize(("mode", "cause", "code"), [("broken", "revoke-failed", 4), ("idle", "revoke-unproved", 0)])
def test_only_the_gateways_401_is_a_proof(fleet: Fleet, api: KeyApi, mode: str, cause: str, code: int) -> None:
    assert fleet.provision("operators", "approve", "--yes") == 0
    rotated(fleet)
    api.mode = mode
    assert resume(fleet) == code
    assert set(fleet.states().values()) == {"to revoke"}
    assert fleet.trouble("ada")["cause"] == cause
    assert len(fleet.listed()) == 2, "the list for the console stays"
    assert not [key for key in fleet.keys.values() if key in fleet.out]
    api.mode = ""
    assert resume(fleet) == 0
    assert set(fleet.states().values()) == {"retired"}


def test_a_command_from_git_is_not_run(fleet: Fleet, api: KeyApi) -> None:
    rotated(fleet)
    assert resume(fleet) == 0
    assert set(fleet.states().values()) == {"to revoke"}
    assert not (fleet.folder / "argv").exists()
    assert api.deleted == []
    assert os.environ["LITELLM_MASTER_KEY"] not in fleet.out
