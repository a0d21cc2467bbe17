"""All rules that come with the product."""

from __future__ import annotations

from provision.detect.rule import Rule

BUILTIN: tuple[Rule, ...] = ()
