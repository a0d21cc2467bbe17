"""What of the things that rules find counts: for an audit, and before publishing. One detector, two policies.

An audit is precise: a person must triage each finding, so a named value counts when it looks like a credential. Before publishing
the question is whether any reader may see it: everything beside a secret's name goes, weak or short, a UUID or a word. There only
placeholders, references (variables, paths, program code) and masks stay.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.detect.assignments import KINDS, plausible_bare, plausible_password, plausible_quoted, simple_password
from provision.detect.entropy import word_share
from provision.detect.not_secret import (
    is_harmless_name,
    is_manuals_password,
    is_not_secret,
    is_reference_or_mask,
    text_in_base64,
)
from provision.detect.rules import beside, named
from provision.detect.secret_names import names_secret, plain_value
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.rule import Rule

_WORDS_OF_PLACEHOLDERS = lazy_regex(
    r"(?i)example|sample|dummy|placeholder|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this|with|it)|redacted|removed|hidden"
    r"|(?:insert|enter|paste|put|goes)[-_ ]?(?:your|here|the)|^(?:your|my|the|an?|some|new|old)[-_ ].*|\.\.\.|…"
    r"|^<.*>$|^\[.*\]$|^[xX*.•#_?-]+$|^(?:pass|passwd|pwd|pw|user|username|name|foo|bar|baz|foobar|blah|string|value|text|todo)$"
    r"|[-_./]\{[a-z_]+\}$|^\{[a-z_]+\}[-_./]|^foo=bar$|^xx=yy$|\bx{3,}\b|^(?:user(?:name)?|login):pass(?:word|wd)?$"
    r"|^(?:my|your|other|some|the)[-_]?(?:secret|password|passwd|token|(?:api)?[-_]?key)\d*(?::\w+)?$"
)
_IDENTIFIER = lazy_regex(r"\$?[A-Za-z_]\w*(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)*[?!:]?")
_CODE = lazy_regex(
    r"\w[(\[{]|[)\]}][:,;]*$|^[\[({&*|>!]|=>|\?\?|\|\||&&|[$#]\{|\{\{|<%|%>|^[$%@][A-Za-z_({]|%[sdr]\b|^=|%\(|^f?\{|^[=!<>~]=|^[;,.:=]+$"
    r"|^:[a-z_]+$|^\w{1,3}={2,3}$|^\w+={2,3}\w*\?$|^\w\w?\?$"
)
_SENTENCE = lazy_regex(
    r"(?:[A-Z]\w*|an?|the)\s\S+\s\S.*|.*\s.*[.:?!]|.*%[sdr(].*|.*\{[A-Za-z_]?[^{}]*\}.*|.*<[a-z_-]+>.*", re.DOTALL
)
_FORMATTED = lazy_regex(r"\{[A-Za-z_][\w.]*[(.\[{}]")
_PATH = lazy_regex(
    r"(?:\.{0,2}|~|[A-Za-z]:)[/\\][\w.\\/ -]*[a-z]{3}[\w.\\/ -]*|[\w./-]+\.(?:key|pem|txt|json|ya?ml|env|toml|py|conf)"
)
_CONSTANT = lazy_regex(r"[A-Z]{2,}(?:_[A-Z]+)+|#(?:[0-9a-fA-F]{3}){1,2}|-\d{1,3}|xox[a-z]-|xapp-|gh[a-z]_|sk-")
"""The name of a constant, a colour, a number below zero, the prefix of a token."""
_NAMES = lazy_regex(r"[a-z_]+(?::[a-z_]+){2,}|[A-Z_]+=[\w-]+:(?:latest|\d{1,4})")
"""Names of fields (`pw_uid:pw_gid:pw_dir`); a variable and the version of a stored secret."""
_TRANSLATED = lazy_regex(
    r"(?i)secret|secrèt|segret|geheim|gizli|s\u0131r|hemlig|titk|tajn|rún|rúin|секрет|cekpe|тайн|秘密|密|シークレット|パス|시크릿|비밀|암호"
    r"|пароль|contrase|contrasenya|heslo|kodeord|salasana|passord|parol|lösenord|wachtwoord|passwort|kennwort|senha|hasł|jelszó|şifre"
)
"""A label: the word for a secret in another language, or a part of it."""
_ADDRESS = lazy_regex(r"(?i)https?://[^\s@?]*")
_ELSEWHERE = (KINDS, _PATH, _ADDRESS, _CONSTANT, _NAMES)
_PROSE_WORD = lazy_regex(
    r"(?i)in|if|is|to|and|or|for|from|with|as|of|on|the|an?|when|that|which|will|can|must|may|options?|flags?|args?|instead|parameter"
    r"|argument|value|commands?|switch(?:es)?|are|was|not|be|by|it|this|at|has|have|should|etc|description|called|used|given"
)
_IN_PROSE = lazy_regex(rb"[.,]?[ \t]+[A-Za-z0-9(`\x80-\xff]|'[a-z]\b|[ \t]+=")
_TYPED = lazy_regex(r"[&\w.<>\[\]?|' ]{1,40}[ ]{0,2}=[ ]{0,2}[brfu]?[\"'`]")
_NEXT_PAIR = lazy_regex(r"[;&][A-Za-z_][\w.-]*=")
_OPERATORS = frozenset({"not", "await", "new", "yield", "lambda", "return"})
_STRING_PREFIXES = frozenset({"f", "b", "r", "u", "rb", "br", "fr", "rf"})
_QUOTES = frozenset({b'"', b"'"})
_SHORTEST = 2
_SHORTEST_WORD = 5
_NAMED_IN = lazy_regex(
    r"(?i:(?:^|[_.-])(?:token|pass(?:word|wd|phrase)?|secrets?|pwd|keys?|credentials?|cookies?|auth)(?:$|[_.-]))"
    r"|[a-z](?:Token|Pass(?:word|wd|phrase)?|Secret|Key|Credentials?|Cookies?|Auth)(?:$|[A-Z_.])"
)
"""A variable that is named after what it holds: `session_key`, `self.apiKey`."""
_GIVEN = ("dsn-", "command-line-", "hermes-config-", "curl-user", "mysql-password", "sshpass")
"""Rules for values in a place that only secrets have: an address with a user, an option of a command."""


_MARKS = frozenset({b'"', b"'", b"`", b">", b"|", b"("})
_NOT_A_WORD = lazy_regex(r"\d|\w[^\w\s.'\u2019,/:-]\w|[a-z][A-Z].*[a-z][A-Z]")
"""Something that words of a text do not have: a digit, a sign or several capitals inside."""
_COOKIES = "assigned-by-cookies"
_LOGIN = lazy_regex(r"(?i)sess|auth|token|login|user|remember|jwt|secret|key|pass|^s?id$|sid$|[_.-]id$")
"""Names of cookies that log a user in."""
_OFTEN_WORDS = frozenset({"assigned-by-cell", "assigned-by-tab", "assigned-by-directive", "named-argument"})
"""Rules for places in which words of a text are as likely as a secret."""
_OPTION = lazy_regex(rb"-[\w\\-]{1,60}=$")
_MANUALS_OPTION = lazy_regex(rb"\\-\\-[\w\\-]{1,60}=$")
"""An option as the source of a manual page writes it: `\\-\\-password=postgres`."""
_TOKEN_LABEL = lazy_regex(rb"pkcs11:(?:[\w-]+=[^;]*;)*token=$")
_COMPARED = lazy_regex(rb"[$]\{?[\w.-]+\}?[\"']?\s*[!=]=?\s*[\"']$")
"""A shell compares a variable, `[ "x$password" = "x` ; it sets none."""
_EXPANSION = lazy_regex(rb"\$\{[\w.-]+:$")
"""A shell's `${NAME:-value}`, which has a rule of its own."""
_EXAMPLE_HOST = lazy_regex(rb"\bexample[a-z]?(?:\\&)?\.(?:org|com|net)")
_KUBERNETES = "assigned-by-kubernetes"
_NAMED_OTHERWISE = frozenset({_KUBERNETES, "assigned-by-input"})
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
            return is_reference(value) or (value[-1:] in "-_/" and after[:1] == b"{")
        return is_not_secret(value, rule_id, before + value.encode("utf-8", "surrogateescape") + after)

    def _ignores_beside(self, value: str, rule_id: str, name: str, before: bytes, after: bytes) -> bool:
        raw = value.encode("utf-8", "surrogateescape")
        if rule_id == _KUBERNETES and (text := text_in_base64(value)):
            return is_reference(text) or (self is Policy.AUDIT and not _is_chosen(text.strip()))
        if rule_id.startswith(beside.COLUMN) and is_harmless_name(name):
            return self is Policy.AUDIT or not plausible_bare(raw)  # all values of the column have this name
        given, prose = rule_id.startswith(beside.GIVEN), rule_id.startswith(beside.PROSE)
        marked = rule_id.startswith(beside.COLUMN) or _marked(before, after)
        likely = plausible_password if given else plausible_quoted if marked else plausible_bare
        if likely(raw) and not is_not_secret(value, rule_id, before + raw + after):
            return False
        if given and simple_password(raw) and not (is_reference(value) or is_manuals_password(value)):
            return False
        if self is Policy.AUDIT:
            return True
        if given:
            return is_reference(value)
        if rule_id == _COOKIES:
            word = value.isalpha() and (word_share(value) > 0.5 or len(value) < _SHORTEST_WORD)
            return is_reference(value) or (word and not _LOGIN.search(name))
        if (prose or rule_id in _OFTEN_WORDS) and not (before[-1:] == b"`" or _NOT_A_WORD.search(value)):
            return True
        sure = prose or rule_id in _NAMED_OTHERWISE or not name or names_secret(name)
        return not sure or _may_be_seen(value, rule_id, before, after)


def _is_chosen(text: str) -> bool:
    """Return whether a text in a place of passwords is one that a user chose."""
    raw = text.encode()
    return (simple_password(raw) or plausible_password(raw)) and not is_manuals_password(text)


def _is_cookie(name: str, value: str) -> bool:
    """Return whether this is a header whose cookies the rule for cookies finds, or text about it."""
    return name.lower().endswith("cookie") and ("=" in value or not any(map(str.isdigit, value)))


def _marked(before: bytes, after: bytes) -> bool:
    """Return whether a value is between quotes, tags or bars, or is all there is to the end of its line."""
    return before[-1:] in _MARKS or not after.strip(b" \t`*\"'")[:1].strip(b"\r\n|<;,)}]")


def _may_be_seen(value: str, rule_id: str, before: bytes, after: bytes) -> bool:
    """Return whether a value beside a secret's name is a placeholder, a reference or a mask."""
    value = value.strip()
    if len(value) < _SHORTEST or is_reference(value) or _COMPARED.search(before):
        return True
    if (value[0] in "-=" and _EXPANSION.search(before)) or _says_what_it_is(value, before) or _is_name(value):
        return True
    match rule_id.removeprefix(named.ID):
        case "quoted" | "element":
            return bool(_SENTENCE.fullmatch(value) or _FORMATTED.search(value)) or value[0] in ",)]};"
        case "netrc" if _EXAMPLE_HOST.search(before):
            return True
        case "flag":
            word = value.rstrip(".,:;)")
            return value.startswith("-") or bool(_CODE.search(value) or _PROSE_WORD.fullmatch(word)) or _is_last(value)
        case "line" | "value" if _TYPED.match(value):
            return True  # `named-quoted` finds what follows the type
        case "line" if _NEXT_PAIR.search(value):
            return True  # `named-value` finds it without what follows
    return _is_text_or_code(value, before, after)


def _is_text_or_code(value: str, before: bytes, after: bytes) -> bool:
    """Return whether a value without quotes is a word of a text or a piece of a program, by what is around it."""
    if after[:2] == b"\\-" and not any(map(str.isdigit, value)):
        return True  # a manual page: `--password=my\-password`
    if value.endswith(".") and value[:-1].isidentifier() and after[:1] == b"<":
        return True  # code with its colours in HTML: `= alice.<span`
    if _CODE.search(value) or (value.lower() in _STRING_PREFIXES and after[:1] in _QUOTES):
        return True
    if value in _OPERATORS and after[:1].isspace():
        return True
    if value.isalpha() and before[-1:].isspace() and (_IN_PROSE.match(after) or _PROSE_WORD.fullmatch(value)):
        return True
    return _IDENTIFIER.fullmatch(value) is not None and _is_variable(value, before, after)


def _says_what_it_is(value: str, before: bytes) -> bool:
    """Return whether a value is a kind, a path, an address, a constant, names, a label, or what an option takes (`-x=FILE`)."""
    if any(kind.fullmatch(value) for kind in _ELSEWHERE) or _TOKEN_LABEL.search(before):
        return True
    if value.isalpha() and _MANUALS_OPTION.search(before):
        return True
    return value.isalpha() and bool(_TRANSLATED.match(value) or (value.isupper() and _OPTION.search(before)))


def _is_last(value: str) -> bool:
    """Return whether this is the last word of a sentence."""
    return value[-1] in ".,:;" and value[:-1].isalpha()


def is_reference(value: str) -> bool:
    """Return whether a value is a placeholder, a mask or a reference to another place: no policy reports it."""
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
