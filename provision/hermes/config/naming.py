"""How Hermes 0.19 compares names and addresses of providers, and in which order it reads a provider's spellings.

From `hermes_cli/runtime_provider.py` (`_normalize_custom_provider_name`, `_get_named_custom_provider`) and
`hermes_cli/config.py` (`_normalize_custom_provider_entry`), seen in runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

URL_KEYS = ("api", "url", "base_url", "baseUrl")
"""Spellings of a provider's address: the first one that is set wins on the route."""
INLINE_KEYS = frozenset({"api_key", "apiKey"})
"""Spellings of a key in the clear."""
KEY_ENV_KEYS = ("key_env", "api_key_env", "keyEnv", "apiKeyEnv")
MODE_KEYS = ("api_mode", "transport", "apiMode")


def normalized_name(name: object) -> str:
    """A provider's name as Hermes compares it: ` AIsa Gateway` is `aisa-gateway`; `custom:` in front does not count."""
    return str(name).strip().lower().replace(" ", "-").removeprefix("custom:")


def effective_url(entry: Mapping[str, Any]) -> str:
    """The address Hermes takes from a provider's entry; empty when there is none."""
    return next((str(entry[key]).strip() for key in URL_KEYS if entry.get(key)), "")


def host_and_port(url: object) -> tuple[str, int] | None:
    """Host and port of an address, for telling whether two entries reach the same gateway; None when it has none."""
    try:
        parts = urlsplit(str(url).strip())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower(), 0)
    except ValueError:
        return None
    return (parts.hostname.rstrip("."), port) if parts.hostname else None
