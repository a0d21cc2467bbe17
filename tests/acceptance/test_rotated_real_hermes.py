"""A rotation as one machine sees it, with the real Hermes: a live key before, during and after; no copy of the old one in use.

The old and the new key both live while bundles travel; then the old one is revoked (the gateway answers 401 to it) and the
real program must still be served, on the main route, through every kind of copy, and in Hermes profiles. A Hermes that was
started before the change is named, and is seen to send the old key.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from bundlecraft import Shop, fresh_key, write_bundle
from hermes_runner import HERMES, ONE_SHOT, environment, run_hermes
from test_install_real_hermes import Scene, command, install, shop_for

from provision.fleet.desired import ApiMode, SecretDelivery

pytestmark = pytest.mark.acceptance

GATEWAY = "https://api.aisa.one/v1"


@pytest.fixture
def scene(tmp_path: Path, gateway: object) -> Scene:
    return Scene(tmp_path, gateway, "")  # type: ignore[arg-type]


@pytest.fixture
def shop(scene: Scene) -> Shop:
    shop = shop_for(ApiMode.CHAT_COMPLETIONS, SecretDelivery.FILE)
    install(scene, shop)
    return shop


def rotate(scene: Scene, shop: Shop) -> subprocess.CompletedProcess[str]:
    shop.keys["ada"] = fresh_key("ada")
    shop.now = datetime.now(UTC)
    bundle = write_bundle(shop.bundle("ada", generation=2**40), scene.folder / "rotated")
    done = command(scene, "install", bundle, "--home", scene.home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def served_with(scene: Scene, *args: str) -> set[str | None]:
    """The keys with which Hermes asked a model, and was answered."""
    scene.gateway.forget()
    run = run_hermes(scene.home, environment(scene.folder, scene.gateway), [*args, *ONE_SHOT])
    assert "pong" in run.stdout, str(run)
    return {seen.key for seen in scene.gateway.inference}


def test_requests_succeed_before_and_after_a_rotation(scene: Scene, shop: Shop) -> None:
    old = shop.keys["ada"].reveal()
    assert served_with(scene) == {old}
    rotate(scene, shop)
    new = shop.keys["ada"].reveal()
    scene.gateway.refused = {old}
    assert served_with(scene) == {new}, "the old one is revoked"


def test_no_copy_of_the_old_key_is_sent_after_the_rotation(scene: Scene, shop: Shop) -> None:
    old = shop.keys["ada"].reveal()
    config = yaml.safe_load((scene.home / "config.yaml").read_text())
    config["providers"]["second"] = {"base_url": GATEWAY, "api_key": old}
    config["delegation"] = {"provider": "custom:aisa", "model": "m", "api_key": old}
    config["fallback_model"] = {"provider": "custom", "model": "spare", "base_url": GATEWAY, "api_key": old}
    scene.write("config.yaml", config)
    blue = {"model": {"provider": "custom", "default": "blue-model", "base_url": GATEWAY, "api_key": old}}
    scene.write("profiles/blue/config.yaml", blue)
    scene.write("profiles/blue/.env", "MINE=1\n")
    red = {
        "model": {"provider": "custom:aisa", "default": "red-model"},
        "providers": {"aisa": {"base_url": GATEWAY, "key_env": "AISA_API_KEY"}},
    }
    scene.write("profiles/red/config.yaml", red)
    scene.write("profiles/red/.env", f"AISA_API_KEY={old}\n")
    entry = {"id": "a1", "label": "k", "auth_type": "api_key", "priority": 0, "source": "manual", "access_token": old}
    pool = {"version": 1, "credential_pool": {"custom:aisa": [{**entry, "base_url": GATEWAY}]}}
    scene.write("profiles/red/auth.json", pool)
    assert served_with(scene, "-p", "red") == {old}, "the copies are in use"

    said = rotate(scene, shop).stdout
    new = shop.keys["ada"].reveal()
    scene.gateway.refused = {old}
    assert served_with(scene, "-m", "other", "--provider", "custom:second") == {new}
    assert served_with(scene, "-p", "blue") == {new}
    assert served_with(scene, "-p", "red") == {new}
    for place in ("config.yaml: providers.second.api_key", "profiles/blue/config.yaml: model.api_key"):
        assert place in said
    left = [p for p in scene.home.rglob("*") if p.is_file() and old.encode() in p.read_bytes()]
    assert left == []


def test_the_fallback_keeps_working_when_the_main_route_does_not(scene: Scene, shop: Shop) -> None:
    old = shop.keys["ada"].reveal()
    config = yaml.safe_load((scene.home / "config.yaml").read_text())
    config["fallback_model"] = {"provider": "custom", "model": "spare", "base_url": GATEWAY, "api_key": old}
    scene.write("config.yaml", config)
    rotate(scene, shop)
    config = yaml.safe_load((scene.home / "config.yaml").read_text())
    config["providers"]["aisa"]["base_url"] = "http://127.0.0.1:9/v1"
    scene.write("config.yaml", config)
    scene.gateway.refused = {old}
    assert served_with(scene) == {shop.keys["ada"].reveal()}
    assert {seen.model for seen in scene.gateway.inference} == {"spare"}


@contextmanager
def chat(scene: Scene) -> Iterator[tuple[int, Callable[[str], None]]]:
    """The real `hermes chat` on a terminal of its own: its pid, and a way to type."""
    environ = environment(scene.folder, scene.gateway) | {"HERMES_HOME": str(scene.home), "TERM": "xterm"}
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [str(HERMES), "chat", "-t", "todo"],
        env=environ,
        cwd=environ["HOME"],
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    )
    os.close(child)

    last = bytearray()

    def read(until: Callable[[], bool], timeout_s: float) -> str:
        seen, deadline = b"", time.monotonic() + timeout_s
        while time.monotonic() < deadline and not until():
            if select.select([parent], [], [], 0.2)[0]:
                try:
                    piece = os.read(parent, 1 << 16)
                except OSError:
                    break
                seen += piece
                last[:] = piece
                if b"\x1b[6n" in piece:  # a terminal says where its cursor is
                    os.write(parent, b"\x1b[1;1R")
        return seen.decode("utf-8", "replace")

    def say(text: str) -> None:
        scene.gateway.forget()
        os.write(parent, text.encode() + b"\r")
        shown = read(lambda: bool(scene.gateway.inference), 40)
        assert scene.gateway.inference, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)[-2000:]
        read(lambda: False, 2)

    try:
        read(lambda: b"\xe2\x9d\xaf" in last, 30)  # its prompt
        read(lambda: False, 2)
        yield process.pid, say
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(parent)


def test_a_running_hermes_that_holds_the_old_key_is_named(scene: Scene, shop: Shop) -> None:
    old = shop.keys["ada"].reveal()
    with chat(scene) as (pid, say):
        say("hello")
        assert {seen.key for seen in scene.gateway.inference} == {old}
        time.sleep(1.2)
        done = rotate(scene, shop)
        assert f"(pid {pid}): it started before the current key was installed and holds the previous one" in done.stdout
        say("are you still there")
        assert {seen.key for seen in scene.gateway.inference} == {old}, "which is why it must be restarted"
        status = command(scene, "status", "--home", scene.home)
        assert f"(pid {pid})" in status.stdout
        again = command(scene, "install", scene.folder / "rotated", "--home", scene.home, "--format", "json")
        assert {"pid": pid, "what": "hermes chat", "holds_old_key": True} in json.loads(again.stdout)["restart"]
