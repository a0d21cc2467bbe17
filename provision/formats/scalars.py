"""The meaning of unquoted words in YAML, and words that YAML parsers read differently.

Hermes reads YAML 1.1 (PyYAML), editors mostly 1.2: `no`, `010`, `1:30` or `2026-01-31` are different values to them. Such words
are errors unless they are quoted, so that no setting changes its meaning between programs.
"""

from __future__ import annotations

import re

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]{1,30}(?:[eE][-+][0-9]{1,2})?\Z")
_SWITCH = re.compile(r"(?:yes|no|on|off)\Z", re.IGNORECASE)
_NUMBERISH = re.compile(
    r"""(?x) (?: [-+]? (?: [0-9][0-9_]* | 0o[0-7]+ | 0x[0-9a-fA-F_]+ | 0b[01_]+
        | [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?:\.[0-9_]*)?
        | (?: [0-9][0-9_]*\.?[0-9_]* | \.[0-9_]+ ) (?: [eE][-+]?[0-9]+ )?
        | \.(?:inf|Inf|INF) )
      | \.(?:nan|NaN|NAN) ) \Z"""
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:\Z|[Tt \t])")
_SPECIAL = frozenset("tTfFyYnNoO~+-.0123456789=<")
"""First characters of unquoted words that may be anything but text."""


class AmbiguousError(ValueError):
    """An unquoted word that YAML parsers read differently; the message lists its meanings."""


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted YAML word. Raises AmbiguousError for a word that is only safe in quotes."""
    if not text:
        return None
    if text[0] not in _SPECIAL:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    _refuse_ambiguous(text)
    return text


def _refuse_ambiguous(text: str) -> None:
    if _SWITCH.match(text):
        meant = "true" if text.lower() in {"yes", "on"} else "false"
        raise AmbiguousError(f'{text} is {meant} in some YAML parsers and text in others: write {meant} or "{text}"')
    if _NUMBERISH.match(text):
        raise AmbiguousError(
            f'{text[:40]} is read as different numbers or as text by YAML parsers: write "{text[:40]}"'
        )
    if _DATE.match(text):
        raise AmbiguousError(f'{text[:40]} is a date in some YAML parsers and text in others: write "{text[:40]}"')
    if text in {"=", "<<"}:
        raise AmbiguousError(f'{text} has a special meaning in old YAML: write "{text}" if it is text')
