"""The guardrails in force, and what of a policy is not: over config.yaml, .env, the environment and the managed scope."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.errors import Severity
from provision.fleet.desired import EffectiveProfile, GuardrailPolicy, McpRule
from provision.hermes.guardrails.effective import Guardrails, policy_hazards
from provision.hermes.guardrails.servers import servers_of
from provision.hermes.guardrails.settings import RULES, policy_env, policy_settings, with_policy
from provision.hermes.guardrails.unenforced import contradictions_of, unenforced
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.route import resolve_route
from provision.hermes.unread import allowed_releases

GIT = McpRule(name="git", command="x", tools=("status",))
SERVERS: dict[str, Any] = {"git": {"command": "/opt/x"}}
FULL = GuardrailPolicy(
    "manual", ("git push*",), ("terminal",), (GIT,), ("corp",), ("gpt-5.2",), redact=True, allowed_toolsets=("web", "file"),
    allowed_tools=("todo",), denied_tools=("memory",), providers=("aisa",), update_channel="main",
)  # fmt: skip
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
    assert all(found.target.startswith(target) for found in servers_of({"mcp_servers": {"s": server}}))
    found = guardrails({"mcp_servers": {"s": server, KEY: server}})
    assert KEY not in json.dumps(found.fields()) + found.summary


def test_the_managed_scope_wins() -> None:
    found = guardrails({"approvals": {"mode": "off"}}, managed=policy_settings(FULL))
    assert (found.approvals, found.redact) == ("manual", True)
    assert {"terminal", "memory", "browser"} - {"browser"} <= set(found.denied_toolsets)


def test_a_rendered_policy_is_in_force() -> None:
    config = with_policy({"mcp_servers": SERVERS}, FULL)
    env = "".join(f"{name}={value}\n" for name, value in policy_env(FULL).items())
    found = guardrails(config, env, {"HERMES_YOLO_MODE": "1", "HERMES_REDACT_SECRETS": "false"})
    assert list(policy_hazards(FULL, found, "config.yaml", "gpt-5.2")) == []


@pytest.mark.parametrize(
    ("change", "env", "model", "expected"),
    [
        ({"approvals": {"mode": "off"}}, "", "gpt-5.2", {"policy-approvals", "policy-commands"}),
        ({"approvals": {"mode": "smart", "deny": ["git push*"]}}, "", "gpt-5.2", {"policy-approvals"}),
        ({"approvals": {"mode": "manual", "deny": ["git push*"], "cron_mode": "approve"}}, "", "gpt-5.2", {"policy-approvals"}),
        ({"approvals": {"mode": "manual", "deny": ["git push*"], "cron_mode": " Off"}}, "", "gpt-5.2", {"policy-approvals"}),
        ({"delegation": {"subagent_auto_approve": "on"}}, "", "gpt-5.2", {"policy-approvals"}),
        ({"delegation": {"subagent_auto_approve": "never"}}, "", "gpt-5.2", set()),
        ({"command_allowlist": ["rm *"]}, "", "gpt-5.2", {"policy-allowlist"}),
        ({"terminal": {"backend": "docker"}}, "", "gpt-5.2", {"policy-approvals"}),
        ({}, "TERMINAL_ENV=modal\n", "gpt-5.2", {"policy-approvals"}),
        ({}, "HERMES_YOLO_MODE=1\n", "gpt-5.2", {"policy-approvals"}),
        ({}, "HERMES_REDACT_SECRETS=false\n", "gpt-5.2", {"policy-redaction"}),
        ({"agent": {"disabled_toolsets": []}}, "", "gpt-5.2", {"policy-toolsets"}),
        ({"platform_toolsets": {"cli": ["hermes-cli", "git"]}}, "", "gpt-5.2", {"policy-toolsets"}),
        ({"platform_toolsets": {"cli": ["web", "browser", "git"]}}, "", "gpt-5.2", {"policy-toolsets"}),
        ({"plugins": {"enabled": ["corp", "evil"]}}, "", "gpt-5.2", {"policy-plugins"}),
        ({"mcp_servers": {"evil": {"url": "https://evil.example"}}}, "", "gpt-5.2", {"policy-mcp"}),
        ({"mcp_servers": {"git": {"command": "evil", "tools": {"include": ["status"]}}}}, "", "gpt-5.2", {"policy-mcp"}),
        ({"mcp_servers": {"git": {"command": "x", "tools": {"include": []}}}}, "", "gpt-5.2", {"policy-mcp-tools"}),
        ({"mcp_servers": {"git": {"command": "x", "tools": {"include": ["status", "no"]}}}}, "", "gpt-5.2", {"policy-mcp-tools"}),
        ({"providers": {"other": {"api": "https://x/v1"}}}, "", "gpt-5.2", {"policy-providers"}),
        ({}, "", "grok-4.3", {"policy-models"}),
    ],
)  # fmt: skip
def test_what_is_not_in_force_is_a_hazard(change: dict[str, Any], env: str, model: str, expected: set[str]) -> None:
    config = {**with_policy({"mcp_servers": SERVERS}, FULL), **change}
    found = policy_hazards(FULL, guardrails(config, env), "config.yaml", model, "custom:aisa")
    assert {h.id for h in found} == expected


def test_another_provider_is_an_error() -> None:
    found = guardrails(with_policy({"mcp_servers": SERVERS}, FULL))
    (hazard,) = policy_hazards(FULL, found, "config.yaml", "gpt-5.2", "openrouter")
    assert (hazard.id, hazard.severity) == ("policy-providers", Severity.ERROR)


def test_a_server_that_is_not_offered_is_a_warning() -> None:
    servers = {**SERVERS, "evil": {"command": "y"}}
    config = with_policy({"mcp_servers": servers}, FULL)
    (found,) = policy_hazards(FULL, guardrails(config), "config.yaml", "gpt-5.2")
    assert (found.id, found.severity) == ("policy-mcp", Severity.WARNING)


P = GuardrailPolicy
TWO = {"mcp_servers": {"git": {"command": "git-mcp"}, "docs": {"url": "https://mcp.corp:8443/x"}}}


def mcp(*values: Any) -> GuardrailPolicy:
    return GuardrailPolicy.of({"mcp_servers": list(values)})


@pytest.mark.parametrize(
    ("policy", "versions", "hermes", "expected"),
    [
        (P("manual", redact=True, plugins=("a",), denied_toolsets=("terminal",)), None, {}, []),
        (P(models=("m",)), None, {}, ["models"]),
        (P(providers=("aisa",)), None, {}, ["providers"]),
        (P(update_channel="main"), None, {}, ["update_channel"]),
        (mcp("git"), None, {}, ["mcp_servers"]),
        (mcp("git"), None, {"mcp_servers": {"git": {}}}, []),
        (mcp("git"), None, {"mcp_servers": {"git": {"enabled": False}}}, ["mcp_servers"]),
        (mcp("web"), None, {"mcp_servers": {"web": {}}}, ["mcp_servers"]),
        (mcp({"host": "mcp.corp"}, {"command": "git-mcp", "tools": ["a"]}), None, TWO, []),
        (mcp({"host": "mcp.corp:8443"}, "git"), None, TWO, []),
        (mcp({"host": "mcp.corp:443"}), None, TWO, ["mcp_servers"]),
        (mcp({"name": "git", "host": "mcp.corp"}), None, TWO, ["mcp_servers"]),
        (P(mcp_servers=()), None, {}, []),
        (P(deny_commands=("x*",)), "<0.17", {}, ["deny_commands"]),
        (P(deny_commands=("git push --force",)), None, {}, ["deny_commands"]),
        (P(deny_commands=("^rm .*$",)), None, {}, ["deny_commands"]),
        (P(deny_commands=(r"rm\s+-rf*",)), None, {}, ["deny_commands"]),
        (P("manual"), None, {"terminal": {"backend": "docker"}}, ["approvals"]),
        (P(denied_toolsets=("terminall",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("Terminal",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("write_file",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("hermes-cli",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("coding",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("debugging",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("search",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("mcp-git",)), None, TWO, ["denied_toolsets"]),
        (P(denied_toolsets=("git",)), None, TWO, []),
        (P(denied_toolsets=("messaging",)), None, {}, ["denied_toolsets"]),
        (P(denied_toolsets=("messaging",)), "<0.17", {}, []),
        (P(denied_tools=("execute_code", "terminal", "web_search")), None, {}, []),
        (P(denied_tools=("write_file",)), None, {}, ["denied_tools"]),
        (P(denied_tools=("file",)), None, {}, ["denied_tools"]),
        (P(allowed_toolsets=()), None, {}, ["allowed_toolsets"]),
        (P(allowed_toolsets=("web", "file"), allowed_tools=("terminal",)), None, {}, []),
        (P(allowed_toolsets=("web",), denied_toolsets=("web",)), None, {}, ["denied_toolsets"]),
        (P("manual"), None, {"terminal": {"backend": ["docker"]}}, []),
        (mcp({"command": "npx"}), None, {"mcp_servers": {"git": {"command": "npx"}}}, ["mcp_servers"]),
        (mcp({"command": "python3.12"}), None, {"mcp_servers": {"git": {"command": "python3.12"}}}, ["mcp_servers"]),
        (mcp({"name": "git", "command": "npx"}), None, {"mcp_servers": {"git": {"command": "npx"}}}, []),
        (P(allowed_tools=("read_file",)), None, {}, ["allowed_tools"]),
        (P(allowed_toolsets=("web",)), "<0.17", {}, ["allowed_toolsets"]),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_is_named(
    policy: GuardrailPolicy, versions: str | None, hermes: dict[str, Any], expected: list[str]
) -> None:
    profile = EffectiveProfile("eng", "m", "https://x/v1", hermes=hermes, policy=policy, hermes_version=versions)
    assert [name for name, _ in unenforced(profile, allowed_releases(versions))] == expected


def test_a_sandbox_by_variable_is_one() -> None:
    profile = EffectiveProfile("eng", "m", "https://x/v1", policy=P("manual"), env={"TERMINAL_ENV": "docker"})
    ((rule, why),) = unenforced(profile, allowed_releases(None))
    assert (rule, "env.TERMINAL_ENV" in why) == ("approvals", True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hermes": {"approvals": {"mode": "manual", "timeout": 5}}}, []),
        ({"hermes": {"approvals": {"mode": "off"}}}, ["hermes.approvals.mode"]),
        ({"hermes": {"approvals": {"cron_mode": "approve"}}}, ["hermes.approvals.cron_mode"]),
        ({"hermes": {"approvals": {"cron_mode": "yes"}}}, ["hermes.approvals.cron_mode"]),
        ({"hermes": {"delegation": {"subagent_auto_approve": True}}}, ["hermes.delegation.subagent_auto_approve"]),
        ({"hermes": {"plugins": {"disabled": 5}}}, []),
        ({"hermes": {"command_allowlist": ["rm *"]}}, ["hermes.command_allowlist"]),
        ({"hermes": {"plugins": {"disabled": ["corp"]}}}, ["hermes.plugins.disabled"]),
        ({"hermes": {"mcp_servers": {"docs": {"url": "https://x"}}}}, ["hermes.mcp_servers.docs"]),
        (
            {"hermes": {"mcp_servers": {"git": {"command": "x", "tools": {"include": ["push"]}}}}},
            ["hermes.mcp_servers.git.tools.include"],
        ),
        ({"hermes": {"platform_toolsets": {"cli": ["hermes-cli"]}}}, ["hermes.platform_toolsets.cli"]),
        ({"env": {"HERMES_YOLO_MODE": "1"}}, ["env.HERMES_YOLO_MODE"]),
        ({"model": "m"}, ["model"]),
        ({"fallback_models": ("m",)}, ["fallback_models"]),
        ({"provider": "other"}, ["provider"]),
    ],
)
def test_contradictions_are_found(fields: dict[str, Any], expected: list[str]) -> None:
    profile = EffectiveProfile(
        **{"name": "eng", "model": "gpt-5.2", "base_url": "https://x/v1", "policy": FULL, **fields}
    )
    assert list(contradictions_of(profile)) == expected


def test_what_is_allowed_is_not_denied_beside_it() -> None:
    """`browser` has `web_search`, too: denying it would take that from `web`."""
    settings = policy_settings(GuardrailPolicy(allowed_toolsets=("web",), allowed_tools=("terminal",), mcp_servers=()))
    denied = set(settings["agent"]["disabled_toolsets"])
    assert {"file", "code_execution", "delegation", "memory"} <= denied
    assert not {"web", "browser", "terminal", "search"} & denied
    assert settings["platform_toolsets"] == {
        platform: ["web", "terminal_tools", "no_mcp"] for platform in ("cli", "cron")
    }


def test_every_rule_says_what_it_is_worth() -> None:
    fields = set(FULL.fields())
    assert fields == set(RULES)
    assert all(rule.enforced_by and rule.way_around for rule in RULES.values())
    assert GuardrailPolicy.of({**FULL.fields(), "enforce": "best-effort"}).best_effort
    assert GuardrailPolicy.of(FULL.fields()) == FULL
