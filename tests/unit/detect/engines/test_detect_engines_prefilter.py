"""All engines report the same keywords and needles; the cache of compiled databases survives damage."""

from __future__ import annotations

import random
import re
from pathlib import Path

import platformdirs
import pytest

from provision.detect.engines import plain
from provision.detect.engines.hits import Gate, Hits
from provision.detect.engines.hyperscan import HyperscanEngine
from provision.detect.engines.needles import Needle, NeedleKind, make_needles
from provision.detect.engines.patterns import compiled
from provision.detect.engines.plain import PlainEngine
from provision.detect.engines.prefilter import make_engine
from provision.detect.engines.re2 import Re2Engine
from provision.detect.engines.words import by_find, word_finder
from provision.detect.views.encodings import base64_blocks

WORDS = (b"sk-", b"api_key=", b"token", b"key")
NEEDLES = make_needles(("api_key", "token"), ("sk-",))
PIECES = [
    b"SK-",
    b"sk-x",
    b"API_KEY=",
    b"tokentoken",
    b"6b6579",
    b"dG9rZW4",
    b"s\nk-",
    b"\x1b[",
    b"a%62%63%64",
    b"\0",
    b" ",
]


def test_the_engine_is_chosen_by_name() -> None:
    assert isinstance(make_engine("hyperscan", WORDS, NEEDLES), HyperscanEngine)
    assert isinstance(make_engine("re2", WORDS, NEEDLES), Re2Engine)
    assert isinstance(make_engine("python", WORDS, NEEDLES), PlainEngine)


def test_all_engines_report_the_same_keywords_and_needles() -> None:
    chance = random.Random(5)
    fast = HyperscanEngine(WORDS, NEEDLES)
    for other in (Re2Engine(WORDS, NEEDLES), PlainEngine(WORDS, NEEDLES)):
        for _ in range(200):
            data = b"".join(chance.choices(PIECES, k=12))
            left, right = fast.hits(data), other.hits(data)
            assert sorted(left.words) == sorted(right.words), data
            assert left.needles == right.needles, data


def test_a_long_mark_is_found_in_text_that_has_its_beginning() -> None:
    mark = Needle(NeedleKind.MARK, b"[0-9a-f]" * 32 + b"[.]" + b"[A-Za-z0-9_-]" * 8, 41)
    fast, other = HyperscanEngine(WORDS, (*NEEDLES, mark)), Re2Engine(WORDS, (*NEEDLES, mark))
    digest = b"0123456789abcdef" * 2
    for data in (
        digest + b".key_1234",
        digest[1:] + b".key_1234",
        b"a\0k\0e\0y" + digest + digest + b".key_1234",
        digest,
    ):
        assert fast.hits(data).needles == other.hits(data).needles, data
    assert fast.hits(b"0" + digest + b".key_1234").needles == {NeedleKind.MARK: [1]}


def test_lines_of_base64_are_noticed() -> None:
    chance = random.Random(7)
    fast = HyperscanEngine(WORDS, NEEDLES)
    noticed = 0
    for _ in range(400):
        rows = [chance.choice((b"", b"  ", b"x ")) + b"aB3/" * chance.randrange(8, 14) for _ in range(3)]
        data = b"words \n" * chance.choice((0, 0, 30)) + chance.choice((b"\n", b"\r\n", b" ")).join(rows)
        everywhere = base64_blocks(data, Hits([], {}))
        noticed += bool(everywhere)
        assert base64_blocks(data, fast.hits(data)) == everywhere, data
    assert 0 < noticed < 400
    assert fast.hits(b"key " * 40).base64_lines is None


def test_a_word_across_two_parts_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_PART_BYTES", 4)
    for shift in range(6):
        data = b"." * shift + b"api_key=" + b"6b6579" + b"." * shift
        left, right = Re2Engine(WORDS, NEEDLES).hits(data), PlainEngine(WORDS, NEEDLES).hits(data)
        assert sorted(left.words) == sorted(right.words), data
        assert left.needles == right.needles, data


def test_words_are_found_alike_with_and_without_the_automaton() -> None:
    words = (b"aa", b"aab", b"b")
    assert by_find(words)(b"aaab") == [(0, 0), (0, 1), (1, 1), (2, 3)]
    assert sorted(word_finder(words)(b"aaab")) == sorted(by_find(words)(b"aaab"))


def test_keywords_are_found_in_any_case_with_overlaps() -> None:
    hits = Re2Engine(WORDS, ()).hits(b"Api_Key=sk-")
    assert sorted(hits.words) == [(0, 8), (1, 0), (3, 4)]


def test_gates_are_reported_by_their_end() -> None:
    gate = Gate(b"sk-[0-9]{3}", frozenset({0}), 64)
    hits = HyperscanEngine(WORDS, (), (gate,)).hits(b"..sk-123 sk-x")
    assert hits.gates == {0: [8]}
    assert Re2Engine(WORDS, ()).hits(b"..sk-123").gates is None


def test_gates_of_rules_with_many_keywords_are_searched_near_keywords_only() -> None:
    words = tuple(f"word{n}=".encode() for n in range(25))
    engine = HyperscanEngine(words, (), (Gate(b"[0-9]{4}x", frozenset(range(25)), 32),))
    far = b"1234x" + b" " * 5000 + b"word3=1234x" + b" " * 5000 + b"1234x"
    assert engine.hits(far).gates == {0: [5005 + 11]}


def test_hits_are_true_when_there_is_one() -> None:
    assert not Hits([], {}, {})
    assert Hits([(0, 0)], {})
    assert Hits([], {NeedleKind.HEX: [1]})
    assert Hits([], {}, {0: [3]})


def test_a_damaged_cache_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    words = tuple(f"keyword{n}".encode() for n in range(250))
    expected = HyperscanEngine(words, ()).hits(b"keyword7 ").words
    (file,) = tmp_path.iterdir()
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + bytes((kept[-1] ^ 1,)))
    assert HyperscanEngine(words, ()).hits(b"keyword7 ").words == expected == [(7, 0)]
    assert file.read_bytes() == kept


def test_re2_expressions_match_bytes() -> None:
    assert compiled(b"[\x80-\xff]{2}").search(b"a\xff\x80").span() == (1, 3)


@pytest.mark.parametrize("heavy", [(), (0,), (0, 1), (0, 1, 2, 3, 4, 5)])
def test_gates_are_found_where_thousands_of_keywords_are_of_few_rules(heavy: tuple[int, ...]) -> None:
    words = tuple(b"%b%03d" % (name, number) for name in (b"a", b"b", b"c", b"d", b"e", b"f") for number in range(25))
    gates = tuple(
        Gate(rb"%b\d{3}=[0-9]{2}" % name, frozenset(range(at * 25, at * 25 + 25)), 60)
        for at, name in enumerate((b"a", b"b", b"c", b"d", b"e", b"f"))
    )
    lines = [b"%b007 is a word\n" % bytes([97 + at]) for at in heavy for _ in range(700)]
    values = [b"%b%03d=%02d\n" % (bytes([97 + at]), number, number) for at in range(6) for number in range(25)]
    data = b"".join(random.Random(7).sample([*lines, *values], len(lines) + len(values)))
    found = HyperscanEngine(words, NEEDLES, gates).hits(data).gates
    expected = {at: [each.end() for each in re.finditer(gate.pattern, data)] for at, gate in enumerate(gates)}
    assert found == expected


def test_addresses_are_keywords_where_a_login_may_be_in_them() -> None:
    engine = HyperscanEngine((b"http://", b"https://"), ())
    for data, words in (
        (b"see https://h.example/a and http://h.example:8080/b.", []),
        (b"x https://ada:pw@h.example/", [(1, 2)]),
        (b"HTTPS://a@b@c/\nhttp://h.example/ http://1:2@h/", [(1, 0), (0, 33)]),
        (b"https://h.example/ or http://h.example", [(0, 22)]),
    ):
        assert engine.hits(data).words == words, data
