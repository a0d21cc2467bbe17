"""Stand-ins in a stream: chunk borders never matter, keys are masked as before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import seeded
from redactcraft import aisa_key, session

from provision.redact.stand_in_stream import LONGEST_WORD, StandInStream
from provision.redact.stand_ins import Kind, StandIns
from provision.redact.stream import StreamRedactor, redact_bytes

KEY = aisa_key("stand-ins")
NAMES = {Kind.USER: ["ada"], Kind.HOST: ["box"], Kind.CWD: ["/my folder/a (b)"], Kind.IP: (), Kind.EMAIL: ()}
TEXT = (
    f"""[ada@box ~]$ cd '/my folder/a (b)/x'; key {KEY} ada
box\tada,"ada":10.1.2.3 /my folder/a (c) /my folder/a (b)
ada@box:~/x$ mail \u00e9ada@corp.co.uk ada\u00e9 {KEY} ada
{"a" * (LONGEST_WORD - 4)}@ada {"a" * LONGEST_WORD}@x.ada b.ada
{"ada/" * LONGEST_WORD} ada""".encode()
    + b"\xff\xfe ada \xc3 ada\n10.1.2.3"
)


def redacted(chunks: list[bytes]) -> tuple[bytes, list[tuple[str, str, str]]]:
    used = replace(session(), also=StandIns(NAMES))
    redactor = StreamRedactor(used, "a.txt")
    out = b"".join([*map(redactor.feed, chunks), redactor.finish()])
    return out, sorted((each.where, each.rule, each.tag) for each in used.notes.places)


def test_borders_of_chunks_never_matter() -> None:
    whole = redacted([TEXT])
    assert redacted([TEXT[at : at + 1] for at in range(len(TEXT))]) == whole
    for _ in range(30):
        cuts = sorted(seeded.randbelow(len(TEXT)) for _ in range(seeded.randbelow(12)))
        chunks = [TEXT[start:end] for start, end in zip([0, *cuts], [*cuts, len(TEXT)], strict=True)]
        assert redacted(chunks) == whole, cuts


def test_values_are_replaced_between_masks_and_noted_by_line() -> None:
    out, places = redacted([TEXT])
    lines = out.decode("utf-8", "replace").split("\n")
    assert lines[0].startswith("[user1@host1 ~]$ cd '/folder1/x'; key [REDACTED:aisa-key#")
    assert lines[0].endswith("] user1")
    assert lines[1] == 'host1\tuser1,"user1":192.0.2.1 /my folder/a (c) /folder1'
    assert lines[2].startswith("user1@host1:/folder2$ mail \u00e9ada@corp.co.uk ada\u00e9 [REDACTED:")
    assert lines[3].endswith("@user1 " + "a" * LONGEST_WORD + "@x.ada b.user1"), "words of more than 4,096 bytes stay"
    assert lines[4] == "ada/" * LONGEST_WORD + " user1\ufffd\ufffd user1 \ufffd user1"
    assert lines[5] == "192.0.2.1"
    assert ("line 6", "also-ip", "192.0.2.1") in places
    assert {where for where, rule, _ in places if rule == "also-cwd"} == {"line 1", "line 2", "line 3"}


@pytest.mark.parametrize("size", [1, 7, 5000, 1 << 20])
def test_chunks_that_cut_words_change_nothing(size: int) -> None:
    lines: list[int] = []
    stream = StandInStream(StandIns(NAMES), lambda _, line: lines.append(line))
    stream.skip(b"a mask\nover\nlines")
    data = b" x bob@web ~ ada\n" + b"a" * LONGEST_WORD + b"@x.ada ada " + b"ada/" * 3000 + b" ada"
    out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.finish()
    assert out == data.replace(b" ada\n", b" user1\n").replace(b" ada ", b" user1 ").removesuffix(b"ada") + b"user1"
    assert lines == [2, 3, 3]


@pytest.mark.parametrize("before", ["ada ", "", "ada@box:~/x$ ", "10.1.2.3,"])
@pytest.mark.parametrize("after", ["", " ada", ",ada", "@corp.co.uk", ":10.1.2.3"])
def test_a_key_is_masked_as_without_stand_ins(before: str, after: str) -> None:
    text = f"{before}{KEY}{after}\n".encode()
    mask = redact_bytes(KEY.encode(), session(), "a")
    plain = redact_bytes(text, session(), "a")
    assert mask in plain
    assert mask in redacted([text])[0]
