"""What is fixed in Hermes 0.19.0: names, numbers and file names that the rest of this package relies on.

Everything here was read in its source and seen in runs of the real program (`tests/acceptance`). When Hermes moves, run
those tests against the new release, then change this file; `docs/hermes.md` says the same in prose. Nothing here is ours.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HERMES_VERSION: Final = "0.19.0"
CONFIG_VERSION: Final = 33
"""`_config_version` of this release; with it in the file, `hermes config migrate` leaves every byte alone."""
MIN_CONTEXT_LENGTH: Final = 64_000
"""Hermes exits 1 before any request when `model.context_length` is lower."""
NO_KEY: Final = "no-key-required"
"""What Hermes sends as the key, without a warning, when it finds none for a custom endpoint."""
MIN_KEY_CHARS: Final = 4
"""`auth.has_usable_secret` drops shorter values."""
_PLACEHOLDERS = "* ** *** changeme your_api_key your_api_key_here your-api-key placeholder example dummy null none"
DROPPED_KEYS: Final = frozenset(_PLACEHOLDERS.split())
"""Values, whatever the case, that `auth.has_usable_secret` drops. `your-api-key-here` and `sk-…` placeholders are sent."""

API_MODES: Final = frozenset(
    {"chat_completions", "codex_responses", "anthropic_messages", "bedrock_converse", "codex_app_server"}
)
"""`runtime_provider._VALID_API_MODES`; anything else is dropped silently."""

CONFIG_NAME: Final = "config.yaml"
ENV_NAME: Final = ".env"
ONEPASSWORD_ENV_NAME: Final = ".op.env"
AUTH_NAME: Final = "auth.json"
JOBS_NAME: Final = "cron/jobs.json"
PROFILES_FOLDER: Final = "profiles"
ACTIVE_PROFILE_NAME: Final = "active_profile"
MANAGED_DIR: Final = "/etc/hermes"
"""Managed scope of a POSIX machine; `HERMES_MANAGED_DIR` replaces it, and none is used when that folder is missing."""
PROFILE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_BUILT_INS = """alibaba alibaba-coding-plan anthropic arcee azure-foundry bedrock copilot copilot-acp deep-infra deepinfra
deepinfra-ai deepseek fireworks fireworks-ai fw gemini gmi huggingface kilocode kimi-coding kimi-coding-cn
lmstudio minimax minimax-cn minimax-oauth moa nous novita novita-ai novitaai nvidia ollama-cloud openai-api
openai-codex opencode-go opencode-zen openrouter qwen-oauth solar stepfun tencent-tokenhub upstage vertex xai
xai-oauth xiaomi zai"""
BUILT_IN_PROVIDERS: Final = frozenset(_BUILT_INS.split())
"""Names that Hermes resolves itself (`auth.PROVIDER_REGISTRY`, plus those the resolver names one by one)."""

_ALIASES = """alibaba-cloud=alibaba alibaba-coding=alibaba-coding-plan alibaba_coding=alibaba-coding-plan
alibaba_coding_plan=alibaba-coding-plan amazon=bedrock amazon-bedrock=bedrock arcee-ai=arcee arceeai=arcee
aws=bedrock aws-bedrock=bedrock azure=azure-foundry azure-ai=azure-foundry azure-ai-foundry=azure-foundry
claude=anthropic claude-code=anthropic claude-oauth=anthropic codex=openai-codex copilot-acp-agent=copilot-acp
dashscope=alibaba dashscope-coding=alibaba-coding-plan deepseek-chat=deepseek gcp-vertex=vertex github=copilot
github-copilot=copilot github-copilot-acp=copilot-acp github-model=copilot github-models=copilot glm=zai
gmi-cloud=gmi gmicloud=gmi go=opencode-go google=gemini google-ai-studio=gemini google-gemini=gemini
google-vertex=vertex grok=xai grok-oauth=xai-oauth hf=huggingface hugging-face=huggingface
huggingface-hub=huggingface kilo=kilocode kilo-code=kilocode kilo-gateway=kilocode kimi=kimi-coding
kimi-cn=kimi-coding-cn kimi-for-coding=kimi-coding llama-cpp=custom llama.cpp=custom llamacpp=custom
lm-studio=lmstudio lm_studio=lmstudio local=custom mimo=xiaomi mini-max=minimax minimax-china=minimax-cn
minimax-global=minimax-oauth minimax-oauth-io=minimax-oauth minimax-portal=minimax-oauth minimax_cn=minimax-cn
minimax_oauth=minimax-oauth moonshot=kimi-coding moonshot-cn=kimi-coding-cn nous-portal=nous nousresearch=nous
nvidia-nim=nvidia ollama=custom ollama_cloud=ollama-cloud openai_codex=openai-codex opencode=opencode-zen
opencode-go-sub=opencode-go opencode_go=opencode-go opencode_zen=opencode-zen or=openrouter qwen=qwen-oauth
qwen-cli=qwen-oauth qwen-dashscope=alibaba qwen-portal=qwen-oauth step=stepfun stepfun-coding-plan=stepfun
tencent=tencent-tokenhub tencent-cloud=tencent-tokenhub tencentmaas=tencent-tokenhub tokenhub=tencent-tokenhub
vertex-ai=vertex vertexai=vertex vllm=custom x-ai=xai x-ai-oauth=xai-oauth x.ai=xai xai-grok-oauth=xai-oauth
xiaomi-mimo=xiaomi z-ai=zai z.ai=zai zen=opencode-zen zhipu=zai deep-infra=deepinfra deepinfra-ai=deepinfra
fireworks-ai=fireworks fw=fireworks novita-ai=novita novitaai=novita solar=upstage"""
PROVIDER_ALIASES: Final = MappingProxyType(dict(pair.split("=") for pair in _ALIASES.split()))
"""Other spellings of built-ins (and of plain `custom`), as `auth.resolve_provider` and the model-provider plugins map them."""

RESERVED_PROVIDERS: Final = BUILT_IN_PROVIDERS | frozenset(PROVIDER_ALIASES) | {"custom", "auto"}
"""Never name a provider so: Hermes would (or with the next release could) use its own instead."""

HIJACKING_ENV: Final = (
    "CUSTOM_BASE_URL",
    "HERMES_INFERENCE_MODEL",
    "HERMES_MANAGED_DIR",
    "HERMES_IGNORE_USER_CONFIG",
    "HERMES_HOME",
)
"""Names that change the route when a `.env` sets them; an install takes these lines out."""
MODEL_ENV_ELSEWHERE: Final = ("HERMES_MODEL",)
"""Names that change the model of cron jobs and the TUI, though not of `hermes -z`."""
PROXY_ENV: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
TRUST_ENV: Final = ("HERMES_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
CREDENTIAL_SUFFIXES: Final = ("_API_KEY", "_TOKEN", "_SECRET", "_KEY")
"""Hermes strips non-ASCII from the values of variables that end so."""
SECRET_SOURCES: Final = ("bitwarden", "onepassword")
"""The secret sources that ship with Hermes; others come from plugins."""

MANAGED_PROVIDER_PINS: Final[Mapping[str, str | bool]] = MappingProxyType(
    {"api_key": "", "extra_headers": "", "extra_body": "", "ssl_verify": True, "ssl_ca_cert": ""}
)
"""What a managed config must say in its provider's entry, beside `name` and the URL three times (`api`, `url`, `base_url`),
so that nothing a user adds to that entry counts, and the key still comes from the user's `.env` through `key_env`.

Runs show: an empty `api_key` (also null, also `${KEY_ENV}`) is no key, so `key_env` is read; a user's `api_key` or `api` in
the same entry then changes nothing. A user's `extra_headers: {Authorization: …}` would be sent, unless it is pinned to
something that is no mapping.
"""
MANAGED_MODEL_PINS: Final[Mapping[str, str]] = MappingProxyType({"default_headers": "", "extra_headers": ""})
"""What a managed config must say under `model`: headers a user puts there would be sent with every request, the key's too."""
MANAGED_ROOT_PINS: Final[Mapping[str, list[str]]] = MappingProxyType({"custom_providers": []})
"""What a managed config must say at its top level: with `custom_providers` an empty list, Hermes finds no credential pool for
custom endpoints, so neither a manual entry of `auth.json` nor a user's `custom_providers` entry of the same name replaces
the key. (Hermes then also takes `key_env` before an inline `api_key`.)
"""
MANAGED_ENV_PINS: Final = MappingProxyType({"CUSTOM_BASE_URL": "", "HERMES_INFERENCE_MODEL": ""})
"""What a managed `.env` must say: an empty value beats a user's and the shell's, and counts as none."""
# What no pin prevents: a second entry of the user's whose name normalises to the same (`AISA` beside `aisa`) stands first
# and wins; `HERMES_MANAGED_DIR` in the user's .env switches the scope off; `--provider custom:mine`.

_PROVIDER_KEYS = """ALIBABA_CODING_PLAN_API_KEY ANTHROPIC_API_KEY ANTHROPIC_TOKEN ARCEEAI_API_KEY AZURE_FOUNDRY_API_KEY
CLAUDE_CODE_OAUTH_TOKEN DASHSCOPE_API_KEY DEEPINFRA_API_KEY DEEPSEEK_API_KEY FIREWORKS_API_KEY GEMINI_API_KEY GLM_API_KEY
GMI_API_KEY GOOGLE_API_KEY HF_TOKEN KILOCODE_API_KEY KIMI_API_KEY KIMI_CN_API_KEY KIMI_CODING_API_KEY MINIMAX_API_KEY
MINIMAX_CN_API_KEY NOVITA_API_KEY NVIDIA_API_KEY OLLAMA_API_KEY OPENAI_API_KEY OPENCODE_GO_API_KEY OPENCODE_ZEN_API_KEY
STEPFUN_API_KEY TOKENHUB_API_KEY UPSTAGE_API_KEY XAI_API_KEY XIAOMI_API_KEY ZAI_API_KEY Z_AI_API_KEY"""
PROVIDER_KEY_ENV: Final = tuple(_PROVIDER_KEYS.split())
"""Variables whose mere presence makes Hermes choose their provider, when the configuration names none."""
_FAMILIES = """sonnet opus haiku claude gpt5 gpt codex o3 o4 gemini deepseek grok llama qwen minimax nemotron kimi glm step mimo
trinity"""
MODEL_FAMILIES: Final = frozenset(_FAMILIES.split())
"""Short model names; in HERMES_INFERENCE_MODEL they make Hermes leave the configured provider for the vendor's own."""
