"""What of the things that rules find counts: for an audit, and before publishing. One detector, two policies.

An audit is precise: a person must triage each finding, so a named value counts when it looks like a credential. Before publishing
the question is whether any reader may see it: everything beside a secret's name goes, weak or short, a UUID or a word. There only
placeholders, references (variables, paths, program code) and masks stay.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.detect.not_secret import is_not_secret, is_reference_or_mask
from provision.detect.rules import named
from provision.detect.secret_names import names_secret, plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.rule import Rule

_WORDS_OF_PLACEHOLDERS = re.compile(
    r"(?i)example|sample|dummy|placeholder|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this|with|it)|redacted|removed|hidden"
    r"|(?:insert|enter|paste|put|goes)[-_ ]?(?:your|here|the)|^(?:your|my|the|an?|some|new|old)[-_ ].*|\.\.\.|…"
    r"|^<.*>$|^\[.*\]$|^[xX*.•#_?-]+$|^(?:pass|passwd|pwd|pw|user|username|foo|bar|baz|foobar|blah|string|value|text|todo)$"
)
_KINDS = re.compile(
    r"(?i)(?:str|string|text|bytes?|int|integer|number|float|bool|boolean|any|object|dict|list|map|array|optional|required|none"
    r"|void|char|type|typing|default|self|cls|this|auto|inherit|disabled|enabled|unset|unknown|missing|invalid|empty|given"
    r"|bearer|basic|digest|negotiate|oauth2?|ntlm|kerberos|plain|md5|file|env|prompt|stdin|keyring|undef(?:ined)?)[?!]?"
)
_IDENTIFIER = re.compile(r"\$?[A-Za-z_]\w*(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)*[?!:]?")
_CODE = re.compile(
    r"\w[(\[]|[)\]}][:,;]*$|^[\[({&*|>!]|=>|\?\?|\|\||&&|[$#]\{|\{\{|<%|%>|^[$%@][A-Za-z_({]|%[sdr]\b|^=|%\(|^f?\{|^[=!<>~]=|^[;,.:]+$"
)
_SENTENCE = re.compile(
    r"(?:[A-Z]\w*|an?|the)\s\S+\s\S.*|.*\s.*[.:?!]|.*%[sdr(].*|.*\{[A-Za-z_]?[^{}]*\}.*|.*<[a-z_-]+>.*", re.DOTALL
)
_PATH = re.compile(
    r"(?:\.{0,2}|~|[A-Za-z]:)[/\\][\w.\\/ -]*[a-z]{3}[\w.\\/ -]*|[\w./-]+\.(?:key|pem|txt|json|ya?ml|env|toml|py|conf)"
)
_ADDRESS = re.compile(r"(?i)https?://[^\s@?]*")
_PROSE_WORD = re.compile(
    r"(?i)in|if|is|to|and|or|for|from|with|as|of|on|the|an?|when|that|which|will|can|must|may|options?|flags?|args?|instead|parameter"
    r"|argument|value|are|was|not|be|by|it|this|at|has|have|should|etc"
)
_IN_PROSE = re.compile(rb"[.,]?[ \t]+[a-z(\x80-\xff]|'[a-z]\b|[ \t]+=")
_NEXT_PAIR = re.compile(r"[;&][A-Za-z_][\w.-]*=")
_STRING_PREFIXES = frozenset({"f", "b", "r", "u", "rb", "br", "fr", "rf"})
_QUOTES = frozenset({b'"', b"'"})
_SHORTEST = 2
_NAMED_IN = re.compile(
    r"(?i:(?:^|[_.-])(?:token|pass(?:word|wd|phrase)?|secrets?|pwd|keys?|credentials?|cookies?|auth)(?:$|[_.-]))"
    r"|[a-z](?:Token|Pass(?:word|wd|phrase)?|Secret|Key|Credentials?|Cookies?|Auth)(?:$|[A-Z_.])"
)
"""A variable that is named after what it holds: `session_key`, `self.apiKey`."""
_GIVEN = ("dsn-", "command-line-", "hermes-config-", "curl-user", "mysql-password", "sshpass")
"""Rules for values in a place that only secrets have: an address with a user, an option of a command."""


class Policy(StrEnum):
    """A policy; see the module's text."""

    AUDIT = "audit"
    PUBLISHING = "publishing"

    def rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Return the rules that a detector with these rules runs."""
        return (*rules, *named.RULES) if self is Policy.PUBLISHING else tuple(rules)

    def ignores(self, value: str, rule_id: str, name: str, before: bytes, after: bytes) -> bool:
        """Return whether a value that a rule found does not count. `before` and `after` are the bytes around it."""
        if rule_id.startswith(named.ID):
            return not names_secret(name) or _may_be_seen(value, rule_id, before, after)
        if self is Policy.PUBLISHING and rule_id.startswith(_GIVEN):
            return plain_value(value) or is_reference_or_mask(value) or bool(_WORDS_OF_PLACEHOLDERS.search(value))
        return is_not_secret(value, rule_id, before + value.encode("utf-8", "surrogateescape") + after)


def _may_be_seen(value: str, rule_id: str, before: bytes, after: bytes) -> bool:
    """Return whether a value beside a secret's name is a placeholder, a reference or a mask."""
    value = value.strip()
    if (
        len(value) < _SHORTEST
        or plain_value(value)
        or is_reference_or_mask(value)
        or _WORDS_OF_PLACEHOLDERS.search(value)
    ):
        return True
    if _KINDS.fullmatch(value) or _PATH.fullmatch(value) or _ADDRESS.fullmatch(value) or _is_name(value):
        return True
    match rule_id.removeprefix(named.ID):
        case "cookie":
            return "=" not in value
        case "quoted" | "element":
            return _SENTENCE.fullmatch(value) is not None
        case "flag":
            return value.startswith("-") or bool(_CODE.search(value) or _PROSE_WORD.fullmatch(value))
        case "line" if _NEXT_PAIR.search(value):
            return True  # `named-value` finds it without what follows
    if _CODE.search(value) or (value.lower() in _STRING_PREFIXES and after[:1] in _QUOTES):
        return True
    if value.isalpha() and before[-1:].isspace() and (_IN_PROSE.match(after) or _PROSE_WORD.fullmatch(value)):
        return True
    return _IDENTIFIER.fullmatch(value) is not None and _is_variable(value, before, after)


def _is_name(value: str) -> bool:
    """Return whether a value is the name of a secret: `cookie`, `SUDO_PASSWORD`."""
    return _IDENTIFIER.fullmatch(value) is not None and value.isascii() and names_secret(value) and value[-1:].isalpha()


def _is_variable(value: str, before: bytes, after: bytes) -> bool:
    """Return whether an identifier is a variable of a program rather than a password that is a word.

    `PASSWORD=word`, `?password=word&` and `password: word` to the end of the line are settings; `f(password=word)`,
    `password = word` and `password: word,` are code.
    """
    if "." in value or value.startswith("_") or _NAMED_IN.search(value):
        return True
    in_code = after[:1] in {b",", b")", b"]", b"}"} or before.endswith((b"= ", b":="))
    return in_code and not any(map(str.isdigit, value))
