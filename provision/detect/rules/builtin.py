"""All built-in rules, the exact ones before those that rely on names.

Where two rules find the same text with the same confidence, the earlier one wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.rules import (
    assigned,
    calls,
    commands,
    hashes,
    headers,
    keys,
    languages,
    models,
    programs,
    said,
    services,
    several,
    short_names,
    tables,
    tags,
    tools,
    vendors,
    web,
    words,
)

if TYPE_CHECKING:
    from provision.detect.rule import Rule

BUILTIN: tuple[Rule, ...] = (
    *models.RULES,
    *tools.RULES,
    *services.RULES,
    *vendors.RULES,
    *keys.RULES,
    *hashes.RULES,
    *web.RULES,
    *assigned.RULES,
    *short_names.RULES,
    *words.RULES,
    *said.RULES,
    *languages.RULES,
    *commands.RULES,
    *calls.RULES,
    *programs.RULES,
    *tags.RULES,
    *headers.RULES,
    *tables.RULES,
    *several.RULES,
)
