"""What the rules for values beside a name have in common.

Such a rule describes a way of writing (`set -gx NAME VALUE`, a cell of a table) and takes any value. The policy decides: an audit
reports a value that looks like a credential, before publishing everything
goes except placeholders, references and code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.pieces import BLANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from provision.detect.rule import Example, NamedValue, Opens

ID = "assigned-by-"
"""How the ids of these rules begin."""
GIVEN = "assigned-by-given-"
"""The same for values in a place that only secrets have: `curl -u`, `requirepass`."""
PROSE = "assigned-by-words"
"""The same for text, where the name is often followed by a sentence."""
COLUMN = "assigned-by-column-"
"""The same for columns of a table, all found by one function."""
LOGINS = (
    "smtp", "mail", "email", "imap", "db", "database", "ftp", "ldap", "user", "admin", "root", "login", "proxy", "store", "key",
    "http",
)  # fmt: skip
"""What may be right before `pass` in the name of a password."""
SHORT_NAMES = (
    r"jwt|psk|authtok|passcode|passkey|[_.-]pass|[_.-]pw|\bpw|(?:bind|root|admin|user)pw"
    rf"|(?:{'|'.join(LOGINS)})pass"
)
"""Short names that suggest a secret."""
_ENDING = (
    r"(?:(?:api|secret|private|access|auth|account|encryption|signing|master|license|storage|service"
    r"|session|webhook|shared|deploy|subscription|client|app)[_.-]?keys?|[_-]key|token|secrets?|passw(?:or)?d|passwort|passwd"
    rf"|passphrase|pwd|{SHORT_NAMES}|credentials?|authorization|cookie|bearer|requirepass|masterauth|secret_key_base)"
    r"(?:[_-]?(?:\d{1,3}|v\d|value|prod(?:uction)?|dev|test|staging|live|current|old|new|primary|secondary|backup|main|default))?"
)
_BEGINNING = r"(?P<name>[0-9A-Za-z_.-]{0,60}?"
NAME = f"{_BEGINNING}{_ENDING})"
"""A name that suggests a secret."""
ENDS = (
    "_key",
    "-key",
    "apikey",
    "api.key",
    "secretkey",
    "accesskey",
    "authkey",
    "token",
    "secret",
    "secrets",
    "password",
    "passwd",
    "passwort",
    "passphrase",
    "passcode",
    "passkey",
    "pwd",
    "jwt",
    "psk",
    "credential",
    "credentials",
    "authorization",
    "cookie",
)
"""How such names end, as keywords."""
VALUE = r"[^\s\"'`<>|,;&(){}\\]"
"""A byte of a value without quotes."""


def beside(
    name: str,
    description: str,
    before: str,
    *examples: Example,
    keywords: Iterable[str],
    not_found: tuple[Example, ...],
    start: str = "",
    gate: str | None = "",
    value: str = VALUE,
    last: str = "",
    after: str = "",
    reach: int = 600,
    shortest: int = 4,
) -> Rule:
    """A rule for values of `shortest` bytes or more after `start` (which may hold anchors) and `before`.

    `value` is one byte of a value, `last` its last one. The gate is `gate`, or the last part of `before` from the end of the
    name on, and the value's first bytes. Without a gate the rule runs around each keyword: for keywords that
    are rare in other text.
    """
    return Rule(
        id=ID + name,
        description=description,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=tuple(dict.fromkeys(keywords)),
        pattern=rf"(?im){start}{before}(?P<secret>{value}{{{shortest - 1 if last else shortest},200}}{last}){after}",
        gate=None
        if gate is None
        else rf"(?i){gate or for_gate(before)}{for_gate(value)}{{{shortest - 1 if last else shortest}}}",
        examples=examples,
        counter_examples=not_found,
        reach=reach,
    )


def found_by(
    name: str,
    description: str,
    find: Callable[[bytes, int, int], Iterator[NamedValue]],
    gate: str | None,
    *examples: Example,
    keywords: Iterable[str],
    not_found: tuple[Example, ...],
    reach: int,
    opens: Opens | None = None,
) -> Rule:
    """A rule whose values are found by a function: a column of a table has many values for one name."""
    return Rule(
        id=ID + name,
        description=description,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=tuple(dict.fromkeys(keywords)),
        pattern=r"(?P<secret>\S{4,250})",
        gate=gate,
        examples=examples,
        counter_examples=not_found,
        reach=reach,
        find=find,
        opens=opens,
    )


def for_gate(pattern: str) -> str:
    """The same from the end of the name on, without groups, and without `\\s` inside classes (engines differ on it)."""
    _, begins, after = pattern.rpartition(_BEGINNING)
    plain = after.replace(f"{_ENDING})", _ENDING, 1) if begins else pattern
    return re.sub(r"\(\?P<\w+>", "(?:", plain).replace(r"[^\s", f"[^{BLANK}")


def utf8(text: str) -> str:
    """Text for a pattern: patterns are over bytes, one character each."""
    return text.encode().decode("latin-1")


def each(ends: Iterable[str], follows: Iterable[str]) -> Iterator[str]:
    """Keywords: each end of a name with each text that follows it."""
    follow = tuple(follows)
    return (end + text for end in ends for text in follow)
