"""A private key goes whole in logs, quotes and listings, with or without its BEGIN line, and nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.detect.detector import Detector
from provision.detect.private_key import MOST_LINES, KeyLine, PrivateKeyLines
from provision.detect.rules.pieces import ALNUM, filler
from provision.detect.stream.scanner import StreamScanner

if TYPE_CHECKING:
    from collections.abc import Callable

DETECTOR = Detector()
BASE64 = ALNUM + "+/"
NAME = "PRIVATE KEY"
BEGINNINGS = {
    "RSA ": "MIIEpAIBAAKCAQEA",
    "": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "OPENSSH ": "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUA",
    "EC ": "MHcCAQEEI",
    "ED25519 ": "MC4CAQAwBQYDK2VwBCIEI",
    "ENCRYPTED ": "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI",
}
BEFORE: dict[str, Callable[[int], str]] = {
    "nothing": lambda _: "",
    "log": lambda n: f"2026-06-12T10:00:{n:02}.{n:03}Z INFO app[12]: ",
    "syslog": lambda n: f"Jun 12 10:00:{n:02} host hermes[812]: ",
    "compose": lambda _: "app-1  | ",
    "quote": lambda _: "> ",
    "diff": lambda _: "+",
    "cat -n": lambda n: f"{n + 8:6}\t",
    "grep -n": lambda n: f"k.pem:{n + 8}:",
    "brackets": lambda n: f"[2026-06-12 10:00:{n:02}] (main) INFO: ",
    "box": lambda _: "│ ",
}
AFTER = "done\n2026-06-12 10:00:00 hello world\n20260612\nQmFzZTY0\n"


def body(kind: str, length: int = 460) -> list[str]:
    text = BEGINNINGS[kind] + filler(kind, BASE64, length)
    text = text[: len(text) // 4 * 4]
    return [text[at : at + 64] for at in range(0, len(text), 64)]


def masked(text: str) -> str:
    scanner = StreamScanner(DETECTOR)
    pieces = [*scanner.feed(text.encode()), *scanner.finish()]
    return b"".join(b"*" if piece.match else piece.data for piece in pieces).decode()


@pytest.mark.parametrize("begin", [True, False], ids=["with BEGIN", "without BEGIN"])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("kind", BEGINNINGS)
def test_a_key_goes_whole_and_nothing_else(kind: str, before: str, *, begin: bool) -> None:
    lines = [f"-----BEGIN {kind}{NAME}-----"] * begin + body(kind) + [f"-----END {kind}{NAME}-----"]
    text = "".join(f"{BEFORE[before](n)}{line}\n" for n, line in enumerate(lines)) + AFTER
    hidden = "".join(f"{BEFORE[before](n)}{line if line.startswith('-') else '*'}\n" for n, line in enumerate(lines))
    assert masked(text) == hidden + AFTER


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_a_key_that_is_cut_ends_before_the_next_text(kind: str) -> None:
    text = "\n".join(body(kind)[:4]) + "\n"
    assert masked(text + AFTER) == "*\n" * 4 + AFTER


def test_a_begin_line_in_prose_hides_nothing() -> None:
    prose = (
        f"see -----BEGIN {NAME}----- in the manual\n" + "hello\nabcdefgh\n/usr/lib/python3/dist\nQmFzZTY0\n\n" * 1000
    )
    assert masked(prose) == prose
    log = f"2026-06-12 10:00:01 INFO -----BEGIN {NAME}-----\n"
    log += "".join(f"2026-06-12 10:00:{n % 60:02} INFO step{n}\n" for n in range(5000))
    assert masked(log) == log


def test_a_begin_line_in_prose_does_not_hide_the_next_secret() -> None:
    text = f"-----BEGIN {NAME}-----\nstep\nAPI_KEY={filler('next', ALNUM, 32)}\n"
    assert masked(text) == f"-----BEGIN {NAME}-----\nstep\nAPI_KEY=*\n"


@pytest.mark.hostile
def test_a_key_has_at_most_so_many_lines() -> None:
    endless = f"-----BEGIN {NAME}-----\n" + "".join(f"{filler(str(n), BASE64, 64)}\n" for n in range(1000))
    assert masked(endless).count("*\n") == MOST_LINES


def test_headers_and_the_checksum_belong_to_it() -> None:
    key = [f"-----BEGIN RSA {NAME}-----", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,5A5B", "", *body("RSA ")]
    lines = PrivateKeyLines(b"")
    kinds = [lines.take(f"{line}\n".encode())[0] for line in [*key[1:], "=aB3d", "hello", f"-----END RSA {NAME}-----"]]
    assert kinds[:3] == [KeyLine.BETWEEN] * 3
    assert set(kinds[3:-2]) == {KeyLine.BODY}
    assert kinds[-2:] == [KeyLine.OTHER, KeyLine.END]


@pytest.mark.parametrize("before", sorted(set(BEFORE) - {"brackets"}))
def test_a_finding_covers_one_key(before: str) -> None:
    lines = [f"-----BEGIN RSA {NAME}-----", *body("RSA "), f"-----END RSA {NAME}-----"]
    text = "".join(f"{BEFORE[before](n)}{line}\n" for n, line in enumerate(lines))
    (match,) = DETECTOR.scan(text.encode())
    assert match.rule == "private-key"
    stray = f"the line -----BEGIN {NAME}----- is no key\nbut this is:\n"
    (match,) = DETECTOR.scan((stray + text).encode())
    assert match.start >= len(stray)


@pytest.mark.parametrize(
    "next_line", ["2026-06-12", "2026-06-12T10:00:01Z x", "20260612 x", "10:00:01 x", "00000010: 6d 6e", "10.1.2.3 GET"]
)
@pytest.mark.parametrize("prefix", ["sk-", "sk-ant-api03-", "ghp_"])
def test_a_mask_ends_before_the_next_line_of_a_log(prefix: str, next_line: str) -> None:
    text = f"{prefix}{filler(prefix, ALNUM, 36)}\n{next_line}\n"
    assert masked(text) == f"*\n{next_line}\n"
    assert all(match.end <= text.index("\n") for match in DETECTOR.scan(text.encode()))


@pytest.mark.parametrize("path", ["/getMe", "/getUpdates?offset=1", "/sendMessage"])
def test_a_mask_ends_before_the_path_after_a_bot_token(path: str) -> None:
    token = "7102015431:AA" + filler("bot", ALNUM, 33)
    assert masked(f"https://api.telegram.org/bot{token}{path}\n") == f"https://api.telegram.org/bot*{path}\n"


def test_a_file_name_at_the_end_of_a_line_is_no_key() -> None:
    text = "usr/share/man/man1/fc-cache.1.gz\nusr/share/man/man1/fc-list.1.gz\n"
    assert masked(text) == text
