"""A second inventory in which everybody has a different problem: what `validate` says, and what it advises."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.aisa.catalogue import builtin
from provision.aisa.simulator import Reply
from provision.cli.demo.stage import OPERATOR, DemoFailedError, DemoStage

if TYPE_CHECKING:
    from provision.aisa.simulator import Simulator

MEDIA_IN_DISGUISE = "studio-preview-1"
"""An id no table knows; only the gateway's own list says that it makes pictures."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A user, what the gateway makes of the key, and what differs from the engineering profile."""

    user: str
    verdict: str
    state: str = "valid"
    overrides: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: f"sk-aisa-{secrets.token_urlsafe(32)}", repr=False)


def troubles(url: str) -> tuple[Trouble, ...]:
    """Every verdict that `validate` knows but `ok`."""
    return (
        Trouble("revoked-in-june", "key_invalid", "revoked"),
        Trouble("no-money", "unfunded", "unfunded"),
        Trouble("cap-reached", "budget_exhausted", "key_budget"),
        Trouble("not-on-the-list", "not_permitted", limits={"models": ["gpt-5.4-mini"]}),
        Trouble("old-model", "model_not_found", overrides={"model": "gpt-5"}),
        Trouble("picture-model", "model_unsuitable", overrides={"model": MEDIA_IN_DISGUISE}),
        Trouble("messages-only", "wrong_api_mode", overrides={"model": "claude-opus-5-5"}),
        Trouble("wrong-path", "base_url_wrong", overrides={"base_url": f"{url}/portal/v1"}),
        Trouble("too-fast", "rate_limited", "rate_limited"),
        Trouble("bad-gateway", "upstream_error", overrides={"model": "kimi-k3"}),
        Trouble("nobody-home", "unreachable", overrides={"base_url": "http://127.0.0.1:9/v1"}),
        Trouble("cannot-tell", "unknown", overrides={"model": "glm-5.3"}),
    )


def play(stage: DemoStage, sim: Simulator) -> None:
    """Put the troubles into the gateway and an inventory, validate, and compare every verdict with what was planted."""
    people = troubles(sim.url)
    _plant(sim, people)
    recipient = (stage.workspace / "provision.toml").read_text().split('operators = ["')[1].split('"')[0]
    inventory = stage.workspace / "troubles.yaml"
    users = [
        {"id": p.user, "profile": "engineering", "recipients": [recipient], "overrides": p.overrides} for p in people
    ]
    inventory.write_text(json.dumps({"users": users}, indent=2))
    stage.act("a fleet in which everybody has another problem, and what is advised")
    rows = "".join(f"{p.user},{p.key}\n" for p in people)
    swap = {"PROVISION_INVENTORY": str(inventory)}
    stage.run(OPERATOR, "keys", "import", "-", stdin="user,key\n" + rows, show=False, environ=swap)
    ask = ("validate", "--probe", "key,models,chat", "--yes")
    stage.run(OPERATOR, *ask, expect=10, environ=swap)
    report = json.loads(stage.run(OPERATOR, *ask, "--format", "json", expect=10, show=False, environ=swap))
    said = {user["user"]: user["verdict"] for user in report["users"]}
    if wrong := [f"{p.user}: {said.get(p.user)}, not {p.verdict}" for p in people if said.get(p.user) != p.verdict]:
        raise DemoFailedError(f"validate gave another verdict than was planted: {'; '.join(wrong)}")
    sim.clear_faults()


def _plant(sim: Simulator, people: tuple[Trouble, ...]) -> None:
    for person in people:
        sim.add_key(person.key, person.state, **person.limits)
    sim.remove_model("gpt-5")
    sim.fault("kimi-k3", "bad_gateway")
    overloaded = Reply(503, b'{"error": {"code": "authentication_unavailable"}}')
    sim.script(overloaded, path="/v1/chat/completions", model="glm-5.3")
    listed: list[dict[str, Any]] = [{"id": m.id, "object": "model"} for m in builtin().models.values() if m.current]
    listed.append({"id": MEDIA_IN_DISGUISE, "object": "model", "supported_endpoint_types": ["image_generation"]})
    sim.script(Reply(200, json.dumps({"object": "list", "data": listed}).encode()), path="/v1/models")
