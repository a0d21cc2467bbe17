"""The detector as a whole: windows, chunks, what wins over what, worker processes, secrets that stay secret."""

from __future__ import annotations

import base64
import itertools
import mmap
import pickle
import random
from pathlib import Path

import pytest
from detectcraft import aisa_key, known

from provision.detect.detector import OVERLAP_BYTES, WINDOW_BYTES, Detector, _encoded_words
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.resolve import resolve_overlaps
from provision.detect.rule import Rule
from provision.detect.rules.builtin import BUILTIN
from provision.detect.rules.pieces import ALNUM, filler
from provision.detect.secret import Secret

KEY = aisa_key()
DETECTOR = Detector(known=known(KEY))


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_no_border_of_a_window_hides_a_key() -> None:
    step = 997
    data = bytearray(b"x" * (WINDOW_BYTES + step) + b"\n")
    places = [WINDOW_BYTES - len(KEY) - 5 + offset for offset in range(0, len(KEY) + 10, 3)]
    for place in places:
        data[:] = b" " * len(data)
        data[place : place + len(KEY)] = KEY.encode()
        assert [match.start for match in DETECTOR.scan(bytes(data))] == [place]


def test_chunks_of_any_size_give_what_the_whole_gives() -> None:
    filler = (b"some log line without anything, 2026-11-22\n" * 600)[: OVERLAP_BYTES // 3]
    data = b"".join(filler + f"key {number}: {KEY}\n".encode() for number in range(120))
    whole = DETECTOR.scan(data)
    assert len(whole) == 120
    for size in (len(data), WINDOW_BYTES, 65_537, 10_007):
        assert list(DETECTOR.scan_chunks(cut(data, size))) == whole


def test_a_memory_map_and_a_view_are_scanned(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\n" * (WINDOW_BYTES + 9) + KEY.encode())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert [match.start for match in DETECTOR.scan(mapped)] == [WINDOW_BYTES + 9]
    assert [match.start for match in DETECTOR.scan(memoryview(path.read_bytes()))] == [WINDOW_BYTES + 9]


def test_nothing_in_nothing() -> None:
    assert DETECTOR.scan(b"") == []
    assert list(DETECTOR.scan_chunks([b"", b""])) == []


def test_a_copy_for_another_process_finds_the_same() -> None:
    copy = pickle.loads(pickle.dumps(DETECTOR))
    assert copy.scan(KEY.encode()) == DETECTOR.scan(KEY.encode())


def test_a_match_shows_no_secret() -> None:
    match = DETECTOR.scan(KEY.encode())[0]
    assert KEY[8:16] not in repr(match)
    with pytest.raises(TypeError):
        pickle.dumps(match)


def _match(start: int, end: int, confidence: Confidence, rule: str, *encodings: str) -> Match:
    return Match(rule, FindingSeverity.HIGH, confidence, ((start, end),), Secret("x"), encodings)


def test_of_overlapping_matches_the_surest_stays() -> None:
    sure, unsure = _match(5, 9, Confidence.HIGH, "sure"), _match(0, 20, Confidence.MEDIUM, "unsure")
    assert resolve_overlaps([unsure, sure]) == [sure]
    longer = _match(5, 12, Confidence.HIGH, "longer", "wrapped")
    assert resolve_overlaps([sure, longer]) == [longer]
    decoded = _match(5, 9, Confidence.HIGH, "decoded", "json")
    assert resolve_overlaps([decoded, sure]) == [sure]
    assert resolve_overlaps([sure, _match(9, 12, Confidence.LOW, "next")])[1].rule == "next"


def test_a_value_that_a_rule_does_not_accept_is_dropped_and_the_search_goes_on() -> None:
    rule = Rule(
        "t",
        "t",
        FindingSeverity.LOW,
        Confidence.HIGH,
        ("tok_",),
        r"tok_(?P<secret>[a-z0-9]{4})",
        accept=lambda value: value != b"aaaa",
    )
    assert [match.start for match in Detector((rule,)).scan(b"tok_aaaa tok_q7x2")] == [13]


@pytest.mark.parametrize("engine", ["hyperscan", "re2"])
def test_a_detector_without_rules_or_keys_finds_nothing(engine: str) -> None:
    assert Detector((), engine=engine, decode=False).scan(KEY.encode()) == []


def test_entropy_is_asked_for() -> None:
    chance = random.Random(43)
    plain, entropy = Detector(), Detector(entropy=True)
    for _ in range(100):
        token = base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=")
        text = b"id " + token + b" x"
        assert not plain.scan(text)
        assert [match.rule for match in entropy.scan(text)] == ["high-entropy"], token


def test_matches_come_in_order() -> None:
    data = b" ".join(itertools.chain.from_iterable((KEY.encode(), KEY.encode().hex().encode()) for _ in range(5)))
    starts = [match.start for match in DETECTOR.scan(data)]
    assert starts == sorted(starts)
    assert len(starts) == 10


def test_only_keywords_of_other_rules_are_searched_for_in_other_encodings() -> None:
    """Names in words, commands and tables as well made the pass over clean source four times as long."""
    beside = {word.lower().encode() for rule in BUILTIN if rule.id.startswith("assigned-by-") for word in rule.keywords}
    others = {
        word.lower().encode() for rule in BUILTIN if not rule.id.startswith("assigned-by-") for word in rule.keywords
    }
    assert len(beside - others) > 500
    assert set(_encoded_words(BUILTIN, sorted(beside | others))) == others


@pytest.mark.parametrize(
    "text",
    [
        "x=https://ada:{}@h.example/p",
        "https://h.example:8080/x?y=HTTPS://ada:1{}@h.example",
        "http://h.example/\nhttps://h.example\nhttp://1234567:{}@h.example",
        "https://ada%3A{}@h.example",
        "https://ada:1{}%40h.example/x",
        "https://ada:{}&#64;h.example/",
        "https://ada:{}\\u0040h.example/",
        "https://ada:{}\u200b@h.example/",
        "https://ada:\x1b[0m{}@h.example",
        "https://{0}{0}@h.example/x.git",
    ],
)
def test_a_login_in_an_address_is_found_by_every_engine(text: str) -> None:
    data = text.format(filler("address", ALNUM, 12)).encode()
    found = [Detector(engine=engine).scan(data) for engine in ("hyperscan", "re2", "python")]
    assert [match.rule.startswith("dsn-url-") for match in found[0]] == [True]
    assert found[0] == found[1] == found[2]


def test_a_time_of_day_is_no_keyword() -> None:
    """`7z` was one, and one of its rules ran over all lines of a log that end so."""
    assert not Detector().hits(b"2026-11-29T10:00:07Z INFO started\n").words
