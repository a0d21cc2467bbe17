"""The facts of Hermes 0.18.2, where they differ from those of 0.19.0. Found in runs of the real program."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from provision.hermes.facts.v0_19 import FACTS as LATER
from provision.hermes.facts.v0_19 import RUN as RUN  # noqa: PLC0414  an explicit re-export

_LATER_PROVIDERS = frozenset(
    ["deep-infra", "deepinfra", "deepinfra-ai", "fireworks", "fireworks-ai", "fw", "solar", "upstage"]
)
_LATER_ENV = """DEEPINFRA_API_KEY DEEPINFRA_BASE_URL FIREWORKS_API_KEY GOOGLE_CHAT_HTTP_EVENTS_AUDIENCE
GOOGLE_CHAT_HTTP_EVENTS_SERVICE_ACCOUNT_EMAIL GOOGLE_CHAT_HTTP_EVENTS_URL UPSTAGE_API_KEY UPSTAGE_BASE_URL"""

FACTS = replace(
    LATER,
    version="0.18.2",
    built_in_providers=LATER.built_in_providers - _LATER_PROVIDERS,
    provider_aliases=MappingProxyType(
        {name: target for name, target in LATER.provider_aliases.items() if target not in _LATER_PROVIDERS}
    ),
    known_env=LATER.known_env - frozenset(_LATER_ENV.split()),
    auxiliary_tasks=tuple(task for task in LATER.auxiliary_tasks if task not in {"goal_judge", "memory_query_rewrite"}),
    disabled_is_refused=False,
    approvals_default="manual",
    task_key_env=False,
)
