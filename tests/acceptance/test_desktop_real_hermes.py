"""What the Desktop app's settings pages write, through the real backend of the app: reported, and healed by an install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hermes_forks import hermes_forks
from hermes_runner import environment
from home_cases import K1, K2
from installed_home import EnrolledHome
from recording_gateway import Gateway
from side_cases import TEAM, SideCase

FOREIGN = "https://x.example/v1"
WRITES: dict[str, tuple[str, dict[str, object]]] = {
    "model-switch": ("/api/model/set", {"scope": "main", "provider": "custom:aisa", "model": "other-model"}),
    "provider-switch": ("/api/model/set", {"scope": "main", "provider": "openrouter", "model": "vendor/model"}),
    "custom-endpoint": (
        "/api/providers/custom-endpoints",
        {"name": "mine", "base_url": FOREIGN, "model": "m", "api_key": K2, "make_default": True},
    ),
    "endpoint-with-our-key": (
        "/api/providers/custom-endpoints",
        {"name": "mine", "base_url": FOREIGN, "model": "m", "api_key": K1},
    ),
    "main-endpoint": (
        "/api/model/set",
        {"scope": "main", "provider": "custom", "model": "m", "base_url": FOREIGN, "api_key": K2},
    ),
    "all-tasks": ("/api/model/set", {"scope": "auxiliary", "provider": "openrouter", "model": "vendor/model"}),
    "one-task": (
        "/api/model/set",
        {"scope": "auxiliary", "task": "compression", "provider": "openrouter", "model": "vendor/model"},
    ),
    "tasks-reset": ("/api/model/set", {"scope": "auxiliary", "provider": "auto", "model": "", "task": "__reset__"}),
}


class DesktopUser:
    """An enrolled user with an own OpenRouter key, who uses the Desktop app."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self._folder, self._gateway = folder, gateway
        SideCase("desktop", [], env="OPENROUTER_API_KEY=K2").write(folder / "home")
        self.home = EnrolledHome(folder)
        self.home.install()
        assert self.home.status()["state"] == "ok"

    def act(self, *what: str) -> str:
        """Make Hermes do it, and return what is printed."""
        log = self._folder / "log"
        log.unlink(missing_ok=True)
        environ = environment(self._folder, self._gateway)
        forks = hermes_forks("side_driver.py")
        assert forks.run(self.home.path, environ, what, stdout=log, stderr=log, timeout_s=60) != "timeout"
        return log.read_text(errors="replace")

    def saves(self, path: str, body: dict[str, object]) -> None:
        """Save a page of the app's settings."""
        printed = self.act("desktop", "POST", path, json.dumps({**body, "confirm_expensive_model": True}))
        assert "\n200 " in f"\n{printed}", printed


USUAL = {"model-switch", "custom-endpoint", "all-tasks"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.acceptance if n in USUAL else pytest.mark.deep_acceptance) for n in WRITES],
)
def test_what_desktop_writes_is_reported_and_healed(name: str, tmp_path: Path, gateway: Gateway) -> None:
    user = DesktopUser(tmp_path, gateway)
    user.saves(*WRITES[name])
    reported = user.home.status()
    assert reported["state"] == "problem", reported
    assert reported["drift"] or [r for r in reported["routes"] if r["verdict"] != "stays"]

    user.home.install()
    healed = user.home.status()
    assert healed["state"] == "ok", healed
    assert not healed["drift"]
    user.act("chat")
    gateway.statuses[TEAM] = 402
    user.act("aux", "compression")
    asked = [s for s in gateway.inference if s.host != TEAM]
    assert [s for s in gateway.inference if s.host == TEAM]
    assert not asked, [s.url for s in asked]
