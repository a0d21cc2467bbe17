"""Keys of a profile that Hermes does not read: rule, severity, and what the hint says."""

from __future__ import annotations

from typing import Any

import pytest

from provision.errors import Place
from provision.fleet.desired import EffectiveProfile
from provision.hermes.facts.read_settings import CLOSED, DEPRECATED, read_settings
from provision.hermes.facts.selection import RELEASES
from provision.hermes.unread import unread_settings


def _found(
    hermes: dict[str, Any] | None = None, env: dict[str, str] | None = None, versions: str | None = None
) -> list[tuple[str, str, str]]:
    profile = EffectiveProfile(
        "eng", "m", "https://api.aisa.one/v1", hermes=hermes or {}, env=env or {}, hermes_version=versions
    )
    problems = list(unread_settings(profile, Place))
    assert all(p.place and p.place.file.startswith(("hermes.", "env.")) for p in problems)
    return [(p.rule, p.severity.value, p.hint) for p in problems]


def _server(**settings: Any) -> dict[str, Any]:
    return {"mcp_servers": {"git": {"command": "git-mcp", **settings}}}


@pytest.mark.parametrize(
    "hermes",
    [
        {"security": {"redact_secrets": True}, "approvals": {"mode": "manual", "deny": ["git push*"]}},
        {"agent": {"max_turns": 5, "disabled_toolsets": ["terminal"]}, "command_allowlist": ["git status"]},
        _server(args=["-v"], env={"ANY_NAME": "x"}, headers={"X-Team": "a"}, tools={"include": ["git_status"]}),
        _server(url="https://mcp.corp/x", enabled=False, timeout=30, tools={"exclude": ["rm"], "resources": False}),
        {"personalities": {"pirate_zzz": "Arr"}, "platform_toolsets": {"cli": ["web"]}, "x_corp": {"any_thing": 1}},
        {
            "auxiliary": {"vision": {"extra_body": {"any_thing_at_all": 1}}},
            "terminal": {"docker_env": {"TEAM_ZZZ": "x"}},
        },
        {"plugins": {"enabled": ["corp"], "entries": {"corp": {"llm": {"allow_model_override": False}}}}},
        {"display": {"skin": "default"}, "agent": None},
        {"agent": {"disabled_toolsets": ["web", "terminal_tools", "x"]}, "mcp_servers": {"x": {"command": "y"}}},
    ],
)
def test_what_hermes_reads_is_no_problem(hermes: dict[str, Any]) -> None:
    assert _found(hermes) == []


@pytest.mark.parametrize(
    ("hermes", "rule", "severity", "hint"),
    [
        (_server(allowed_tools=["git_status"]), "hermes-ignored", "error", "use tools: {include: […]}"),
        (_server(disabled_tools=["rm"]), "hermes-ignored", "error", "use tools: {exclude: […]}"),
        (_server(tools={"allow": ["a"]}), "hermes-ignored", "error", "use include"),
        (_server(tools={"includes": ["a"]}), "hermes-ignored", "error", "use include"),
        (_server(comand="x"), "hermes-ignored", "error", "use command"),
        ({"approvals": {"require": "always"}}, "hermes-ignored", "error", "remove it"),
        ({"approvals": {"modes": "manual"}}, "hermes-ignored", "error", "use mode"),
        ({"security": {"redact_secret": True}}, "hermes-ignored", "error", "use redact_secrets"),
        ({"agent": {"max_turnz": 5}}, "hermes-ignored", "error", "use max_turns"),
        ({"aprovals": {"mode": "manual"}}, "hermes-unknown", "warning", "did you mean approvals?"),
        ({"agent": {"allowed_tools": ["web"]}}, "hermes-unknown", "warning", None),
        (
            {"delegation": {"max_async_children": 3}},
            "hermes-deprecated",
            "warning",
            "use delegation.max_concurrent_children",
        ),
        (_server(tools={"include": []}), "hermes-no-limit", "error", None),
        (_server(tools={"include": 5}), "hermes-no-limit", "error", "write include: […]"),
        (_server(tools=["git_status"]), "hermes-no-limit", "error", None),
        (_server(tools={"include": ["a"], "exclude": ["b"]}), "hermes-no-limit", "error", "remove exclude"),
        ({"approvals": {"deny": "rm *"}}, "hermes-no-limit", "error", None),
        ({"plugins": {"enabled": "corp"}}, "hermes-no-limit", "error", None),
        ({"command_allowlist": "rm"}, "hermes-no-limit", "error", None),
        ({"platform_toolsets": {"cli": "web"}}, "hermes-no-limit", "error", None),
        ({"agent": {"disabled_toolsets": ["termnal"]}}, "hermes-no-limit", "warning", None),
        ({"agent": {"disabled_toolsets": ["terminal", "write_file"]}}, "hermes-no-limit", "warning", None),
    ],
)
def test_what_hermes_does_not_read_is_named(hermes: dict[str, Any], rule: str, severity: str, hint: str | None) -> None:
    found = _found(hermes)
    assert (rule, severity) in [(r, s) for r, s, _ in found]
    assert hint is None or hint in [h for _, _, h in found]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HERMES_YOLO_MODE": "0"}, []),
        ({"HERMES_YOLO_MOD": "0"}, [("env-ignored", "error", "did you mean HERMES_YOLO_MODE?")]),
        ({"HERMES_ZZZZZZZZ": "1"}, [("env-ignored", "error", "remove it")]),
        ({"TELEGRAM_HOME_CHANEL": "1"}, [("env-unknown", "warning", "did you mean TELEGRAM_HOME_CHANNEL?")]),
        ({"CORP_COST_CENTRE": "1", "TEAM": "eng", "MY_TOKEN": "x"}, []),
        ({"TERMINAL_CWD": "/src"}, [("env-deprecated", "warning", "use terminal.cwd")]),
    ],
)
def test_variables(env: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    assert _found(env=env) == expected


def test_a_variable_that_a_setting_names_is_read() -> None:
    assert _found(_server(headers={"X": "${TELEGRAM_HOME_CHANEL}"}), {"TELEGRAM_HOME_CHANEL": "1"}) == []


def _only_in(newer: bool) -> str:
    """A setting of a section that one release has and another has not."""
    first, last = read_settings()[0], read_settings()[-1]
    have, lack = (last, first) if newer else (first, last)
    return next(f"agent.{k}" for k in sorted(have.tree["agent"]) if k not in lack.tree["agent"] and k not in lack.names)


def test_a_key_of_another_version_is_named_as_such() -> None:
    section, key = _only_in(newer=True).split(".")
    hermes = {section: {key: 1}}
    assert _found(hermes) == []
    assert [(r, s) for r, s, _ in _found(hermes, versions="<0.17")] == [("hermes-other-version", "error")]
    assert [(r, s) for r, s, _ in _found(hermes, versions=">=0.16")] == [("hermes-other-version", "warning")]


def test_nothing_is_certain_of_a_release_that_is_not_known() -> None:
    hermes = {"approvals": {"require": "always"}}
    assert [(r, s) for r, s, _ in _found(hermes, versions=">=0.19")] == [("hermes-ignored", "error")]
    assert [(r, s) for r, s, _ in _found(hermes, versions=">=0.25")] == [("hermes-ignored", "warning")]


def test_the_table_has_the_verified_releases_and_the_closed_sections() -> None:
    assert [r.version for r in read_settings()] == [r.version for r in RELEASES if r.verified]
    known = {
        "mcp_servers.*": "url", "mcp_servers.*.tools": "include", "approvals": "mode",
        "security": "redact_secrets", "security.website_blocklist": "domains",
    }  # fmt: skip
    assert known.keys() == set(CLOSED)
    for release in read_settings():
        for section in CLOSED:
            node: Any = release.tree
            for key in section.split("."):
                node = node[key]
            assert known[section] in node
    assert not any("." in key and key.split(".")[0] not in read_settings()[-1].tree for key in DEPRECATED)
