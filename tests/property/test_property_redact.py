"""Whatever the document, the format, the encoding, the mask and the way the bytes arrive: no piece of a secret is left,
everything else is the same, and doing it twice changes nothing more."""

from __future__ import annotations

import base64
import io
import json
import random
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redactcraft import aisa_key, known, opaque, pieces_left, session

from provision.redact.masks import MASK, MaskStyle
from provision.redact.recordings.asciinema import redact_file as redact_cast
from provision.redact.stream import StreamRedactor, redact_bytes
from provision.redact.structured.dotenv import redact_dotenv
from provision.redact.structured.json_text import redact_json
from provision.redact.structured.yaml_text import redact_yaml

RULED = [aisa_key(f"property {i}") for i in range(12)]
KNOWN = [opaque(f"property {i}") for i in range(6)]
ALL = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

FILLER = [
    "",
    "plain words, nothing else",
    "2026-11-22 19:00:00 INFO request GET /v1/models 200 in 12 ms",
    "{",
    "}",
    "  - item: 1",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "id: 123e4567-e89b-12d3-a456-426614174000",
    "ünïcode 漢字 ✓",
    "base_url: https://api.aisa.one/v1",
    "\x1b[32mok\x1b[0m done",
    "key_env: AISA_API_KEY",
    "see https://example.com/a?b=c#d",
    "\t\x00\x01\x7f",
]

CONTEXTS = {
    "bare": "{}",
    "sentence": "my key is {} ok",
    "yaml": "api_key: {}",
    "quoted yaml": 'api_key: "{}"  # see https://x.example/',
    "json": '{{"api_key": "{}", "n": 1}}',
    "env": "AISA_API_KEY={}",
    "exported": "export AISA_API_KEY='{}'",
    "header": "Authorization: Bearer {}",
    "x header": "x-api-key: {}",
    "query": "GET https://api.example/v1?api_key={}&page=2",
    "toml": 'token = "{}"',
    "glued": "<{}>",
    "list": "[{},1]",
}


def _utf16(value: str) -> str:
    return "".join(f"{c}\0" for c in value)


ENCODED = {
    "plain": lambda v: v,
    "url": lambda v: "".join(f"%{ord(c):02X}" if not c.isalnum() else c for c in v),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 of more": lambda v: base64.b64encode(f"x{v}yz".encode()).decode(),
    "hex": lambda v: v.encode().hex(),
    "json escapes": lambda v: "".join(c if c.isalpha() or c == "-" else f"\\u{ord(c):04x}" for c in v),
    "escaped letters": lambda v: "".join(f"\\x{ord(c):02x}" if i % 5 == 2 else c for i, c in enumerate(v)),
    "one escaped letter": lambda v: f"{v[:4]}%{ord(v[4]):02X}{v[5:]}",
    "coloured": lambda v: "".join(f"\x1b[3{i % 8}m{c}" for i, c in enumerate(v)) + "\x1b[0m",
    "coloured in the middle": lambda v: f"{v[:17]}\x1b[1;31m{v[17:]}\x1b[0m",
}
TELLS_NO_FINGERPRINT = ("base64", "base64 of more", "hex")
"""A key without a prefix cannot be told in these when only its fingerprint is known."""


@st.composite
def documents(draw: st.DrawFn, encodings: tuple[str, ...] = ("plain",)) -> tuple[bytes, bytes, list[tuple[str, str]]]:
    """A document, the same with `\\0MASK` where each secret stood, and the secrets with how they were written."""
    lines: list[tuple[str, str]] = []
    planted = []
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            filler = draw(st.sampled_from(FILLER)) * draw(st.sampled_from((1, 1, 1, 40)))
            lines.append((filler, filler))
        secret = draw(st.sampled_from(RULED + KNOWN))
        context = CONTEXTS[draw(st.sampled_from(sorted(CONTEXTS)))]
        possible = [name for name in encodings if secret in RULED or name not in TELLS_NO_FINGERPRINT]
        written = ENCODED[draw(st.sampled_from(possible))](secret)
        lines.append((context.format(written), context.format("\0MASK")))
        planted.append((secret, written))
        lines.append((FILLER[1], FILLER[1]))  # a random text under a key may be the rest of it
    end = draw(st.sampled_from(("\n", "\r\n")))
    last = draw(st.sampled_from(("", end)))
    texts = [end.join(line[i] for line in lines) + last for i in (0, 1)]
    return texts[0].encode(), texts[1].encode(), planted


def _streamed(data: bytes, sizes: list[int], style: MaskStyle = MaskStyle.TAG) -> bytes:
    redactor = StreamRedactor(session(*KNOWN, style=style), "x")
    out, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        out.append(redactor.feed(data[at : at + size]))
        at, turn = at + size, turn + 1
    return b"".join([*out, redactor.finish()])


def _nothing_left(planted: list[tuple[str, str]], result: bytes) -> None:
    for secret, written in planted:
        for form in {secret, written}:
            assert not pieces_left(form, result), f"{form[:9]!r}… in {result!r}"


SIZES = st.lists(st.sampled_from((1, 2, 3, 7, 64, 1000, 65_536, 1 << 20)), min_size=1, max_size=5)


@ALL
@given(documents(), SIZES, st.sampled_from(MaskStyle))
def test_text(document: tuple[bytes, bytes, list[tuple[str, str]]], sizes: list[int], style: MaskStyle) -> None:
    data, expected, planted = document
    result = _streamed(data, sizes, style)
    _nothing_left(planted, result)
    assert MASK.sub("\0MASK", result.decode()) == expected.decode()
    assert result == redact_bytes(data, session(*KNOWN, style=style), "x")
    assert _streamed(result, sizes, style) == result


@ALL
@given(documents(tuple(ENCODED)), SIZES, st.sampled_from(MaskStyle))
def test_encodings(document: tuple[bytes, bytes, list[tuple[str, str]]], sizes: list[int], style: MaskStyle) -> None:
    data, _, planted = document
    result = _streamed(data, sizes, style)
    _nothing_left(planted, re.sub(rb"\x1b\[[0-9;]*m", b"", result))
    assert result == redact_bytes(data, session(*KNOWN, style=style), "x")
    assert redact_bytes(result, session(*KNOWN, style=style), "x") == result
    for line in FILLER[1:4]:
        assert result.count(line.encode()) == data.count(line.encode())


@ALL
@given(st.sampled_from(RULED), st.integers(30, 45), st.sampled_from(("\n", "\r\n", "\n  ", "\n\x1b[0m")), SIZES)
def test_a_key_over_two_lines(secret: str, cut: int, between: str, sizes: list[int]) -> None:
    data = f"first line\nkey {secret[:cut]}{between}{secret[cut:]}\nlast line\n".encode()
    result = _streamed(data, sizes)
    assert not pieces_left(secret[:cut], result)
    assert not pieces_left(secret[cut:], result)
    assert result.startswith(b"first line\nkey ")
    assert result.endswith(b"\nlast line\n")
    assert _streamed(result, sizes) == result


@ALL
@given(st.binary(max_size=2000), SIZES)
def test_bytes_without_secrets_stay(data: bytes, sizes: list[int]) -> None:
    assert _streamed(data, sizes) == data


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_wide_texts(encoding: str) -> None:
    text = f"line\r\nkey {RULED[0]} end\r\nlast\r\n"
    result = redact_bytes(text.encode(encoding), session(*KNOWN), "x").decode(encoding)
    assert not pieces_left(RULED[0], result)
    assert MASK.sub(RULED[0], result) == text


TREES = st.recursive(
    st.one_of(st.sampled_from(FILLER), st.integers(), st.booleans(), st.none(), st.sampled_from(RULED + KNOWN)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(("api_key", "name", "model", "token", "notes", "http://x", "a b")), inner, max_size=4
        ),
    ),
    max_leaves=15,
)
SECRETS = tuple(RULED + KNOWN)


def _same_but_masks(before: object, after: object, *, secret: bool = False) -> None:
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert list(before) == list(after)
        for key in before:
            _same_but_masks(before[key], after[key], secret=key in {"api_key", "token"})
    elif isinstance(before, list):
        assert isinstance(after, list)
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            _same_but_masks(one, other, secret=secret)
    elif after != before:
        assert isinstance(after, str)
        assert MASK.search(after)
        assert secret or before in SECRETS, (before, after)


@ALL
@given(TREES.filter(lambda tree: isinstance(tree, (dict, list))), st.sampled_from((None, 2)), st.booleans())
def test_json_documents(tree: object, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(tree, indent=indent, ensure_ascii=ascii_only).encode()
    first = redact_bytes(redact_json(data, "x.json", session(*KNOWN)), session(*KNOWN), "x.json")
    for secret in SECRETS:
        assert not pieces_left(secret, first)
    _same_but_masks(tree, json.loads(first))
    assert redact_bytes(redact_json(first, "x.json", session(*KNOWN)), session(*KNOWN), "x.json") == first


@ALL
@given(TREES.filter(lambda tree: isinstance(tree, (dict, list))), st.booleans(), st.sampled_from((None, '"', "'")))
def test_yaml_documents(tree: object, flow: bool, quotes: str | None) -> None:
    data = yaml.safe_dump(
        tree, default_flow_style=flow, default_style=quotes, allow_unicode=True, sort_keys=False
    ).encode()
    first = redact_bytes(redact_yaml(data, "x.yaml", session(*KNOWN)), session(*KNOWN), "x.yaml")
    for secret in SECRETS:
        assert not pieces_left(secret, first)
    assert redact_bytes(redact_yaml(first, "x.yaml", session(*KNOWN)), session(*KNOWN), "x.yaml") == first
    assert yaml.safe_load(first) is not None or tree is None


@ALL
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("A", "API_KEY", "HERMES_HOME", "X_TOKEN")),
            st.sampled_from((*SECRETS, "", "true", "a b c d")),
        ),
        max_size=8,
    )
)
def test_env_files(lines: list[tuple[str, str]]) -> None:
    data = "".join(f"{name}={json.dumps(value) if ' ' in value else value}\n" for name, value in lines).encode()
    first = redact_bytes(redact_dotenv(data, ".env", session(*KNOWN)), session(*KNOWN), ".env")
    for secret in SECRETS:
        assert not pieces_left(secret, first)
    assert [line.partition(b"=")[0] for line in first.splitlines()] == [name.encode() for name, _ in lines]
    assert redact_bytes(redact_dotenv(first, ".env", session(*KNOWN)), session(*KNOWN), ".env") == first


@settings(ALL, max_examples=30)
@given(st.data())
def test_casts(data: st.DataObject) -> None:
    text = ""
    secrets = data.draw(st.lists(st.sampled_from(SECRETS), min_size=1, max_size=3))
    for secret in secrets:
        way = data.draw(st.sampled_from(("plain", "coloured", "coloured in the middle")))
        text += data.draw(st.sampled_from(FILLER[:6])) + "\r\n$ " + ENCODED[way](secret) + "\r\n"
    chance = random.Random(data.draw(st.integers(0, 999)))
    events, at = [], 0
    while at < len(text):
        size = chance.choice((1, 1, 2, 5, 30))
        events.append([round(len(events) * 0.1, 1), "o", text[at : at + size]])
        at += size
    head = {"version": 2, "width": 100, "height": 30}
    cast = "".join(json.dumps(line) + "\n" for line in (head, *events)).encode()
    out = io.BytesIO()
    redact_cast(io.BytesIO(cast), out, "x.cast", session(*KNOWN))
    after = [json.loads(line) for line in out.getvalue().splitlines()][1:]
    assert [(e[0], e[1], len(e[2])) for e in after] == [(e[0], e[1], len(e[2])) for e in events]
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "".join(e[2] for e in after))
    for secret in secrets:
        assert not pieces_left(secret, shown)


def test_nothing_here_is_vacuous() -> None:
    """The secrets of these tests are found for the reason they are meant to be: by rule, and by fingerprint only."""
    assert known(*KNOWN).by_fingerprint
    assert redact_bytes(f"a {KNOWN[0]} b\n".encode(), session(), "x") == f"a {KNOWN[0]} b\n".encode()
