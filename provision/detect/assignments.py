"""Decide whether the value of `api_key`, `password` or `token` is a secret or program code.

The rules in `rules/assigned.py` find names and values; this module classifies the value. A quoted value, or one that fills
the rest of its line, may be a password that a user chose. A value without quotes in the middle of a line must look random,
because most such values are names of variables.
"""

from __future__ import annotations

import re

from provision.detect.entropy import looks_random, run_share, shannon, word_share
from provision.detect.secret_names import names_secret
from provision.lazy_regex import lazy_regex

_IDENTIFIER = lazy_regex(rb"[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*[?!]?")
_CODE = lazy_regex(rb"\w[(\[]|[)\]]$|^[\[({&*|>!]|=>|\?\?|\|\||&&|\$\{|\{\{|<%|%>|\\[dwsSWDbB.]|^\$[A-Za-z_(]")
_REFERENCE = lazy_regex(rb"^\$[A-Za-z_({]|\$\{|\{\{|<%|^%[A-Za-z_]+%$|^[<\[{(].*[>\]})]$|^[A-Z_]+$|\w\(")
_DIGIT = lazy_regex(rb"[0-9\x80-\xff]")


_ORDINARY = lazy_regex(
    r"[A-Z]?[a-z]{3,16}[A-Za-z]{0,10}"
    r"(?:[0-9]{1,6}[!@#$%&*?.]{0,3}|[!@#$%&*?]{1,3}[0-9]{0,6}|[$@!][A-Za-z0-9]{2,10}|[_@-][0-9]{2,8}[a-z]?)"
)
_SIMPLE = lazy_regex(rb"[A-Za-z][a-z]{3,16}(?:[0-9]{1,6}[!@#$%&*?.+]{0,3}|[!@#$%&*?.+]{1,3}[0-9]{1,6})")
_IS_NO_PASSWORD = lazy_regex(
    r"(?i)^(?:pass(?:word|wd|phrase)|pwd|secret|test|example|sample|demo|foo|bar|user|change|your|my(?!sql)|some|new|old|fake|dummy|invalid|wrong"
    r"|bytes|int|uint|float|str|string|utf|sha|md|base|arg|param|var|value|val|key|token|group|field|column|line|item|str)"
)
_MIXED = lazy_regex(r"[0-9!@#$%&*?+~^]")
_WORD = lazy_regex(r"[A-Za-z]{4,40}(?:[_-][A-Za-z]{2,20})?")
KINDS = lazy_regex(
    r"(?i)(?:str|string|text|bytes?|int|integer|number|float|bool|boolean|any|object|dict|list|map|array|optional|required|none"
    r"|void|char|type|typing|default|self|cls|this|auto|inherit|disabled|enabled|unset|unknown|missing|invalid|empty|given"
    r"|bearer|basic|digest|negotiate|eof|eol|oauth2?|ntlm|kerberos|plain|md5|file|env|prompt|stdin|keyring|undef(?:ined)?|unset"
    r"|include|omit|same-origin|use-credentials|added|removed|changed|fixed|deprecated|updated|renamed)[?!.]?"
)
"""What a value is, in place of the value."""
_SAID_OF_PASSWORDS = lazy_regex(
    r"(?i)hash(?:ed)?|encrypt(?:ed)?|plaintext|clear(?:text)?|hidden|masked|visible|nullable|null|nil|confirm(?:ed|ation)?|same|reset"
    r"|forgot(?:ten)?|expired|incorrect|blank|minimum|maximum|strong|weak|random|generated?|login|sign-?(?:in|up)|username|root|admin"
    r"|guest|master|value|words?|credentials?|variable|input|label|title|description|placeholder|nothing|always|never|once|ask|show|hide"
    r"|true|false|yes|form|data|body|path|query|header|config|settings?|vault|kwargs|options?|args|params|props|state|event|self"
)
"""What forms, schemas, rules and messages say of a password."""
_IS_NAME = lazy_regex(r"(?i)passw(?:or)?d|passphrase|(?:^|[_.-])(?:pwd|pass|token|secret|key|user|name)(?:$|[_.-])")
"""A value that says what it is, as a variable or an identifier does: `login_password_2`."""
_PLACED = lazy_regex(r"^[/.~<\[{(:#%]|[/\\]\w+[/\\]|\.\w{2,4}$|^[\w.+-]+@[\w-]+\.\w|%[sdr]")
"""A path, a file, an address, a format, a symbol, a mark."""
_EXAMPLE_UUIDS = frozenset(
    {b"550e8400-e29b-41d4-a716-446655440000", b"123e4567-e89b-12d3-a456-426614174000", b"123e4567-e89b-12d3-a456-426655440000",
     b"6ba7b810-9dad-11d1-80b4-00c04fd430c8", b"f47ac10b-58cc-4372-a567-0e02b2c3d479"}
)  # fmt: skip
_FEW_DIGITS = 8
_HASH = lazy_regex(r"[0-9a-fA-F-]+")
_LONG_ENOUGH, _LONG_PART = 20, 12
_LONG_NAME = len("contrasenya")


def prefix_pattern(outside: str = "") -> str:
    """A regular expression for the beginning of a value, up to a digit or to the fourth change of case.

    Every random or chosen password has one of the two. `outside` are bytes that cannot be part of a value.
    """
    never = rf"{outside}0-9\x80-\xff"
    up, down = rf"[^{never}A-Z]*[A-Z]", rf"[^{never}a-z]*[a-z]"
    return rf"(?:[^{never}]*[0-9\x80-\xff]|(?:{up}{down}){{2}}{up}|(?:{down}{up}){{2}}{down})"


_CANDIDATE = lazy_regex(prefix_pattern().encode("latin-1"))


def plausible_quoted(value: bytes) -> bool:
    """Return whether a quoted value, or one that fills its line, can be a secret: random, or a strong password of 8 or more."""
    text = _text(value) if _CANDIDATE.match(value) else None
    if text is None or _CODE.search(value) or _is_words(text):
        return False
    if b"." in value and _IDENTIFIER.fullmatch(value) and word_share(text) > 0.25:
        return False
    return looks_random(text) or _is_password(text)


def plausible_bare(value: bytes) -> bool:
    """Return the same for a value without quotes in the middle of a line, where names of variables occur too."""
    text = _text(value) if _DIGIT.search(value) else None
    if text is None or _CODE.search(value) or _is_words(text):
        return False
    if _IDENTIFIER.fullmatch(value) and word_share(text) > 0.25:
        return False
    return looks_random(text) and any(map(str.isdigit, text))


def clearly_random(value: bytes) -> bool:
    """Return whether a value is random beyond doubt: mixed letters and digits of 20 bytes or more, and not a hash."""
    text = _text(value)
    if text is None or len(text) < _LONG_ENOUGH or _HASH.fullmatch(text) or not plausible_bare(value):
        return False
    parts = re.split(r"[_.:/-]", text)
    return max(map(len, parts)) >= _LONG_PART and sum(map(str.isdigit, text)) >= 2 and word_share(text) < 0.25


def plausible_password(value: bytes) -> bool:
    """Return whether a value in a place that only passwords have can be one that a user chose: letters with digits or signs."""
    text = _text(value)
    if text is None or not 6 <= len(text) <= 128 or _REFERENCE.search(value):
        return False
    letters = any(map(str.isalpha, text))
    return (letters and any(not each.isalpha() for each in text)) or looks_random(text)


def simple_password(value: bytes) -> bool:
    """Return whether a value in a place that only passwords have is a word, perhaps with digits or signs at its end."""
    return word_password(value) or (
        _SIMPLE.fullmatch(value) is not None and not _IS_NO_PASSWORD.search(value.decode("latin-1"))
    )


def weak_password(value: bytes) -> bool:
    """Return whether a setting's value is an ordinary password: one word with digits or a sign, and no code, path or number."""
    text = _text(value)
    if text is None or _CODE.search(value) or _REFERENCE.search(value) or not _ORDINARY.fullmatch(text):
        return False
    return not _IS_NO_PASSWORD.search(text) and not plausible_quoted(value)


def word_password(value: bytes) -> bool:
    """Return whether a value in a place of passwords is a word or two, and none that says what a password is or holds."""
    text = value.decode("latin-1")
    if not _WORD.fullmatch(text) or KINDS.fullmatch(text) or _SAID_OF_PASSWORDS.fullmatch(text):
        return False
    plain = text.islower() or text.isupper()
    joined = plain and "_" not in text and "-" not in text
    longer = len(text) > _LONG_NAME or text.endswith("password")
    title = text[0].isupper() and not text.isupper()
    return not (_IS_NO_PASSWORD.search(text) or title or (names_secret(text) and not (joined and longer)))


def setting_password(value: bytes) -> bool:
    """Return whether the value of a setting named a password is a word, or letters with digits or signs."""
    return word_password(value) or ordinary_password(value)


def ordinary_password(value: bytes) -> bool:
    """Return whether a quoted value is an ordinary password: letters with digits or signs, and no code, name or placeholder."""
    text = _text(value)
    if text is None or not text.isascii() or _CODE.search(value) or _REFERENCE.search(value):
        return False
    if word_password(value):
        return True
    mixed = any(map(str.isalpha, text)) and _MIXED.search(text)
    return bool(mixed) and not (_IS_NO_PASSWORD.search(text) or _IS_NAME.search(text) or _PLACED.search(text))


def real_uuid(value: bytes) -> bool:
    """Return whether a UUID is not one of those that standards and manuals use as examples."""
    text = value.lower()
    return (
        text not in _EXAMPLE_UUIDS and len(set(text)) > _FEW_DIGITS and b"1234567" not in text and b"abcdef" not in text
    )


def _text(value: bytes) -> str | None:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and "://" not in text else None


def _is_words(text: str) -> bool:
    """Return whether the value consists of words and numbers, like `_pep_440_key`: no part mixes letters and digits."""
    parts = [part for part in re.split(r"[_./:-]+", text) if part]
    return len(parts) >= 3 and all(part.isalpha() or part.isdigit() for part in parts)


def _is_password(text: str) -> bool:
    """Return whether this can be a password: eight characters or more, not only words or a name with a digit."""
    symbols = any(not each.isalnum() and each not in "_-.:/" for each in text)
    cases = any(map(str.islower, text)) and any(map(str.isupper, text))
    return (
        8 <= len(text) <= 80
        and any(map(str.isdigit, text))
        and any(map(str.isalpha, text))
        and (symbols or cases)
        and shannon(text) >= 2.5
        and word_share(text) < 0.6
        and run_share(text) < 0.5
    )
