"""What differs between releases of Hermes, as one frozen value per release.

Names and numbers that all known releases share are constants in this room. What a release does in its own way is a field
here, and the rest of the tree asks the value that it is given: no other module names a version.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class HermesFacts:
    """The facts of one release. `verified`: the acceptance tests ran against it and agreed with the route model."""

    version: str
    verified: bool
    config_version: int
    """`_config_version`: a file with this value is not migrated."""
    built_in_providers: frozenset[str]
    """Providers that Hermes defines itself."""
    provider_aliases: Mapping[str, str]
    """Other names of built-in providers and of plain `custom`."""
    known_env: frozenset[str]
    """Variables that the start-up repair of `.env` recognizes inside a line."""
    auxiliary_tasks: tuple[str, ...]
    """Tasks with a section of their own under `auxiliary`."""
    secret_sources: tuple[str, ...]
    """Secret sources that ship with Hermes; others come from plug-ins."""
    managed_scope: bool = True
    """Reads `/etc/hermes` or HERMES_MANAGED_DIR over the home's files."""
    onepassword_env: bool = True
    """Reads `.op.env` of the home."""
    disabled_is_refused: bool = True
    """`enabled: false` refuses a provider that is requested by its bare name."""
    messages_strip_v1: bool = True
    """Messages mode removes a final `/v1` of the base URL before it appends its own path."""
    old_model_spellings: bool = True
    """`model.name` fills in `model.default`, and `api_base` fills in `model.base_url`."""
    entry_named_custom: bool = True
    """`model.provider: custom` means an entry with the name `custom`, if there is one."""
    base_url_without_provider: bool = True
    """`model.base_url` without a provider is used. Otherwise Hermes first chooses a provider by the keys that it finds."""
    headers_in_settings: bool = True
    """`extra_headers` of an entry and `model.default_headers` are sent."""
    plain_custom_responses: bool = False
    """A plain custom provider with `codex_responses` really uses the Responses API."""
    plain_custom_key_env: bool = False
    """A plain custom provider reads `model.key_env`."""
    env_bom_hides_first: bool = True
    """A byte order mark hides the first variable of a `.env`, unless a repair removes it."""
    managed_model_text: bool = False
    """A managed `model` that is text becomes `model.default`. Otherwise it replaces the whole section."""
    cron_url_is_checked: bool = True
    """A scheduled job with a URL of another host than its provider's is refused."""
    cron_model: bool = False
    """Reads `cron.model` and `cron.model_provider`, for jobs that name no provider."""
    live_voice: bool = False
    """Reads `voice.voice_chat_mode`: a voice model hears and speaks in the Desktop app."""
    health_export: bool = False
    """Reads `monitoring.export.otlp`: the messaging gateway exports health data, with variables as headers."""
    task_key_env: bool = True
    """An auxiliary task reads `key_env`. Otherwise a URL beside an entry needs `api_key` beside it, as the pins have it."""
    task_chains: bool = True
    """The `fallback_chain` of an auxiliary task works."""
    moa_presets: bool = True
    """`/moa` asks the models of a preset. Otherwise a tool of the agent asks OpenRouter, with OPENROUTER_API_KEY only."""
    gateway_choices: bool = True
    """The messaging gateway keeps the provider that a conversation chose, and reads `channel_overrides` and `model_routes`."""
    approvals_default: str = "smart"
    """The mode of approvals without `approvals.mode`."""
    denies_commands: bool = True
    """Reads `approvals.deny`."""
    deciding_env: frozenset[str] = frozenset()
    """Variables of `NEWER_DECIDING_ENV` that this release reads: with one of them our files do not decide."""
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where each fact was found, by the name of its field; `*` stands for the others."""

    def source_of(self, name: str) -> str:
        """Where a fact was found."""
        return self.sources.get(name) or self.sources["*"]


FACT_NAMES = tuple(f.name for f in fields(HermesFacts) if f.name not in {"version", "verified", "sources"})
"""The facts themselves, in order."""
