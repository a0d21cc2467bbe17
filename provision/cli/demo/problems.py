"""Validate a second inventory, in which every user has a different problem."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.aisa.catalogue import builtin
from provision.aisa.simulator import Reply
from provision.cli.demo.stage import OPERATOR, DemoFailedError, DemoStage
from provision.keys.vault.file import read_vault

if TYPE_CHECKING:
    from provision.aisa.simulator import Simulator

MEDIA_IN_DISGUISE = "studio-preview-1"
"""A model id that no table has; only the gateway's own list says that it makes pictures."""


@dataclass(frozen=True, slots=True)
class DemoProblem:
    """A user, the expected verdict, the key (empty: none), its state at the gateway, and overrides of the team profile."""

    user: str
    verdict: str
    state: str = "valid"
    overrides: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: f"sk-aisa-{secrets.token_urlsafe(32)}", repr=False)


def demo_problems(url: str) -> tuple[DemoProblem, ...]:
    """One user per verdict of `validate`, except `ok`."""
    return (
        DemoProblem("new-colleague", "no_key", key=""),
        DemoProblem("revoked-in-june", "key_invalid", "revoked"),
        DemoProblem("no-money", "unfunded", "unfunded"),
        DemoProblem("cap-reached", "budget_exhausted", "key_budget"),
        DemoProblem("not-on-the-list", "not_permitted", limits={"models": ["gpt-5.4-mini"]}),
        DemoProblem("old-model", "model_not_found", overrides={"model": "gpt-5"}),
        DemoProblem("picture-model", "model_unsuitable", overrides={"model": MEDIA_IN_DISGUISE}),
        DemoProblem("messages-only", "wrong_api_mode", overrides={"model": "claude-opus-5-5"}),
        DemoProblem("wrong-path", "base_url_wrong", overrides={"base_url": f"{url}/portal/v1"}),
        DemoProblem("too-fast", "rate_limited", "rate_limited"),
        DemoProblem("bad-gateway", "upstream_error", overrides={"model": "kimi-k3"}),
        DemoProblem("no-server", "unreachable", overrides={"base_url": "http://127.0.0.1:9/v1"}),
        DemoProblem("overloaded", "unknown", overrides={"model": "glm-5.3"}),
    )


def validate_problems(stage: DemoStage, sim: Simulator) -> None:
    """Set up the problems in the gateway and an inventory, validate, and compare every verdict with the expected one."""
    users = demo_problems(sim.url)
    _set_up(sim, users)
    recipient = read_vault(stage.workspace / "keys.vault").operators[0]
    inventory = stage.workspace / "problems.yaml"
    entries = [
        {"id": p.user, "profile": "engineering", "recipients": [recipient], "overrides": p.overrides} for p in users
    ]
    inventory.write_text(json.dumps({"users": entries}, indent=2))
    stage.act("a fleet in which every user has a different problem: verdicts and advice")
    rows = "".join(f"{p.user},{p.key}\n" for p in users if p.key)
    swap = {"PROVISION_INVENTORY": str(inventory)}
    stage.run(OPERATOR, "keys", "import", "-", stdin="user,key\n" + rows, show=False, environ=swap)
    ask = ("validate", "--probe", "key,models,chat", "--yes")
    stage.run(OPERATOR, *ask, expect=10, environ=swap)
    report = json.loads(stage.run(OPERATOR, *ask, "--format", "json", expect=10, show=False, environ=swap))
    found = {user["user"]: user["verdict"] for user in report["users"]}
    if wrong := [
        f"{p.user}: {found.get(p.user)}, expected {p.verdict}" for p in users if found.get(p.user) != p.verdict
    ]:
        raise DemoFailedError(f"unexpected verdicts: {'; '.join(wrong)}")
    sim.clear_faults()


def _set_up(sim: Simulator, users: tuple[DemoProblem, ...]) -> None:
    for user in users:
        if user.key:
            sim.add_key(user.key, user.state, **user.limits)
    sim.remove_model("gpt-5")
    sim.fault("kimi-k3", "bad_gateway")
    overloaded = Reply(503, b'{"error": {"code": "authentication_unavailable"}}')
    sim.script(overloaded, path="/v1/chat/completions", model="glm-5.3")
    listed: list[dict[str, Any]] = [{"id": m.id, "object": "model"} for m in builtin().models.values() if m.current]
    listed.append({"id": MEDIA_IN_DISGUISE, "object": "model", "supported_endpoint_types": ["image_generation"]})
    sim.script(Reply(200, json.dumps({"object": "list", "data": listed}).encode()), path="/v1/models")
