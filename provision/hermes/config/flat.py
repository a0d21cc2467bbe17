"""The settings of a configuration as a flat table of texts, to compare two of them value by value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Iterator


def flat_settings(text: bytes) -> dict[str, str]:
    """The values of a rendering by dotted path, as text; a rendering holds no secret. Empty for unreadable YAML."""
    try:
        data = parse_yaml11(text, facts.CONFIG_NAME).data
    except YamlError:
        return {}
    return dict(_leaves(data, ""))


def value_text(value: Any) -> str | None:
    """One value as messages show it; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value_text(value) or ""
