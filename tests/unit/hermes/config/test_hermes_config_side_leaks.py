"""What an install removes because it sends the key or side requests elsewhere, and what it leaves to the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from provision.fleet.desired import EffectiveProfile, SideRoutes
from provision.hermes.config.merge import merge_config
from provision.hermes.config.side_leaks import ProvisionedKey
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import Templates

TEMPLATES = Templates.load(Path(__file__).parents[4] / "templates")
PROFILE = EffectiveProfile("eng", "gpt-5.2", "https://api.aisa.one/v1")
KEY = ProvisionedKey(frozenset({"AISA_API_KEY", "MINE"}), "sk-aisa-TEST-0123456789", frozenset({"OWN"}))
X = "https://x.example/v1"


def removed(config: str, side_routes: SideRoutes = SideRoutes.TEAM) -> set[str]:
    rendering = render_config(replace(PROFILE, side_routes=side_routes), TEMPLATES).text
    merged = merge_config(config.encode(), None, rendering, KEY)
    assert KEY.value not in repr(merged.removed)
    again = merge_config(merged.data, rendering, rendering, KEY)
    assert again.data == merged.data
    assert yaml.safe_load(merged.data)["model"]["provider"] == "custom:aisa"
    return {r.where for r in merged.removed}


def test_a_use_that_it_has_set_stays() -> None:
    """A profile's own settings may name the key's variable, for instance for a plug-in of the firm."""
    profile = replace(PROFILE, hermes={"plugin": {"token": "${AISA_API_KEY}"}})
    rendering = render_config(profile, TEMPLATES).text
    merged = merge_config(b"plugin: {token: '${MINE}', more: '${MINE}'}\n", None, rendering, KEY)
    assert yaml.safe_load(merged.data)["plugin"] == {"token": "${AISA_API_KEY}"}
    assert "plugin.more" in {r.where for r in merged.removed}


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ("model: {default_headers: {Authorization: Bearer other, X-Team: a}}", {"model.default_headers.Authorization"}),
        ("model: {default_headers: {x-api-key: other}}", {"model.default_headers.x-api-key"}),
        (f"providers: {{o: {{api: '{X}', key_env: MINE}}}}", {"providers.o.key_env"}),
        ("providers: {o: {api: 'https://api.aisa.example/v1'}}", {"providers.o"}),
        ("providers: {o: {api: 'https://api.aisa.example/v1', key_env: MINE}}", {"providers.o.key_env", "providers.o"}),
        ("providers: {o: {api: 'https://api.aisa.example/v1', key_env: UNSET, api_key: ''}}", {"providers.o"}),
        ("providers: {o: {api: 'https://api.aisa.example/v1', key_env: OWN}}", set()),
        ("providers: {o: {api: 'https://api.aisa.example/v1', api_key: own}}", set()),
        ("providers: {o: {api: 'https://aisa.x.example/v1'}}", set()),
        ("model_aliases: {f: {model: m, provider: custom, base_url: 'https://aisa.example/v1'}}", {"model_aliases.f"}),
        (
            "custom_providers: [{name: a, api: 'https://aisa.test'}, {name: b, api: 'https://b.test'}, {name: c, api: 'https://aisa.io'}]",
            {"custom_providers[0]", "custom_providers[2]"},
        ),
        ("voice: {gpt_live: {api_key: '${MINE}'}}", {"voice.gpt_live.api_key"}),
        (f"platforms: {{telegram: {{enabled: true, token: {KEY.value}}}}}", {"platforms.telegram.token"}),
        (
            "gateway: {platforms: {x: {extra: {a: ['${MINE}', own, '${MINE}']}}}}",
            {"gateway.platforms.x.extra.a[0]", "gateway.platforms.x.extra.a[2]"},
        ),
        ("platforms: {x: {token: own, channel_overrides: {'7': {api_key: '${MINE}'}}}}", set()),
        (
            f"plugin: {{servers: [{{url: '{X}', password: 'a ${{MINE}}'}}, {{token: own}}]}}",
            {"plugin.servers[0].password"},
        ),
        ("plugin: {url: 'https://api.aisa.one/search', token: '${MINE}'}", set()),
        (
            f"monitoring: {{export: {{otlp: {{endpoint: '{X}', headers_env: {{a: AISA_API_KEY, b: OWN}}}}}}}}",
            {"monitoring.export.otlp.headers_env.a"},
        ),
        (f"providers: {{o: {{api: '{X}', api_key: '${{AISA_API_KEY}}'}}}}", {"providers.o.api_key"}),
        (f"providers: {{o: {{api: '{X}', api_key: {KEY.value}}}}}", {"providers.o.api_key"}),
        (f"providers: {{o: {{api: '{X}', extra_headers: {{X: '${{MINE}}'}}}}}}", {"providers.o.extra_headers.X"}),
        (f"delegation: {{base_url: '{X}'}}", {"delegation.base_url"}),
        (f"fallback_model: {{provider: custom, base_url: '{X}', key_env: MINE, model: m}}", {"fallback_model"}),
        ("mcp_servers: {a: {url: 'https://x/?k=${env:MINE}'}}", {"mcp_servers.a.url"}),
        ("mcp_servers: {a: {url: 'https://x/${MINE}/mcp'}}", {"mcp_servers.a"}),
        ("mcp_servers: {a: {command: run, args: ['-v', '--key=${MINE}']}}", {"mcp_servers.a.args[1]"}),
        ("mcp_servers: {a: {command: run, args: ['${MINE}']}}", {"mcp_servers.a"}),
        ("mcp_servers: {a: {command: 'run ${MINE}'}}", {"mcp_servers.a"}),
        ("mcp_servers: {a: {url: 'https://x/', headers: {A: 'Bearer ${MINE}'}}}", {"mcp_servers.a.headers.A"}),
        ("terminal: {env_passthrough: [LANG, AISA_API_KEY]}", {"terminal.env_passthrough[1]"}),
        ("hooks: {pre_llm_call: [{command: 'curl ${AISA_API_KEY}'}]}", {"hooks.pre_llm_call"}),
    ],
)
def test_the_key_never_leaves(config: str, where: set[str]) -> None:
    assert removed(config) == where
    assert removed(config, SideRoutes.OWN) == where


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ("fallback_providers: [{provider: openrouter, model: m}]", {"fallback_providers[0]"}),
        ("cron: {model: m, model_provider: openrouter}", {"cron.model_provider"}),
        ("auxiliary: {vision: {provider: openrouter}}", {"auxiliary.vision.provider"}),
        (
            "auxiliary: {vision: {fallback_chain: [{provider: openrouter, model: m}]}}",
            {"auxiliary.vision.fallback_chain"},
        ),
        ("delegation: {provider: openrouter}", {"delegation.provider"}),
    ],
)
def test_side_requests_stay_with_the_team(config: str, where: set[str]) -> None:
    assert removed(config) == where
    assert removed(config, SideRoutes.OWN) == set()


@pytest.mark.parametrize(
    "config",
    [
        f"providers: {{o: {{api: '{X}', key_env: OTHER_KEY}}}}",
        "mcp_servers: {a: {url: 'https://x/', headers: {A: 'Bearer ${OTHER}'}}}",
        "mcp_servers: {a: {url: 'https://api.aisa.one/mcp', headers: {A: 'Bearer ${AISA_API_KEY}'}}}",
        "fallback_model: {provider: 'custom:aisa', model: m}",
        "auxiliary: {vision: {timeout: 9}}",
        "model: {default_headers: {User-Agent: me}}",
        "terminal: {env_passthrough: [LANG]}",
    ],
)
def test_the_users_own_stays(config: str) -> None:
    assert removed(config) == set()


@pytest.mark.parametrize(
    ("server", "left"),
    [
        ("{url: 'https://x/mcp?a=1&k=${MINE}&b=2'}", {"url": "https://x/mcp?a=1&b=2"}),
        ("{url: 'https://x/mcp?k=${MINE}'}", {"url": "https://x/mcp"}),
        ("{url: 'https://me:${MINE}@x/mcp'}", {"url": "https://x/mcp"}),
        ("{url: 'https://me:own@x/?k=${env:AISA_API_KEY}'}", {"url": "https://me:own@x/"}),
        ("{command: npx, args: [mcp-remote, 'https://x', --header, 'Authorization: ${MINE}', --debug]}",
         {"command": "npx", "args": ["mcp-remote", "https://x", "--debug"]}),
        ("{command: run, args: ['--key=${MINE}', serve], env: {K: '${MINE}', L: own}}",
         {"command": "run", "args": ["serve"], "env": {"L": "own"}}),
        ("{command: run, args: ['${OTHER}'], env: {K: '${OTHER}'}}",
         {"command": "run", "args": ["${OTHER}"], "env": {"K": "${OTHER}"}}),
    ],
)  # fmt: skip
def test_only_the_use_of_our_key_is_taken_from_a_server(server: str, left: dict[str, object]) -> None:
    rendering = render_config(PROFILE, TEMPLATES).text
    merged = merge_config(f"mcp_servers: {{a: {server}}}".encode(), None, rendering, KEY)
    assert yaml.safe_load(merged.data)["mcp_servers"] == {"a": left}
    assert all(r.why for r in merged.removed)
