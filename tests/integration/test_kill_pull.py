"""A pull that is killed at any instant: the next one ends where it would have ended, and nothing is a mixture."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bundlecraft import NOW, Shop
from feedcraft import Publisher, Puller, served

from provision.endpoint.status import home_status
from provision.feed.state import read_state

DRIVER = """
import json, sys
from datetime import datetime
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from provision.endpoint.install import InstallRequest, install_bundle
from provision.signing.allowed_signers import parse_allowed_signers
from provision.endpoint.apply import DiskWriter
from provision.feed.index import parse_subscription
from provision.feed.pull import PullEnvironment, pull_once
from provision.feed.http import http_get
from provision.fleet.desired import Platform
from provision.keys.age import load_identities
told = json.loads(sys.argv[2])
folder, now = Path(told["folder"]), datetime.fromisoformat(told["now"])
signers = parse_allowed_signers(told["signers"])
def put(files):
    request = InstallRequest(signers, load_identities(folder / "identity.txt"), Platform.LINUX, home=folder / ".hermes")
    return install_bundle(files, request, DiskWriter(folder), environ={"HOME": str(folder)}, now=now)
def fetch(url, limit, deadline, validators):
    return http_get(url, limit, deadline, validators=validators)
print("ready", flush=True)
pull_once(parse_subscription(told["address"]), folder / "config", put, signers=signers,
     world=PullEnvironment(fetch, lambda a, b: a, lambda s: None), now=now)
print("done", flush=True)
"""


def test_killed_at_any_instant(tmp_path: Path) -> None:
    shop = Shop(users=("ada",), now=NOW)
    publisher = Publisher(tmp_path / "operator", shop)
    killed = 0
    with served(publisher.tree) as server:
        ada = Puller(tmp_path / "ada", shop, "ada", server.url)
        for turn in range(8):
            shop.now = NOW.replace(day=2 + turn)
            publisher.render(force=True)
            publisher.publish()
            told = {
                "folder": str(ada.folder),
                "now": shop.now.isoformat(),
                "signers": shop.allowed_signers,
                "address": str(ada.subscription),
            }
            before = ada.tree()
            process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, json.dumps(sys.path), json.dumps(told)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.03 * turn)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += "done" not in process.stdout.read()
            process.stdout.close()
            state = read_state(ada.config)
            assert (ada.config / "pull.json").exists() == (state is not None), "the memory is whole or absent"
            if before:
                assert (ada.home / "config.yaml").exists()
            ada.pull()
            found = home_status(ada.home, signers=shop.signers, environ=ada.environ, now=shop.now)
            assert found.ok, found
            assert found.installed is not None
            assert found.installed.manifest.generation == int(shop.now.timestamp())
            assert not list(ada.folder.rglob("*.provision-new"))
    assert killed, "at least one was killed in the middle"
