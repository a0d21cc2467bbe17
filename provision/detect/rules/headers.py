"""Find all values of a place with several: the cookies of a header, the values of a Kubernetes Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.rule import NamedValue
from provision.detect.rules.beside import found_by
from provision.detect.rules.pieces import ALNUM, example
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_COOKIES = lazy_regex(
    rb"(?i)(?:\bcookie2?[\"']?[ ]?[:=,][ ]?|[ ](?:-b|--cookie)[ =])[ \t]{0,4}[\"']?(?P<pairs>[^\r\n\"']{4,4000})"
)
_PAIR = lazy_regex(rb"(?P<name>[\w.!#$%&*+^`|~-]{1,80})=(?P<value>[^;\s\"',\\]{4,2000})")
_NO_SECRET = lazy_regex(
    rb"(?i)_?g[ac](?:_.*|l_au)?|_gid|_gat.*|_fb[pc]|_hj.*|utm.*|amp_.*|ajs_.*|intercom-.*|optimizely.*|_pk_.*|expires|max-age"
    rb"|path|domain|samesite|version|lang(?:uage)?"
    rb"|locale|theme|tz|timezone|consent.*|cookieconsent.*|.*csrf.*|.*xsrf.*|__cf.*|cf_.*|_cfuvid|visitor.*|device.*|ak_bmsc"
    rb"|bm_.*|nid|anid|1p_jar|sourceid|ref"
)
"""Cookies of analytics, settings and protections."""
_SECRET = lazy_regex(rb"(?:\A|\n)(?P<indent>[ -]{0,12})[\"']?kind[\"']?: {1,4}[\"']?Secret[\"']?[ \t]*\r?(?:\n|\Z)")
_BLOCK = lazy_regex(rb"(?P<indent>[ -]{0,12})(?:stringData|data):[ \t]*\r?\n")
_ENTRY = lazy_regex(
    rb"(?P<indent>[ ]{1,24})[\"']?(?P<name>[\w.-]{1,253})[\"']?: {1,4}[\"']?(?P<value>[^\r\n\"']{0,4000})[\"']?[ \t]*\r?(?:\n|\Z)"
)
_FOLDED = lazy_regex(rb"[ ]{2,40}(?P<value>[A-Za-z0-9+/=_-]{8,2000})[ \t]*(?:\r?\n|\Z)")
_ONE_VALUE = lazy_regex(rb"[^\s|>{}!&*#$%][^\s]{3,}")
_MOST_LINES = 200


def cookies(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
    """Yield the values of the cookies in this range that are not known to be harmless."""
    for header in _COOKIES.finditer(data, left, right):
        for pair in _PAIR.finditer(data, *header.span("pairs")):
            if not _NO_SECRET.fullmatch(pair["name"]):
                yield NamedValue(*pair.span("value"), pair["name"])


def kubernetes_secrets(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
    """Yield the values below `data` and `stringData` of each Secret in this range."""
    done = left
    for secret in _SECRET.finditer(data, left, right):
        first = max(data.rfind(b"\n---", done, secret.start()), done)
        last = data.find(b"\n---", secret.end() - 1, right)
        last = right if last < 0 else last
        for block in _BLOCK.finditer(data, first, last):
            if block.start() and data[block.start() - 1 : block.start()] != b"\n":
                continue
            at = block.end()
            for _ in range(_MOST_LINES):
                entry = _ENTRY.match(data, at, last)
                if not entry or len(entry["indent"]) <= len(block["indent"]):
                    break
                if _ONE_VALUE.fullmatch(entry["value"]):
                    yield NamedValue(*entry.span("value"), entry["name"])
                at = entry.end()
                while text := _FOLDED.match(data, at, last) if entry["value"][:1] in {b"|", b">"} else None:
                    yield NamedValue(*text.span("value"), entry["name"])
                    at = text.end()
        done = last


RULES = (
    found_by(
        "cookies",
        "Value of a cookie",
        cookies,
        r"(?i)(?:cookie2?[\"']?[ ]?[:=,][ ]?|[ ](?:-b|--cookie)[ =])[\"']?[\w.-]{0,40}=",
        example("Cookie: theme=dark; sessionid=", ALNUM, 32),
        example("Set-Cookie: PHPSESSID=", ALNUM, 26, "; path=/"),
        keywords=("cookie:", "cookie =", "cookie=", 'cookie"', "cookie'", "cookie2:", " -b ", "--cookie"),
        not_found=("Cookie: a=1; b=2", "Cookie: _ga=GA1.2.1234567890.1234567890", "Set-Cookie: lang=en; path=/"),
        reach=4200,
    ),
    found_by(
        "kubernetes",
        "Value of a Kubernetes Secret",
        kubernetes_secrets,
        r"kind[\"']?:[ ]{1,4}[\"']?Secret",
        example("kind: Secret\nstringData:\n  plain: ", ALNUM, 32, "\n"),
        example("kind: Secret\ndata:\n  .dockercfg: |\n    ", ALNUM, 32, "\n"),
        keywords=("kind: secret", "kind:  secret", 'kind: "secret', 'kind": "secret', "kind: 'secret"),
        not_found=(
            "kind: Secret\nstringData:\n  plain: ${VALUE}\n",
            "kind: SecretStore\ndata:\n  a: bcdefgh12345678\n",
        ),
        reach=16 << 10,
    ),
)
