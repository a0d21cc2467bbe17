"""Names of settings, files and variables of Hermes, and numbers and lists that all known releases share.

Each fact was read in the source of Hermes 0.19.0 and confirmed in runs of the real program (`tests/acceptance`). What differs
between releases is in `HermesFacts` (`release.py`), one value per release. `docs/hermes.md` explains the same facts in prose.
Nothing here is provision's own choice, except that managed pins (`MANAGED_…`) are what provision must write.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from provision.hermes.facts.newer_env import CONFIG_BACKEND_ENV

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_CONTEXT_LENGTH: Final = 64_000
"""Hermes exits 1 before any request when `model.context_length` is lower."""
NO_KEY: Final = "no-key-required"
"""What Hermes sends as the key, without a warning, when it finds none for a custom endpoint."""
MIN_KEY_CHARS: Final = 4
"""`auth.has_usable_secret` drops shorter values."""
_PLACEHOLDERS = "* ** *** changeme your_api_key your_api_key_here your-api-key placeholder example dummy null none"
DROPPED_KEYS: Final = frozenset(_PLACEHOLDERS.split())
"""Values that `auth.has_usable_secret` drops, in any case. `your-api-key-here` and `sk-…` placeholders are sent."""

API_MODES: Final = frozenset(
    {"chat_completions", "codex_responses", "anthropic_messages", "bedrock_converse", "codex_app_server"}
)
"""`runtime_provider._VALID_API_MODES`. Hermes drops any other value silently."""
MODE_PATHS: Final = MappingProxyType(
    {
        "chat_completions": "/chat/completions",
        "codex_responses": "/responses",
        "anthropic_messages": "/v1/messages",
    }
)
"""What the client libraries append to the base URL, for each API mode that provision renders."""
OPENROUTER_URL: Final = "https://openrouter.ai/api/v1"
"""Where Hermes sends requests when nothing else gives an endpoint."""
OPENAI_URL: Final = "https://api.openai.com/v1"
"""The endpoint of the built-in provider `openai-api`."""

# Names of settings in config.yaml.
PROVIDERS: Final = "providers"
CUSTOM_PROVIDERS: Final = "custom_providers"
FALLBACK_PROVIDERS: Final = "fallback_providers"
FALLBACK_MODEL: Final = "fallback_model"
DELEGATION: Final = "delegation"
AUXILIARY: Final = "auxiliary"
MODEL_ALIASES: Final = "model_aliases"
VERSION_KEY: Final = "_config_version"
CONTEXT_LENGTH: Final = "context_length"
EXTRA_HEADERS: Final = "extra_headers"
EXTRA_BODY: Final = "extra_body"
SSL_VERIFY: Final = "ssl_verify"
SSL_CA_CERT: Final = "ssl_ca_cert"
BASE_URL: Final = "base_url"
API_BASE: Final = "api_base"
"""An old spelling of `base_url`, read in `model` and at the top level only."""
URL_KEYS: Final = ("api", "url", BASE_URL)
"""Spellings of the URL in an entry of `providers`. The first one that is set wins."""
ALL_URL_KEYS: Final = (*URL_KEYS, "baseUrl")
"""`URL_KEYS`, and the spelling that counts only where Hermes reads the entry in its compatible form."""
API_KEY: Final = "api_key"
INLINE_KEYS: Final = frozenset({API_KEY, "apiKey"})
"""Spellings of a key in clear."""
KEY_ENV: Final = "key_env"
"""The setting that names the variable with the key."""
KEY_ENV_ALIASES: Final = ("api_key_env", "apiKeyEnv")
"""Other spellings of `key_env`. Hermes ignores them when it reads an entry of `providers` directly."""
KEY_ENV_KEYS: Final = (KEY_ENV, "api_key_env", "keyEnv", "apiKeyEnv")
API_MODE: Final = "api_mode"
TRANSPORT: Final = "transport"
MODE_KEYS: Final = (API_MODE, TRANSPORT, "apiMode")
CAMEL_CASE_KEYS: Final = MappingProxyType(
    {
        "apiKey": API_KEY,
        "baseUrl": BASE_URL,
        "apiMode": API_MODE,
        "keyEnv": KEY_ENV,
        "apiKeyEnv": KEY_ENV,
        "defaultModel": "default_model",
    }
)
"""Camel-case spellings that `config._normalize_custom_provider_entry` accepts, and the settings they stand for."""
ROUTE_KEYS_IN_MODEL: Final = (
    BASE_URL,
    API_BASE,
    "api",
    API_KEY,
    "apiKey",
    API_MODE,
    TRANSPORT,
    "model",
    "name",
    *KEY_ENV_KEYS,
)
"""Keys of `model` that set or change a route beside the named provider."""
ROUTE_KEYS_AT_ROOT: Final = ("provider", BASE_URL, API_BASE, API_KEY)
"""Keys at the top level of `config.yaml` that Hermes moves into `model`."""
CUSTOM_PREFIX: Final = "custom:"
"""In front of a provider's name: the entry of that name, never a built-in provider."""
KEY_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"})
"""Headers that carry credentials; as extra headers they are sent beside or instead of the key."""

# Names in auth.json.
CREDENTIAL_POOL: Final = "credential_pool"
POOL_TOKENS: Final = ("access_token", API_KEY, "refresh_token", "agent_key")
"""Fields of a pool entry that hold a key or token."""
POOL_STATUS: Final = (
    "last_status",
    "last_status_at",
    "last_error_code",
    "last_error_reason",
    "last_error_message",
    "last_error_reset_at",
)
"""Fields of a pool entry in which Hermes notes that the gateway refused its key."""
POOL_HOLD_S: Final = MappingProxyType({401: 300})
POOL_DEFAULT_HOLD_S: Final = 3600
"""Seconds for which a refused pool entry is not used, by HTTP status and otherwise (`agent/credential_pool.py`)."""

CONFIG_NAME: Final = "config.yaml"
ENV_NAME: Final = ".env"
ONEPASSWORD_ENV_NAME: Final = ".op.env"
AUTH_NAME: Final = "auth.json"
JOBS_NAME: Final = "cron/jobs.json"
GATEWAY_NAME: Final = "gateway.json"
"""Older settings of the messaging gateway, which config.yaml overrides (`gateway.config.load_gateway_config`)."""
STATE_NAME: Final = "state.db"
SESSIONS_NAME: Final = "sessions/sessions.json"
HOOKS_FOLDER: Final = "hooks"
PROVIDER_PLUGINS_FOLDER: Final = "plugins/model-providers"
JOBS_LOCK_NAME: Final = "cron/.jobs.lock"
"""Locked by Hermes from reading to writing the jobs (`cron.jobs._jobs_lock`)."""
PROFILES_FOLDER: Final = "profiles"
ACTIVE_PROFILE_NAME: Final = "active_profile"
MANAGED_DIR: Final = "/etc/hermes"
"""The managed scope of a POSIX machine. `HERMES_MANAGED_DIR` replaces it; if that folder is missing, Hermes uses none."""
PROFILE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

# Names of environment variables.
CUSTOM_BASE_URL_ENV: Final = "CUSTOM_BASE_URL"
INFERENCE_MODEL_ENV: Final = "HERMES_INFERENCE_MODEL"
INFERENCE_PROVIDER_ENV: Final = "HERMES_INFERENCE_PROVIDER"
MANAGED_DIR_ENV: Final = "HERMES_MANAGED_DIR"
IGNORE_CONFIG_ENV: Final = "HERMES_IGNORE_USER_CONFIG"
HOME_ENV: Final = "HERMES_HOME"
REDACT_SECRETS_ENV: Final = "HERMES_REDACT_SECRETS"
YOLO_ENV: Final = "HERMES_YOLO_MODE"
POLICY_ENV: Final = (YOLO_ENV, REDACT_SECRETS_ENV)
"""Variables that a policy sets, because Hermes lets them decide over `config.yaml`."""
DUMP_REQUESTS_ENV: Final = "HERMES_DUMP_REQUEST_STDOUT"
OPENROUTER_KEY_ENV: Final = "OPENROUTER_API_KEY"
OPENAI_KEY_ENV: Final = "OPENAI_API_KEY"
OLLAMA_KEY_ENV: Final = "OLLAMA_API_KEY"
ONEPASSWORD_TOKEN_ENV: Final = "OP_SERVICE_ACCOUNT_TOKEN"  # noqa: S105  the name of a variable
DOTENV_DISABLED_ENV: Final = "PYTHON_DOTENV_DISABLED"
"""python-dotenv loads no `.env` when this variable is true."""
HIJACKING_ENV: Final = (
    CUSTOM_BASE_URL_ENV,
    INFERENCE_MODEL_ENV,
    MANAGED_DIR_ENV,
    IGNORE_CONFIG_ENV,
    HOME_ENV,
    CONFIG_BACKEND_ENV,
)
"""Variables that change the route when a `.env` sets them, on this release or a newer one. An install removes these lines."""
MODEL_ENV_ELSEWHERE: Final = ("HERMES_MODEL",)
"""Variables that change the model of cron jobs and the terminal interface, but not of `hermes -z`."""
_DENIED = """LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_DEBUG DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH DYLD_FRAMEWORK_PATH
DYLD_FALLBACK_LIBRARY_PATH DYLD_FALLBACK_FRAMEWORK_PATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE
PYTHONNOUSERSITE NODE_OPTIONS NODE_PATH PATH SHELL BROWSER EDITOR VISUAL PAGER GIT_SSH_COMMAND GIT_EXEC_PATH GIT_SHELL
HERMES_HOME HERMES_PROFILE HERMES_CONFIG HERMES_ENV"""
DENIED_ENV: Final = frozenset(_DENIED.split())
"""Names that Hermes' own writer refuses (`hermes_cli/config.py`, `_ENV_VAR_NAME_DENYLIST`): they run or redirect programs."""
WEAKENING_ENV: Final[Mapping[str, str]] = MappingProxyType(
    {
        REDACT_SECRETS_ENV: "Hermes shows secrets in its output and logs",
        "HERMES_YOLO_MODE": "Hermes runs commands without asking",
        "HERMES_SKIP_CHMOD": "Hermes leaves its files readable for other users",
        DUMP_REQUESTS_ENV: "Hermes prints whole requests, headers included",
        DOTENV_DISABLED_ENV: "Hermes does not load any .env",
    }
)
"""Variables that weaken Hermes' protections, and the effect of each."""
PROXY_ENV: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
TRUST_ENV: Final = ("HERMES_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
CREDENTIAL_SUFFIXES: Final = ("_API_KEY", "_TOKEN", "_SECRET", "_KEY")
"""Hermes strips non-ASCII characters from the values of variables with these endings, and masks them in its output."""
MANAGED_PROVIDER_PINS: Final[Mapping[str, str | bool]] = MappingProxyType(
    {API_KEY: "", EXTRA_HEADERS: "", EXTRA_BODY: "", SSL_VERIFY: True, SSL_CA_CERT: ""}
)
"""What a managed config must set in its provider's entry, beside `name` and the URL in all of `URL_KEYS`.

With these pins, nothing that a user adds to the entry counts, and the key still comes from the user's `.env` through
`key_env`. Seen in runs: an empty `api_key` (also null, also `${KEY_ENV}`) counts as no key, so Hermes reads `key_env`; a
user's `api_key` or `api` in the same entry then changes nothing. A user's `extra_headers: {Authorization: …}` is sent
unless the managed value is something other than a mapping.
"""
MANAGED_MODEL_PINS: Final[Mapping[str, str]] = MappingProxyType({"default_headers": "", EXTRA_HEADERS: ""})
"""What a managed config must set under `model`. Otherwise Hermes sends a user's headers there in place of the key."""
MANAGED_ROOT_PINS: Final[Mapping[str, list[str]]] = MappingProxyType({CUSTOM_PROVIDERS: []})
"""What a managed config must set at its top level.

With `custom_providers` an empty list, Hermes finds no credential pool for custom endpoints. Then neither a manual entry of
`auth.json` nor a user's `custom_providers` entry of the same name replaces the key. (Hermes then also takes `key_env`
before an inline `api_key`.)
"""
MANAGED_ENV_PINS: Final = MappingProxyType({CUSTOM_BASE_URL_ENV: "", INFERENCE_MODEL_ENV: ""})
"""What a managed `.env` must set: the empty value wins over the user's `.env` and the shell, and counts as unset."""
# No pin prevents these three: an entry of the user's, before ours, whose name normalizes to the same (`AISA` before `aisa`);
# HERMES_MANAGED_DIR in the user's .env, which switches the managed scope off; `--provider custom:mine`.

_PROVIDER_KEYS = """ALIBABA_CODING_PLAN_API_KEY ANTHROPIC_API_KEY ANTHROPIC_TOKEN ARCEEAI_API_KEY AZURE_FOUNDRY_API_KEY
CLAUDE_CODE_OAUTH_TOKEN DASHSCOPE_API_KEY DEEPINFRA_API_KEY DEEPSEEK_API_KEY FIREWORKS_API_KEY GEMINI_API_KEY GLM_API_KEY
GMI_API_KEY GOOGLE_API_KEY HF_TOKEN KILOCODE_API_KEY KIMI_API_KEY KIMI_CN_API_KEY KIMI_CODING_API_KEY MINIMAX_API_KEY
MINIMAX_CN_API_KEY NOVITA_API_KEY NVIDIA_API_KEY OLLAMA_API_KEY OPENAI_API_KEY OPENCODE_GO_API_KEY OPENCODE_ZEN_API_KEY
STEPFUN_API_KEY TOKENHUB_API_KEY UPSTAGE_API_KEY XAI_API_KEY XIAOMI_API_KEY ZAI_API_KEY Z_AI_API_KEY"""
PROVIDER_KEY_ENV: Final = tuple(_PROVIDER_KEYS.split())
"""If the configuration names no provider, Hermes chooses the provider of the first of these variables that is set."""
_FAMILIES = """sonnet opus haiku claude gpt5 gpt codex o3 o4 gemini deepseek grok llama qwen minimax nemotron kimi glm step mimo
trinity"""
MODEL_FAMILIES: Final = frozenset(_FAMILIES.split())
"""Short model names. In HERMES_INFERENCE_MODEL they make Hermes use the vendor's provider instead of the configured one."""
