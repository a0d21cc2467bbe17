"""The guardrails in force, and what of a policy is not: over config.yaml, .env, the environment and the managed scope."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.errors import Severity
from provision.fleet.desired import EffectiveProfile, GuardrailPolicy
from provision.hermes.guardrails.effective import Guardrails, mcp_target, policy_hazards
from provision.hermes.guardrails.settings import (
    RULES,
    contradictions_of,
    policy_env,
    policy_settings,
    unenforced,
    with_policy,
)
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.route import resolve_route
from provision.hermes.unread import allowed_releases

FULL = GuardrailPolicy("manual", ("git push*",), ("terminal",), ("git",), ("corp",), ("gpt-5.2",), redact=True)
KEY = "sk-aisa-" + "FAKE" * 10


def guardrails(
    config: dict[str, Any], env: str = "", shell: dict[str, str] | None = None, managed: dict[str, Any] | None = None
) -> Guardrails:
    scope = HomeFiles("/etc/hermes", config=json.dumps(managed).encode()) if managed is not None else None
    files = HermesFiles(HomeFiles("/h", config=json.dumps(config).encode(), env=env.encode()), managed=scope)
    route = resolve_route(files, environ=shell or {}, fingerprint=lambda _: "fp_x")
    assert route.guardrails is not None
    return route.guardrails


@pytest.mark.parametrize(
    ("config", "env", "shell", "expected"),
    [
        ({}, "", {}, {"approvals": "smart", "yolo": False, "redact": True, "plugins": (), "denied_toolsets": ()}),
        ({"approvals": {"mode": "manual"}}, "", {}, {"approvals": "manual"}),
        ({"approvals": {"mode": False}}, "", {}, {"approvals": "off"}),
        ({"approvals": {"mode": " OFF "}}, "", {}, {"approvals": "off"}),
        ({"approvals": {"mode": "never"}}, "", {}, {"approvals": "manual"}),
        ({"approvals": {"mode": None}}, "", {}, {"approvals": "manual"}),
        ({"approvals": ["x"]}, "", {}, {"approvals": "smart"}),
        ({}, "HERMES_YOLO_MODE=1\n", {}, {"yolo": True}),
        ({}, "HERMES_YOLO_MODE=0\n", {"HERMES_YOLO_MODE": "1"}, {"yolo": False}),
        ({}, "", {"HERMES_YOLO_MODE": "on"}, {"yolo": True}),
        ({"security": {"redact_secrets": False}}, "", {}, {"redact": False}),
        ({"security": {"redact_secrets": False}}, "HERMES_REDACT_SECRETS=true\n", {}, {"redact": True}),
        ({"security": {"redact_secrets": True}}, "", {"HERMES_REDACT_SECRETS": "no"}, {"redact": False}),
        ({"approvals": {"deny": ["rm *", "", 3]}}, "", {}, {"deny_commands": ("rm *",)}),
        ({"plugins": {"enabled": ["a", "b"], "disabled": ["b"]}}, "", {}, {"plugins": ("a",)}),
        ({"agent": {"disabled_toolsets": ["terminal"]}}, "", {}, {"denied_toolsets": ("terminal",)}),
    ],
)  # fmt: skip
def test_what_is_in_force(config: dict[str, Any], env: str, shell: dict[str, str], expected: dict[str, Any]) -> None:
    found = guardrails(config, env, shell)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("toolsets", "disabled", "offered"),
    [
        (None, [], {"git", "web"}),
        (["hermes-cli"], [], {"git", "web"}),
        (["hermes-cli", "git"], [], {"git"}),
        (["hermes-cli", "no_mcp"], [], set()),
        (["hermes-cli", "off"], [], {"git", "web"}),
        (["hermes-cli", "git"], ["git"], set()),
    ],
)
def test_which_servers_are_offered(toolsets: list[str] | None, disabled: list[str], offered: set[str]) -> None:
    servers = {"git": {"command": "x"}, "web": {"url": "https://mcp.corp/x"}, "off": {"command": "y", "enabled": "no"}}
    config: dict[str, Any] = {"mcp_servers": servers, "agent": {"disabled_toolsets": disabled}}
    if toolsets is not None:
        config["platform_toolsets"] = {"cli": toolsets}
    assert {s.name for s in guardrails(config).mcp_servers if s.offered} == offered


@pytest.mark.parametrize(
    ("server", "target"),
    [
        ({"url": f"https://user:{KEY}@mcp.corp/{KEY}?key={KEY}"}, "mcp.corp"),
        ({"command": f"/opt/x/git-mcp --token {KEY}", "args": [KEY], "env": {"T": KEY}}, "git-mcp"),
        ({"command": r"C:\Tools\mcp.exe"}, "mcp.exe"),
        ({"command": f"/opt/{KEY}"}, "sk-a"),
        ({"url": "http://[bad"}, "unknown host"),
        ({}, "nothing"),
    ],
)
def test_an_inventory_has_no_secret(server: dict[str, Any], target: str) -> None:
    assert mcp_target(server).startswith(target)
    found = guardrails({"mcp_servers": {"s": server, KEY: server}})
    assert KEY not in json.dumps(found.fields()) + found.summary


def test_the_managed_scope_wins() -> None:
    found = guardrails({"approvals": {"mode": "off"}}, managed=policy_settings(FULL))
    assert (found.approvals, found.denied_toolsets, found.redact) == ("manual", ("terminal",), True)


def test_a_rendered_policy_is_in_force() -> None:
    config = with_policy({"mcp_servers": {"git": {"command": "git-mcp"}}}, FULL)
    env = "".join(f"{name}={value}\n" for name, value in policy_env(FULL).items())
    found = guardrails(config, env, {"HERMES_YOLO_MODE": "1", "HERMES_REDACT_SECRETS": "false"})
    assert list(policy_hazards(FULL, found, "config.yaml", "gpt-5.2")) == []


@pytest.mark.parametrize(
    ("change", "env", "model", "expected"),
    [
        ({"approvals": {"mode": "off"}}, "", "gpt-5.2", {"policy-approvals", "policy-commands"}),
        ({"approvals": {"mode": "smart", "deny": ["git push*"]}}, "", "gpt-5.2", {"policy-approvals"}),
        ({}, "HERMES_YOLO_MODE=1\n", "gpt-5.2", {"policy-approvals"}),
        ({}, "HERMES_REDACT_SECRETS=false\n", "gpt-5.2", {"policy-redaction"}),
        ({"agent": {"disabled_toolsets": []}}, "", "gpt-5.2", {"policy-toolsets"}),
        ({"plugins": {"enabled": ["corp", "evil"]}}, "", "gpt-5.2", {"policy-plugins"}),
        ({"mcp_servers": {"git": {"command": "x"}, "evil": {"url": "https://evil.example"}}}, "", "gpt-5.2", {"policy-mcp"}),
        ({}, "", "grok-4.3", {"policy-models"}),
    ],
)  # fmt: skip
def test_what_is_not_in_force_is_a_hazard(change: dict[str, Any], env: str, model: str, expected: set[str]) -> None:
    config = {**with_policy({"mcp_servers": {"git": {"command": "git-mcp"}}}, FULL), **change}
    assert {h.id for h in policy_hazards(FULL, guardrails(config, env), "config.yaml", model)} == expected


def test_a_server_that_is_not_offered_is_a_warning() -> None:
    servers = {"git": {"command": "x"}, "evil": {"command": "y"}}
    config = with_policy({"mcp_servers": servers}, FULL)
    (found,) = policy_hazards(FULL, guardrails(config), "config.yaml", "gpt-5.2")
    assert (found.id, found.severity) == ("policy-mcp", Severity.WARNING)


def test_what_cannot_be_enforced_is_named() -> None:
    def rules(policy: GuardrailPolicy, versions: str | None = None, **hermes: Any) -> list[str]:
        profile = EffectiveProfile("eng", "m", "https://x/v1", hermes=hermes, policy=policy, hermes_version=versions)
        return [name for name, _ in unenforced(profile, allowed_releases(versions))]

    assert rules(GuardrailPolicy("manual", redact=True, plugins=("a",), denied_toolsets=("x",))) == []
    assert rules(GuardrailPolicy(models=("m",))) == ["models"]
    assert rules(GuardrailPolicy(mcp_servers=("git",))) == ["mcp_servers"]
    assert rules(GuardrailPolicy(mcp_servers=("git",)), mcp_servers={"git": {}}) == []
    assert rules(GuardrailPolicy(mcp_servers=())) == []
    assert rules(GuardrailPolicy(deny_commands=("x",)), "<0.17") == ["deny_commands"]


def test_contradictions_are_found() -> None:
    def paths(**fields: Any) -> list[str]:
        return list(contradictions_of(EffectiveProfile("eng", "m", "https://x/v1", policy=FULL, **fields)))

    assert paths(hermes={"approvals": {"mode": "manual", "timeout": 5}}) == []
    assert paths(hermes={"approvals": {"mode": "off"}}) == ["hermes.approvals.mode"]
    assert paths(env={"HERMES_YOLO_MODE": "1"}) == ["env.HERMES_YOLO_MODE"]


def test_every_rule_says_what_it_is_worth() -> None:
    fields = set(FULL.fields())
    assert fields == set(RULES)
    assert all(rule.enforced_by and rule.way_around for rule in RULES.values())
    assert GuardrailPolicy.of({**FULL.fields(), "enforce": "best-effort"}).best_effort
    assert GuardrailPolicy.of(FULL.fields()) == FULL
