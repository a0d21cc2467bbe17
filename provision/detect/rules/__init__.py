"""All rules that come with the product, the exact ones before the guessing ones.

Where two rules find the same text with the same confidence, the earlier one names it.
"""

from __future__ import annotations

from provision.detect.rule import Rule
from provision.detect.rules import assigned, keys, models, services, web

BUILTIN: tuple[Rule, ...] = (*models.RULES, *services.RULES, *keys.RULES, *web.RULES, *assigned.RULES)
