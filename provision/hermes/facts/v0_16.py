"""The facts of Hermes 0.16.0, where they differ from those of 0.18.2 and 0.19.0. Found in runs of the real program."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from provision.hermes.facts.v0_18 import FACTS as LATER
from provision.hermes.facts.v0_18 import RUN

_UNKNOWN_ENV = """
BRV_API_KEY CAMOFOX_API_KEY DINGTALK_ALLOWED_USERS DINGTALK_WEBHOOK_URL EMAIL_ADDRESS EMAIL_ALLOWED_USERS
EMAIL_HOME_ADDRESS EMAIL_IMAP_HOST EMAIL_PASSWORD EMAIL_SMTP_HOST EMAIL_SMTP_PORT FEISHU_ALLOWED_USERS FEISHU_ALLOW_ALL_USERS
FEISHU_DOMAIN HASS_TOKEN HASS_URL HERMES_SIMPLEX_TEXT_BATCH_DELAY HINDSIGHT_API_KEY HINDSIGHT_API_URL
MATRIX_ALLOW_ALL_USERS MATRIX_HOME_CHANNEL MATRIX_HOME_CHANNEL_NAME MEM0_API_KEY OPENVIKING_API_KEY OPENVIKING_ENDPOINT
PHOTON_ALLOWED_USERS PHOTON_ALLOW_ALL_USERS PHOTON_DASHBOARD_HOST PHOTON_HOME_CHANNEL PHOTON_HOME_CHANNEL_NAME PHOTON_MARKDOWN
PHOTON_MENTION_PATTERNS PHOTON_NODE_BIN PHOTON_PROJECT_ID PHOTON_PROJECT_SECRET PHOTON_REACTIONS PHOTON_REQUIRE_MENTION
PHOTON_SIDECAR_AUTOSTART PHOTON_SIDECAR_PORT PHOTON_SPECTRUM_HOST PHOTON_TELEMETRY RAFT_PROFILE RETAINDB_API_KEY
RETAINDB_BASE_URL SIMPLEX_AUTO_ACCEPT SIMPLEX_GROUP_ALLOWED SLACK_ALLOWED_USERS SLACK_ALLOW_ALL_USERS SMS_ALLOWED_USERS
SUPERMEMORY_API_KEY TELEGRAM_ALLOW_ALL_USERS TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN TWILIO_PHONE_NUMBER VERTEX_CREDENTIALS_PATH
WECOM_ALLOWED_USERS WECOM_WEBSOCKET_URL WHATSAPP_ALLOWED_USERS WHATSAPP_ALLOW_ALL_USERS WHATSAPP_HOME_CHANNEL
WHATSAPP_HOME_CHANNEL_NAME
"""
_TASKS = """approval compression curator kanban_decomposer mcp profile_describer skills_hub title_generation triage_specifier
vision web_extract"""

FACTS = replace(
    LATER,
    version="0.16.0",
    config_version=27,
    built_in_providers=LATER.built_in_providers | {"google-gemini-cli"},
    provider_aliases=MappingProxyType(
        {**LATER.provider_aliases, "gemini-cli": "google-gemini-cli", "gemini-oauth": "google-gemini-cli"}
    ),
    known_env=(LATER.known_env - frozenset(_UNKNOWN_ENV.split()))
    | {"HERMES_GEMINI_CLIENT_ID", "HERMES_GEMINI_CLIENT_SECRET", "HERMES_GEMINI_PROJECT_ID"},
    auxiliary_tasks=tuple(_TASKS.split()),
    secret_sources=("bitwarden",),
    managed_scope=False,
    onepassword_env=False,
    messages_strip_v1=False,
    old_model_spellings=False,
    entry_named_custom=False,
    base_url_without_provider=False,
    headers_in_settings=False,
    plain_custom_responses=True,
    cron_url_is_checked=False,
    task_chains=False,
    moa_presets=False,
    gateway_choices=False,
    denies_commands=False,
    sources=MappingProxyType(
        {
            "*": RUN,
            "config_version": "hermes_cli/config.py, DEFAULT_CONFIG of the installed release",
            "known_env": "hermes_cli/config.py, OPTIONAL_ENV_VARS and _EXTRA_ENV_KEYS of the installed release",
            "auxiliary_tasks": "hermes_cli/config.py, DEFAULT_CONFIG of the installed release",
            "cron_url_is_checked": "cron/scheduler.py of the installed release has no such check",
            "task_chains": "in runs; agent/auxiliary_client.py, _resolve_single_provider, passes arguments that do not exist",
            "moa_presets": "tools/mixture_of_agents_tool.py and tools/openrouter_client.py of the installed release, not run",
            "gateway_choices": "gateway/session.py, config.py and platforms/api_server.py of the installed release",
            "secret_sources": "agent/secret_sources of the installed release",
        }
    ),
)
