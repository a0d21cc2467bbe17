"""The start-up repair of Hermes: what it rewrites, and what it leaves alone."""

from __future__ import annotations

import codecs

import pytest

from provision.hermes.env.startup_repair import decode_env, is_utf16, is_utf32, repair_env, repair_lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"A=1\n", b"A=1\n"),
        (b"A=1", b"A=1\n"),
        (b"  A=1 \n", b"A=1\n"),
        (b"A=1\r\nB=2\r\n", b"A=1\r\nB=2\r\n"),  # read as text, CRLF is no difference
        (b"A=\0001\n", b"A=1\n"),
        (codecs.BOM_UTF8 + b"A=1\n", codecs.BOM_UTF8 + b"A=1\n"),
        (codecs.BOM_UTF8 + b" A=1\n", b"A=1\n"),
        ("A=1\n".encode("utf-16"), b"A=1\n"),
        ("A=1\n".encode("utf-32"), "A=1\n".encode("utf-32")),
        (b"\xff\xfeA", b"\xff\xfeA"),
        (b"\xffA =1 \n", b"\xffA =1 \n"),
        (b"OPENAI_API_KEY=aHF_TOKEN=b\n", b"OPENAI_API_KEY=a\nHF_TOKEN=b\n"),
    ],
)
def test_a_file_before_and_after(before: bytes, after: bytes) -> None:
    assert repair_env(before) == after
    assert repair_env(after) == after


@pytest.mark.parametrize(
    "line",
    [
        "AISA_API_KEY=aHF_TOKEN=b",  # does not begin with a known name
        "GLM_API_KEY=x",  # LM_API_KEY is a known name too
        "GLM_API_KEY=xLM_API_KEY",
        "OPENAI_BASE_URL=https://h/?HF_TOKEN=b",
        "OPENAI_API_KEY=a HF_TOKEN=b",
        "# OPENAI_API_KEY=aHF_TOKEN=b",
    ],
)
def test_a_line_that_is_not_split(line: str) -> None:
    assert repair_lines([line]) == [line + "\n"]


def test_three_variables_on_one_line() -> None:
    assert repair_lines(["GLM_API_KEY=aHF_TOKEN=bOPENAI_API_KEY=c\n"]) == [
        "GLM_API_KEY=a\n",
        "HF_TOKEN=b\n",
        "OPENAI_API_KEY=c\n",
    ]


def test_the_mark_of_utf32_is_not_taken_for_utf16() -> None:
    data = codecs.BOM_UTF32_LE + b"A\0\0\0"
    assert (is_utf32(data), is_utf16(data)) == (True, False)
    assert (is_utf32(codecs.BOM_UTF16_LE), is_utf16(codecs.BOM_UTF16_LE)) == (False, True)


def test_bytes_that_are_not_utf8_are_latin1() -> None:
    assert decode_env("ü".encode()) == ("ü", "utf-8")
    assert decode_env(b"\xfc") == ("ü", "latin-1")
