"""Compare names and URLs of providers as Hermes does.

From `hermes_cli/runtime_provider.py` (`_normalize_custom_provider_name`, `_get_named_custom_provider`) and
`hermes_cli/config.py` (`_normalize_custom_provider_entry`), seen in runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def normalized_name(name: object) -> str:
    """Normalize a provider's name as Hermes does: ` AIsa Gateway` is `aisa-gateway`; a prefix `custom:` is removed."""
    return str(name).strip().lower().replace(" ", "-").removeprefix(facts.CUSTOM_PREFIX)


def effective_url(entry: Mapping[str, Any]) -> str:
    """Return the URL that Hermes takes from a provider's entry, or the empty string."""
    return next((str(entry[key]).strip() for key in facts.ALL_URL_KEYS if entry.get(key)), "")


def leads_only(holder: object, here: Callable[[str], bool]) -> bool:
    """Return whether a mapping has a URL, and no URL that is not `here`: a key in it goes there."""
    values = holder.values() if isinstance(holder, dict) else ()
    urls = [value for value in values if isinstance(value, str) and "://" in value]
    return bool(urls) and all(map(here, urls))


def host_and_port(url: object) -> tuple[str, int] | None:
    """Return host and port of a URL, to compare whether two entries reach the same gateway. None for an invalid URL."""
    try:
        parts = urlsplit(str(url).strip())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower(), 0)
    except ValueError:
        return None
    return (parts.hostname.rstrip("."), port) if parts.hostname else None
