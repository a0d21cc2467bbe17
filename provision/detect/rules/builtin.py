"""All rules that come with the product, the exact ones before the guessing ones.

Where two rules find the same text with the same confidence, the earlier one names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.rules import assigned, keys, models, services, tools, web

if TYPE_CHECKING:
    from provision.detect.rule import Rule

BUILTIN: tuple[Rule, ...] = (*models.RULES, *tools.RULES, *services.RULES, *keys.RULES, *web.RULES, *assigned.RULES)
