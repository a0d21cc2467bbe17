"""What of the things that rules find counts: for an audit, and before publishing. One detector, two policies.

An audit is precise: a person must triage each finding, so a named value counts when it looks like a credential. Before publishing
the question is whether any reader may see it: everything beside a secret's name goes, weak or short, a UUID or a word. There only
placeholders, references (variables, paths, program code) and masks stay.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.detect.assignments import plausible_bare, plausible_password, plausible_quoted
from provision.detect.entropy import word_share
from provision.detect.not_secret import is_not_secret, is_reference_or_mask
from provision.detect.rules import beside, named
from provision.detect.secret_names import names_secret, plain_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.rule import Rule

_WORDS_OF_PLACEHOLDERS = re.compile(
    r"(?i)example|sample|dummy|placeholder|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this|with|it)|redacted|removed|hidden"
    r"|(?:insert|enter|paste|put|goes)[-_ ]?(?:your|here|the)|^(?:your|my|the|an?|some|new|old)[-_ ].*|\.\.\.|…"
    r"|^<.*>$|^\[.*\]$|^[xX*.•#_?-]+$|^(?:pass|passwd|pwd|pw|user|username|foo|bar|baz|foobar|blah|string|value|text|todo|foo=bar)$"
    r"|^(?:my|your|other|some|the)[-_]?(?:secret|password|passwd|token|(?:api)?[-_]?key)\d*(?::\w+)?$"
)
_KINDS = re.compile(
    r"(?i)(?:str|string|text|bytes?|int|integer|number|float|bool|boolean|any|object|dict|list|map|array|optional|required|none"
    r"|void|char|type|typing|default|self|cls|this|auto|inherit|disabled|enabled|unset|unknown|missing|invalid|empty|given"
    r"|bearer|basic|digest|negotiate|eof|eol|oauth2?|ntlm|kerberos|plain|md5|file|env|prompt|stdin|keyring|undef(?:ined)?)[?!]?"
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
    r"|argument|value|are|was|not|be|by|it|this|at|has|have|should|etc|description|called|used|given"
)
_IN_PROSE = re.compile(rb"[.,]?[ \t]+[A-Za-z0-9(\x80-\xff]|'[a-z]\b|[ \t]+=")
_NEXT_PAIR = re.compile(r"[;&][A-Za-z_][\w.-]*=")
_STRING_PREFIXES = frozenset({"f", "b", "r", "u", "rb", "br", "fr", "rf"})
_QUOTES = frozenset({b'"', b"'"})
_SHORTEST = 2
_SHORTEST_WORD = 5
_NAMED_IN = re.compile(
    r"(?i:(?:^|[_.-])(?:token|pass(?:word|wd|phrase)?|secrets?|pwd|keys?|credentials?|cookies?|auth)(?:$|[_.-]))"
    r"|[a-z](?:Token|Pass(?:word|wd|phrase)?|Secret|Key|Credentials?|Cookies?|Auth)(?:$|[A-Z_.])"
)
"""A variable that is named after what it holds: `session_key`, `self.apiKey`."""
_GIVEN = ("dsn-", "command-line-", "hermes-config-", "curl-user", "mysql-password", "sshpass")
"""Rules for values in a place that only secrets have: an address with a user, an option of a command."""


_MARKS = frozenset({b'"', b"'", b"`", b">", b"|", b"("})
_NOT_A_WORD = re.compile(r"\d|\w[^\w\s.'\u2019,/:-]\w|[a-z][A-Z].*[a-z][A-Z]")
"""Something that words of a text do not have: a digit, a sign or several capitals inside."""
_COOKIES = "assigned-by-cookies"
_LOGIN = re.compile(r"(?i)sess|auth|token|login|user|remember|jwt|secret|key|pass|^s?id$|sid$|[_.-]id$")
"""Names of cookies that log a user in."""
_OFTEN_WORDS = frozenset({"assigned-by-cell", "assigned-by-tab", "named-argument"})
"""Rules for places in which words of a text are as likely as a secret."""
_COMPARED = re.compile(rb"[$]\{?[\w.-]+\}?[\"']?\s*[!=]=?\s*[\"']$")
"""A shell compares a variable, `[ "x$password" = "x` ; it sets none."""
_EXPANSION = re.compile(rb"\$\{[\w.-]+:$")
"""A shell's `${NAME:-value}`, which has a rule of its own."""
_EXAMPLE_HOST = re.compile(rb"\bexample[a-z]?(?:\\&)?\.(?:org|com|net)")
_NAMED_OTHERWISE = frozenset({"assigned-by-kubernetes", "assigned-by-input"})
"""Rules for places whose values are secrets whatever their name."""


class Policy(StrEnum):
    """A policy; see the module's text."""

    AUDIT = "audit"
    PUBLISHING = "publishing"

    def rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Return the rules that a detector with these rules runs."""
        return (*rules, *named.RULES) if self is Policy.PUBLISHING else tuple(rules)

    def ignores(self, value: str, rule_id: str, name: str, before: bytes, after: bytes) -> bool:
        """Return whether a value that a rule found does not count. `before` and `after` are the bytes around it."""
        if rule_id.startswith(beside.ID):
            return self._ignores_beside(value, rule_id, name, before, after)
        if rule_id.startswith(named.ID):
            words = rule_id in _OFTEN_WORDS and not _NOT_A_WORD.search(value)
            return (
                words
                or not names_secret(name)
                or _is_cookie(name, value)
                or _may_be_seen(value, rule_id, before, after)
            )
        if self is Policy.PUBLISHING and rule_id.startswith(_GIVEN):
            return _is_reference(value)
        return is_not_secret(value, rule_id, before + value.encode("utf-8", "surrogateescape") + after)

    def _ignores_beside(self, value: str, rule_id: str, name: str, before: bytes, after: bytes) -> bool:
        raw = value.encode("utf-8", "surrogateescape")
        given, prose = rule_id.startswith(beside.GIVEN), rule_id.startswith(beside.PROSE)
        likely = plausible_password if given else plausible_quoted if _marked(before, after) else plausible_bare
        if likely(raw) and not is_not_secret(value, rule_id, before + raw + after):
            return False
        if self is Policy.AUDIT:
            return True
        if given:
            return _is_reference(value)
        if rule_id == _COOKIES:
            word = value.isalpha() and (word_share(value) > 0.5 or len(value) < _SHORTEST_WORD)
            return _is_reference(value) or (word and not _LOGIN.search(name))
        if (prose or rule_id in _OFTEN_WORDS) and not (before[-1:] == b"`" or _NOT_A_WORD.search(value)):
            return True
        sure = prose or rule_id in _NAMED_OTHERWISE or not name or names_secret(name)
        return not sure or _may_be_seen(value, rule_id, before, after)


def _is_cookie(name: str, value: str) -> bool:
    """Return whether this is a header whose cookies the rule for cookies finds, or text about it."""
    return name.lower().endswith("cookie") and ("=" in value or not any(map(str.isdigit, value)))


def _marked(before: bytes, after: bytes) -> bool:
    """Return whether a value is between quotes, tags or bars, or is all there is to the end of its line."""
    return before[-1:] in _MARKS or not after.strip(b" \t`*\"'")[:1].strip(b"\r\n|<;,)}]")


def _may_be_seen(value: str, rule_id: str, before: bytes, after: bytes) -> bool:
    """Return whether a value beside a secret's name is a placeholder, a reference or a mask."""
    value = value.strip()
    if len(value) < _SHORTEST or _is_reference(value) or _COMPARED.search(before):
        return True
    if value[0] in "-=" and _EXPANSION.search(before):
        return True
    if _KINDS.fullmatch(value) or _PATH.fullmatch(value) or _ADDRESS.fullmatch(value) or _is_name(value):
        return True
    match rule_id.removeprefix(named.ID):
        case "quoted" | "element":
            return _SENTENCE.fullmatch(value) is not None or value[0] in ",)]};"
        case "netrc" if _EXAMPLE_HOST.search(before):
            return True
        case "flag":
            return value.startswith("-") or bool(_CODE.search(value) or _PROSE_WORD.fullmatch(value.rstrip(".,:;)")))
        case "line" if _NEXT_PAIR.search(value):
            return True  # `named-value` finds it without what follows
    if after[:2] == b"\\-" and not any(map(str.isdigit, value)):
        return True  # a manual page: `--password=my\-password`
    if _CODE.search(value) or (value.lower() in _STRING_PREFIXES and after[:1] in _QUOTES):
        return True
    if value.isalpha() and before[-1:].isspace() and (_IN_PROSE.match(after) or _PROSE_WORD.fullmatch(value)):
        return True
    return _IDENTIFIER.fullmatch(value) is not None and _is_variable(value, before, after)


def _is_reference(value: str) -> bool:
    """Return whether a value is a placeholder, a mask or a reference to another place."""
    return plain_value(value) or is_reference_or_mask(value) or bool(_WORDS_OF_PLACEHOLDERS.search(value))


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
