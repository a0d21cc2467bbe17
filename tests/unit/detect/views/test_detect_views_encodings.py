"""Encoded, broken and nested keys are found, with the right bytes; ordinary text stays what it is."""

from __future__ import annotations

import base64
import json

import pytest
from detectcraft import aisa_key, encoded, known, nested, wrapped

from provision.detect.detector import Detector
from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import NeedleKind
from provision.detect.match import Match
from provision.detect.views.encodings import REGION_BYTES, base64_blocks, decoded_views

KEY = aisa_key()
ENGINES = ("hyperscan", "re2")
KNOWN = {engine: Detector(known=known(KEY), engine=engine) for engine in ENGINES}
UNKNOWN = {engine: Detector(engine=engine) for engine in ENGINES}
FORMS = [*encoded(KEY), *nested(KEY)]
EVERYWHERE = Hits([], {})
ROWS = list(wrapped(KEY))


def found(detector: Detector, data: bytes) -> list[Match]:
    return [match for match in detector.scan(data) if match.secret.reveal() == KEY]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("form", "data"), FORMS + ROWS, ids=[form for form, _ in FORMS + ROWS])
def test_a_known_key_is_found_in_every_form(engine: str, form: str, data: bytes) -> None:
    matches = found(KNOWN[engine], data)
    assert len(matches) == 1
    assert matches[0].known is not None
    assert matches[0].known.user == "u0"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("form", "data"), FORMS + ROWS, ids=[form for form, _ in FORMS + ROWS])
def test_an_unknown_key_is_found_in_every_form(engine: str, form: str, data: bytes) -> None:
    assert len(found(UNKNOWN[engine], data)) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("escape", ["\\u{:04x}", "\\x{:02X}", "%{:02x}"])
@pytest.mark.parametrize("at", [(0,), (1,), (2,), (4,), (7,), (1, 2), (0, 2, 4, 6), (0, 1, 2, 3, 4, 5, 6, 7)], ids=str)
def test_escapes_inside_the_prefix_hide_nothing(engine: str, escape: str, at: tuple[int, ...]) -> None:
    written = "".join(escape.format(ord(c)) if n in at else c for n, c in enumerate(KEY))
    for around in ('say "{}" now', "{}", '{{\\"note\\": \\"{}\\"}}'):
        data = around.format(written).encode()
        matches = found(UNKNOWN[engine], data)
        assert len(matches) == 1
        assert data[matches[0].start : matches[0].end] == written.encode()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_key_without_a_keyword_is_found_in_other_encodings_too(engine: str) -> None:
    token = base64.b64encode(b"109384756210938475").decode() + f".{KEY[-40:-34]}.{KEY[-38:]}"
    for before in ("", ":", ": ", "-=-"):
        text = f"{before}{token} ".encode()
        wide = text.decode().encode("utf-16-le")
        for data in (base64.b64encode(text), text.hex().encode(), text.hex().upper().encode(), wide):
            assert [match.secret.reveal() for match in UNKNOWN[engine].scan(b"see " + data + b" ok\n")] == [token]


@pytest.mark.parametrize(("form", "data"), FORMS, ids=[form for form, _ in FORMS])
def test_nothing_is_left_once_the_spans_are_masked(form: str, data: bytes) -> None:
    masked = bytearray(data)
    for match in KNOWN["re2"].scan(data):
        for start, end in match.spans:
            masked[start:end] = b"*" * (end - start)
    assert not found(KNOWN["re2"], bytes(masked))
    assert not any(KEY[at : at + 8].encode() in masked for at in range(8, len(KEY) - 8))


def test_the_spans_of_base64_are_the_characters_that_hold_the_key() -> None:
    before, after = b"user:", b":x"
    data = b"auth " + base64.b64encode(before + KEY.encode() + after)
    match = found(UNKNOWN["re2"], data)[0]
    assert match.encodings == ("base64",)
    assert match.start == 5 + len(before) * 4 // 3
    assert match.end == 5 + -(-(len(before) + len(KEY)) * 4 // 3)


def test_the_spans_of_a_wrapped_key_leave_the_line_ends_alone() -> None:
    data = f"$ echo {KEY[:20]}\n{KEY[20:47]}\n{KEY[47:]}\n$ ".encode()
    match = found(UNKNOWN["re2"], data)[0]
    assert b"".join(data[start:end] for start, end in match.spans) == KEY.encode()
    assert match.encodings == ("wrapped",)


@pytest.mark.parametrize(
    "following",
    [b"OTHER=1", b"next line of prose", b"def f(x):", b"# a1b2c3", b"", b"AISA_MODEL=gpt-5.2", b"Authorization"],
)
def test_the_line_behind_a_whole_key_is_not_taken_for_its_rest(following: bytes) -> None:
    data = b"export AISA_API_KEY=" + KEY.encode() + b"\n" + following + b"\n"
    assert [match.spans for match in UNKNOWN["re2"].scan(data)] == [((20, 20 + len(KEY)),)]


@pytest.mark.parametrize("following", ["abc1def2", "other", "A1b2C3d4E5"])
def test_a_key_that_ends_with_its_row_is_over(following: str) -> None:
    data = f"{KEY[:17]}\n{KEY[17:34]}\n{KEY[34:]}\n{following}\n".encode()
    assert [match.secret.reveal() for match in UNKNOWN["re2"].scan(data)] == [KEY]


def test_a_list_of_keys_is_no_wrapped_key() -> None:
    keys = [aisa_key() for _ in range(20)]
    matches = UNKNOWN["re2"].scan("\n".join(keys).encode())
    assert [match.secret.reveal() for match in matches] == keys


def test_without_decoding_only_plain_keys_are_found() -> None:
    plain = Detector(decode=False)
    assert len(found(plain, KEY.encode())) == 1
    assert not plain.scan(base64.b64encode(KEY.encode()))


def test_text_around_colour_codes_is_not_joined_over_cursor_movements() -> None:
    data = KEY.encode() + b"\x1b[5;1HABCDEF0123"
    assert [match.spans for match in UNKNOWN["re2"].scan(data)] == [((0, len(KEY)),)]


def test_only_the_bytes_around_a_hit_are_decoded() -> None:
    data = b"a%2Fb " + b"." * 5000 + b" key%3Dvalue " + b"." * 5000 + b" c%2Fd"
    at = data.index(b"key")
    (view,) = decoded_views(data, Hits([(0, at)], {}))
    assert view.encoding == "url"
    assert b"key=value" in view.text
    assert b"/" not in view.text
    assert list(decoded_views(data, Hits([], {}))) == []


def test_a_run_of_base64_is_decoded_from_any_character_of_it() -> None:
    text = base64.b64encode(b"user=ada; key=value; more of it")
    for at, before in ((0, 0), (4, 0), (9, 1), (14, 2)):
        (view,) = decoded_views(
            text, Hits([], {(NeedleKind.BASE64_0, NeedleKind.BASE64_1, NeedleKind.BASE64_2)[before]: [at]})
        )
        assert view.text == b"user=ada; key=value; more of it", at


def test_a_run_with_several_hits_is_decoded_once() -> None:
    text = base64.b64encode(b"user=ada; key=value; more of it")
    (view,) = decoded_views(text, Hits([], {NeedleKind.BASE64_0: [0, 4, 12]}))
    assert view.text == b"user=ada; key=value; more of it"


def test_a_very_long_run_is_decoded_only_near_the_hit() -> None:
    text = b"QUJD" * (REGION_BYTES // 2)
    (view,) = decoded_views(text, Hits([], {NeedleKind.BASE64_0: [REGION_BYTES]}))
    assert REGION_BYTES // 2 < len(view.text) <= 2 * REGION_BYTES


def test_blocks_of_base64_begin_at_their_first_line() -> None:
    line = base64.b64encode(bytes(range(48)))
    assert base64_blocks(line + b"\n" + line + b"\n", EVERYWHERE) == [0]
    assert base64_blocks(b"x\n  " + line + b"\r\n  " + line, EVERYWHERE) == [4]
    assert base64_blocks(line, EVERYWHERE) == []
    assert base64_blocks(b"some words\nand more words\n", EVERYWHERE) == []


@pytest.mark.parametrize(
    ("before", "after", "decoded"),
    [
        ("", "x1", False),
        ("", "x1 and \\n", False),
        ("\\n and ", "x1", False),
        ('\\n"', "x1", False),
        ("\\n", "x1", True),
        ("", 'x1\\" and \\n', False),
        ("", "x\\/1", True),
        ("\\x3d", "x1", True),
        ("Schl\\u00fcssel and ", "x1", True),
    ],
)
def test_escapes_beside_a_token_matter_only_in_its_own_run(before: str, after: str, *, decoded: bool) -> None:
    data = f"{before.ljust(30) if before.endswith(' ') else before}tok-{after}".encode()
    hits = Hits([(0, data.index(b"tok-"))], {})
    assert bool(list(decoded_views(data, hits, {0}))) == decoded
    assert bool(list(decoded_views(data, hits))) == (b"\\" in data)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_letter_of_a_name_that_is_escaped_several_times(times: int) -> None:
    data = f"Der API-Schlüssel lautet {KEY[8:40]}."
    for _ in range(times):
        data = json.dumps({"log": data})
    assert [match.secret.reveal() for match in Detector().scan(data.encode())] == [KEY[8:40]]
