"""What is known of Hermes 0.21, which is not on PyPI and was not run: its facts are not verified.

Where a source names a file, it was read in NousResearch/hermes-agent at commit 00067189dfec, which calls itself 0.21.3. The
release of 2026-09-14 itself is commit 345cd2b, whose files could not be read. Everything else is from homes and tests of other
projects that name 0.21. As in 0.19, by the same reading: HERMES_MANAGED_DIR counts, `/etc/hermes` is the only default, and a
managed file that cannot be parsed is ignored. `docs/hermes.md` has what else was read.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from provision.hermes.facts.newer_env import NEWER_DECIDING_ENV
from provision.hermes.facts.v0_19 import FACTS as EARLIER

_COMMIT = "read at upstream commit 00067189, not run"
_PROBE = (
    "measured by awizemann/scarf (scripts/probe-hermes-routable-bands.py at d52630bd, HermesRoutableProviders.swift at "
    "c79b8810), which asks the resolver of each tag; its names for 0.19.0 are exactly those in v0_19.py"
)
_PROVIDERS = """actual ai-gateway alibaba-cn alibaba-coding-plan-cn alibaba-token-plan alibaba-token-plan-cn commandcode
commandcode-anthropic meta-ai nebius-token-factory opencode-free router tencent-tokenplan"""
_ALIASES = """aci=actual actual-computer=actual actualcomputer=actual ai_gateway=ai-gateway aigateway=ai-gateway
alibaba-cloud-cn=alibaba-cn alibaba-coding-cn=alibaba-coding-plan-cn aliyun=alibaba build-nvidia=nvidia
commandcode-chat=commandcode commandcode-claude=commandcode-anthropic dashscope-cn=alibaba-cn
dashscope-coding-cn=alibaba-coding-plan-cn dashscope-token-plan=alibaba-token-plan
dashscope-token-plan-cn=alibaba-token-plan-cn deep-seek=deepseek free=opencode-free meta=meta-ai model-api=meta-ai msl=meta-ai
muse=meta-ai muse-spark=meta-ai nebius=nebius-token-factory nebius-tf=nebius-token-factory
nebius-tokenfactory=nebius-token-factory nemotron=nvidia nim=nvidia opencode_free=opencode-free ramp=router ramp-router=router
router.com=router tencent-lkeap=tencent-tokenplan token-factory=nebius-token-factory tokenfactory=nebius-token-factory
tokenplan=tencent-tokenplan vercel=ai-gateway vercel-ai-gateway=ai-gateway"""
_PROVIDER_KEYS = """ACTUAL_API_KEY AI_GATEWAY_API_KEY ALIBABA_CODING_PLAN_CN_API_KEY ALIBABA_TOKEN_PLAN_API_KEY
ALIBABA_TOKEN_PLAN_CN_API_KEY COMMANDCODE_API_KEY META_API_KEY META_MODEL_API_KEY MODEL_API_KEY NEBIUS_API_KEY
NEBIUS_TOKEN_FACTORY_API_KEY RAMP_ROUTER_API_KEY ROUTER_API_KEY TOKENPLAN_API_KEY"""
_TOOL_KEYS = "KEENABLE_API_KEY PERPLEXITY_API_KEY PORCUPINE_ACCESS_KEY"
KEY_ENV: Final = frozenset([*_PROVIDER_KEYS.split(), *_TOOL_KEYS.split()])
"""Variables with the key of a service that 0.19 does not know.

Those of providers: printed by the same project from `PROVIDER_REGISTRY` of 0.21.5 (HermesProviderCredentials.swift at 25c10f47).
`opencode-free` has none. Those of tools: `hermes_cli/config_defaults.py`, `OPTIONAL_ENV_VARS`, at upstream commit 00067189.
"""
AT_RELEASE: Final = MappingProxyType(
    {
        "built_in_providers": "at the tags of the releases, as that project measured them",
        "managed_scope": "at f97608f1, the commit of 0.21.5, as other projects quote it",
    }
)
"""The facts that were found at the commit of a release, and where. Every other one is unconfirmed there."""
_SOURCES = {
    "*": "assumed to be as in 0.19.0; not read and not run",
    "config_version": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG: {_COMMIT}; 0.21.1 has 41 (a pull request "
    "of another project that follows its releases), 0.21.5 has 46 with the steps to 45 and 46 since 0.21.3 (a "
    "comparison of the tags v2026.9.14 and v2026.9.24 by another project): so the release itself may have 44, below "
    "which a file with 45 is not migrated either; a machine on 0.21.4 was seen with 45",
    "auxiliary_tasks": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG: {_COMMIT}",
    "built_in_providers": f"{_PROBE}; four of the names also in hermes_cli/auth.py, _REGISTRY_ROWS: {_COMMIT}",
    "provider_aliases": f"{_PROBE}; what they stand for: hermes_cli/auth.py, _PROVIDER_ALIASES: {_COMMIT}; the bundled "
    "plug-ins at other commits (alibaba at 3b0317b1, commandcode at 09ffeaec); for nvidia, deepseek and "
    "alibaba-coding-plan-cn concluded from the name",
    "known_env": "hermes_cli/config.py, _sanitize_env_lines, which takes all that follows the first = for the value and "
    f"splits no line: {_COMMIT}; that the start-up repair uses it, as in 0.19.0, was not read",
    "secret_sources": f"agent/secret_sources/registry.py, _BUILTIN_SOURCES: {_COMMIT}; what `command` runs "
    "(`secrets.command.command`, with /bin/sh, not on Windows) in agent/secret_sources/command.py at 9404745e",
    "env_bom_hides_first": "hermes_cli/env_loader.py, _load_dotenv_with_fallback, and managed_scope.py: read at upstream "
    "commits after pull request 65124, not run",
    "managed_model_text": f"hermes_cli/managed_scope.py, apply_managed_overlay: {_COMMIT}",
    "managed_scope": f"hermes_cli/managed_scope.py, get_managed_dir: {_COMMIT}",
    "plain_custom_key_env": "upstream pull request 115791, commit 709e7adcc4ed of main, landed by 2026-09-19: so in "
    "releases after that of 2026-09-14, which itself still sends no key then (issues 43586 and 74561)",
    "cron_model": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG, hermes_cli/config.py, cron_model_drift_axes, and the "
    f"documentation page Scheduled Tasks: {_COMMIT}",
    "live_voice": "tools/voice_live.py at upstream commit 163da7b5, not run; in releases since 0.21.3 (awizemann/scarf)",
    "health_export": "agent/monitoring/otlp_exporter.py and gateway_health_export.py at upstream commits 2acda4cf and "
    "70bd10ac, not run; which release has it first is not known",
    "deciding_env": "documentation page Remote Config and hermes_cli/config_backend.py (an early build stops with "
    f"`remote`); hermes_constants.py, _get_platform_default_hermes_home and get_process_hermes_home: {_COMMIT}",
}

FACTS = replace(
    EARLIER,
    version="0.21.3",
    verified=False,
    config_version=45,
    built_in_providers=EARLIER.built_in_providers | frozenset(_PROVIDERS.split()),
    provider_aliases=MappingProxyType(
        {**EARLIER.provider_aliases, **dict(pair.split("=") for pair in _ALIASES.split())}
    ),
    known_env=frozenset(),
    auxiliary_tasks=tuple(sorted({*EARLIER.auxiliary_tasks, "review"} - {"web_extract"})),
    secret_sources=(*EARLIER.secret_sources, "command"),
    env_bom_hides_first=False,
    managed_model_text=True,
    plain_custom_key_env=True,
    cron_model=True,
    live_voice=True,
    health_export=True,
    deciding_env=frozenset(NEWER_DECIDING_ENV),
    sources=MappingProxyType(
        {name: f"{source}; {AT_RELEASE.get(name, 'unconfirmed at a release')}" for name, source in _SOURCES.items()}
    ),
)
