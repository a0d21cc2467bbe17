"""Find keys in text that was read from pixels, by prefixes and lengths that are almost right. Pure.

`0` may be read as `O`, `1` as `l` or `I`, a dash or an underscore as another character or not at all. Therefore prefixes
are compared in folded form (look-alike characters are equal, separators do not count) and with one or two errors, and
the end of a key follows from the usual length of its form. Text that only looks random, without prefix or name, is not a
hit: it is reported for review (`random_words`).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.shapes import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BODY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_SEPARATORS = frozenset("-_.~=*")
_ALIKE = ("0oOQ", "1lI|!ij]", "5sS$", "8B", "2zZ", "9gq", "uvUV", "cC(")
_FOLD = {c: group[0] for group in _ALIKE for c in group}
_LONGEST_BODY = 512


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How one kind of key begins, and its usual total length (0: it varies)."""

    rule: str
    prefix: str
    length: int
    strong: bool = True
    """A strong prefix is enough, also inside other text; a weak one needs a random-looking body."""
    capitals: bool = False
    """The key consists of capitals and digits and always has its length."""


# the lengths are those that the services hand out today; an older or longer key is still covered to the end of its word
KEY_FORMS = (
    KeyForm("aisa-key", "sk-aisa-", 51),
    KeyForm("anthropic-api-key", "sk-ant-", 108),
    KeyForm("openrouter-api-key", "sk-or-v1-", 73),
    KeyForm("openai-api-key", "sk-proj-", 0),
    KeyForm("openai-api-key", "sk-", 51, strong=False),
    KeyForm("github-token", "ghp_", 40, strong=False),
    KeyForm("github-token", "gho_", 40, strong=False),
    KeyForm("github-token", "ghs_", 40, strong=False),
    KeyForm("github-token", "ghu_", 40, strong=False),
    KeyForm("github-token", "github_pat_", 93),
    KeyForm("gitlab-token", "glpat-", 26, strong=False),
    KeyForm("aws-access-key", "AKIA", 20, strong=False, capitals=True),
    KeyForm("aws-access-key", "ASIA", 20, strong=False, capitals=True),
    KeyForm("google-api-key", "AIza", 39, strong=False),
    KeyForm("huggingface-token", "hf_", 37, strong=False),
    KeyForm("groq-api-key", "gsk_", 56, strong=False),
    KeyForm("xai-api-key", "xai-", 84, strong=False),
    KeyForm("slack-token", "xoxb-", 0, strong=False),
    KeyForm("slack-token", "xoxp-", 0, strong=False),
    KeyForm("stripe-key", "sk_live_", 0),
    KeyForm("stripe-key", "sk_test_", 0),
    KeyForm("npm-token", "npm_", 40, strong=False),
    KeyForm("pypi-token", "pypi-", 0, strong=False),
    KeyForm("vault-token", "hvs.", 0, strong=False),
    KeyForm("jwt", "eyJ", 0, strong=False),
    KeyForm("age-identity", "AGE-SECRET-KEY-1", 74),
)


@dataclass(frozen=True, slots=True)
class KeyHit:
    """Characters `start` to `end` of a text are a key. `length` is the usual length of its form, 0 if that varies."""

    start: int
    end: int
    rule: str
    length: int = 0
    strong: bool = False


def key_forms_of(shapes: Iterable[tuple[str, int]]) -> tuple[KeyForm, ...]:
    """Return the built-in forms and, before them, those of an organisation's own keys (prefix, length)."""
    named = {form.prefix: form.rule for form in KEY_FORMS}
    own = tuple(
        KeyForm(named.get(prefix, "own-key"), prefix, length, strong=len(prefix) >= 6)
        for prefix, length in sorted(shapes, key=lambda s: (-len(s[0]), -s[1]))
        if len(prefix) >= 3
    )
    return own + KEY_FORMS


def find_keys(text: str, forms: tuple[KeyForm, ...] = KEY_FORMS) -> list[KeyHit]:
    """Return keys by their prefixes, left to right, without overlaps."""
    folded, places = fold_lookalikes(text)
    hits: list[KeyHit] = []
    taken: list[tuple[int, int]] = []
    for form in sorted(forms, key=lambda k: -len(k.prefix)):
        for start, body in _prefixes(text, folded, places, form):
            if any(a < body and start < b for a, b in taken):
                continue
            end = key_end(text, start, body, form.length)
            if _is_key(text[body:end], form, text[start:end]):
                hits.append(KeyHit(start, end, form.rule, form.length, form.strong))
                taken.append((start, end))
    return sorted(hits, key=lambda h: h.start)


def fold_lookalikes(text: str) -> tuple[str, list[int]]:
    """Return a text with look-alike characters unified and separators removed, and the index of each character in the input."""
    kept = [(n, _FOLD.get(c, c.lower())) for n, c in enumerate(text) if c not in _SEPARATORS]
    return "".join(c for _, c in kept), [n for n, _ in kept]


def _prefixes(text: str, folded: str, places: list[int], form: KeyForm) -> Iterator[tuple[int, int]]:
    wanted = fold_lookalikes(form.prefix)[0]
    errors = 0 if len(wanted) < 6 else 1 if len(wanted) < 10 else 2
    spaced = " ".join(fold_lookalikes(part)[0] for part in re.split("[-_]", form.prefix) if part)
    for spelling in {wanted, spaced}:
        for at, size in _almost(folded, spelling, errors):
            start = places[at]
            if not form.strong and (
                _inside_word(text, start, form) or not _case_fits(text[start : places[at + size - 1] + 1], form)
            ):
                continue
            body = places[at + size - 1] + 1
            while body < len(text) and body - start < len(form.prefix) + 1 and text[body] in _SEPARATORS:
                body += 1
            if body < len(text) and text[body] == " " and form.strong and _random(_token(text, body + 1)):
                body += 1
            yield start, body


def _almost(text: str, wanted: str, errors: int) -> Iterator[tuple[int, int]]:
    """Yield (place, size) of text that equals `wanted` except for `errors`; the first character must be right."""
    at = text.find(wanted[0])
    while at >= 0:
        size = _match_size(text[at : at + len(wanted) + errors], wanted, errors)
        if size:
            yield at, size
        at = text.find(wanted[0], at + 1)


def _match_size(text: str, wanted: str, errors: int) -> int:
    """Return how many characters of `text` equal `wanted` with at most `errors` edits; 0 if none do."""
    if text.startswith(wanted):
        return len(wanted)
    if not errors or len(set(wanted) - set(text)) > errors:
        return 0
    row = list(range(len(text) + 1))
    for n, c in enumerate(wanted, 1):
        above, row = row, [n, *([0] * len(text))]
        for m, d in enumerate(text, 1):
            row[m] = min(above[m - 1] + (c != d), above[m] + 1, row[m - 1] + 1)
    best = min(range(len(text) + 1), key=lambda m: (row[m], abs(m - len(wanted))))
    return best if row[best] <= errors else 0


def _inside_word(text: str, start: int, form: KeyForm) -> bool:
    if not start or (form.capitals and text[start - 1].islower()):  # a space between a word and capitals was lost
        return False
    return text[start - 1].isalnum() or text[start - 1] in "-_/"


def _case_fits(read: str, form: KeyForm) -> bool:
    """Whether a short prefix has the right case; letters whose small and capital forms look alike may have either."""
    if len(read) > len(form.prefix):
        return False
    return all(
        a == b or _FOLD.get(a, a) == _FOLD.get(b, b) or (a.lower() == b.lower() and a.lower() in "cikopsuvwxz")
        for a, b in zip(_letters(read), _letters(form.prefix), strict=False)
    )


def _letters(text: str) -> str:
    return "".join(c for c in text if c not in _SEPARATORS)


def key_end(text: str, start: int, body: int, length: int) -> int:
    """Return the end of a key that begins at `start`: the end of its word, or where its usual length is reached."""
    end, spaces = body, 0
    while end < len(text) and end - start < _LONGEST_BODY:
        count = end - start - spaces
        if length and count >= length and len(_token(text, end)) > 2:
            return end  # a space was lost: the next word is joined to the key
        c = text[end]
        if c == " ":
            if not _goes_on(text, end + 1, length - count):
                break
            spaces += 1
        elif not (c in BODY or (c in ".+/~" and not length) or _misread(text, end, length - count)):
            break
        end += 1
    while end > body and text[end - 1] in ". ":
        end -= 1
    return end


def _goes_on(text: str, at: int, missing: int) -> bool:
    """Whether the word after a space belongs to a key of which `missing` characters were not read yet."""
    token = _token(text, at)
    return missing >= 3 and 3 <= len(token) <= missing + 1 and (_random(token) or len(token) >= missing - 1)


def _misread(text: str, at: int, missing: int) -> bool:
    return missing > 2 and len(_token(text, at + 1)) >= 3


def _token(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] in BODY:
        end += 1
    return text[at:end]


def leading_token(text: str, missing: int = 0) -> str:
    """Return the key characters at the beginning of a line; of a key of which `missing` were not read, also misread ones."""
    token = _token(text, 0)
    while len(token) < len(text) and text[len(token)] != " " and _misread(text, len(token), missing - len(token)):
        token = text[: len(token) + 1 + len(_token(text, len(token) + 1))]
    return token


def _is_key(body: str, form: KeyForm, whole: str) -> bool:
    if is_placeholder(whole) or is_placeholder(form.prefix + body) or set(body.lower()) <= set("x*.-_ "):
        return False
    if form.strong:
        read_well = fold_lookalikes(whole.replace(" ", ""))[0].startswith(fold_lookalikes(form.prefix)[0])
        return len(body) >= 4 and not _prose(body) and (read_well or _random(body))
    if form.capitals:
        fitting = sum(c.isupper() or c.isdigit() for c in whole)
        return abs(len(whole) - form.length) <= 2 and fitting >= 0.75 * len(whole)
    return len(body) >= 12 and _random(body)


def _prose(body: str) -> bool:
    return bool(re.fullmatch(r"[a-z]+|[a-z]+([-_ ][a-z]+)+", body)) or bool(
        re.search(r"(?i)your|example|here", body[:12])
    )


def looks_random(token: str) -> bool:
    """Whether a word looks random: digits, capitals and small letters alternate often. Hashes and UUIDs do not count."""
    return _random(token) and not is_hexadecimal(token)


def _random(token: str) -> bool:
    if len(token) < 6:
        return False
    classes = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "" for c in token]
    known = [c for c in classes if c]
    changes = sum(a != b for a, b in itertools.pairwise(known))
    return len(set(known)) >= 2 and changes * 5 >= len(known)


def is_hexadecimal(token: str) -> bool:
    """Whether a word is a hash, a UUID, a date or a number, even if digits were read as letters."""
    plain = token.translate(str.maketrans("OoIlS", "00115")).replace("-", "").replace(":", "").replace("_", "")
    return bool(re.fullmatch(r"[0-9a-f]+|[0-9A-F]+|[0-9]+T[0-9.]+Z?", plain))


def random_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield words of 24 or more characters that look random."""
    for found in re.finditer(r"[A-Za-z0-9_+-]{24,}", text):
        word = found.group()
        parts = re.split(r"[-_]", word)
        if (
            looks_random(word)
            and max(map(len, parts)) >= 12
            and re.search(r"[A-Z]", word)
            and re.search(r"[0-9]", word)
        ):
            yield found.span()
