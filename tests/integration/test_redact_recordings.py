"""Recordings of terminals: a key spread over events, corrected, wrapped, coloured or painted goes; timing and layout stay."""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.file_kinds import FileKind, kind_of
from provision.redact.masks import MaskStyle
from provision.redact.recordings.asciinema import redact_file as redact_cast
from provision.redact.recordings.typescript import redact_file as redact_typescript
from provision.redact.session import CannotExamineError
from provision.redact.terminal.screen import Screen

KEY = aisa_key("casts")
PLAIN = opaque("casts")

Event = tuple[float, str, str]


def _cast(events: list[Event], version: int = 2, **header: Any) -> bytes:
    if version == 1:
        frames = [[time, data] for time, _, data in events]
        return json.dumps({"version": 1, "width": 80, "height": 24, "stdout": frames}, indent=1).encode()
    size = {"width": 80, "height": 24} if version == 2 else {"term": {"cols": 80, "rows": 24, "type": "xterm"}}
    lines = [{"version": version, **size, **header}, *events]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _redacted(data: bytes, *keys: str, style: MaskStyle = MaskStyle.TAG) -> bytes:
    out = io.BytesIO()
    redact_cast(io.BytesIO(data), out, "demo.cast", session(*keys, style=style))
    return out.getvalue()


def _events(data: bytes) -> list[Event]:
    lines = data.decode().splitlines()
    if '"stdout"' in data.decode():
        return [(time, "o", text) for time, text in json.loads(data)["stdout"]]
    return [tuple(json.loads(line)) for line in lines[1:] if line.startswith("[")]


def _screen(events: list[Event], kind: str = "o") -> str:
    """What a viewer can ever read, each screen after each event."""
    screen, at, shown = Screen(80, 24), 0, []
    for _, what, text in events:
        if what == kind:
            screen.feed(text, at)
            at += len(text)
            shown.append(screen.changed_lines().text)
    return "\n".join(shown)


def _typed(secret: str, before: str = "") -> list[Event]:
    return [(0.1 * i, "o", character) for i, character in enumerate(before + secret + "\r\n")]


def _coloured(secret: str) -> list[Event]:
    return [(0.1 * i, "o", f"\x1b[3{i % 8}m{character}\x1b[0m") for i, character in enumerate(secret)] + [
        (99.0, "o", "\r\n")
    ]


def _corrected(secret: str) -> list[Event]:
    shown = secret[:20] + "zz\b\b  \b\b" + secret[20:30] + "q\x1b[D\x1b[K" + secret[30:]
    return [(0.1 * i, "o", piece) for i, piece in enumerate(re.findall(r"\x1b\[.|[\s\S]", shown + "\r\n"))]


def _painted(secret: str) -> list[Event]:
    """As an editor does: the cursor is hidden, moved and shown again around each letter."""
    return [(0.1 * i, "o", f"\x1b[?25l\x1b[7;{10 + i}H{c}\x1b[?25h") for i, c in enumerate(secret)]


def _painted_backwards(secret: str) -> list[Event]:
    return [(0.1, "o", f"\x1b[9;{5 + i}H{secret[i : i + 7]}") for i in range(0, len(secret), 7)][::-1]


def _wrapped(secret: str) -> list[Event]:
    return [(0.5, "o", "\x1b[2J\x1b[H" + "x" * 40 + " " + secret[:30]), (0.6, "o", secret[30:] + "\r\n")]


WAYS = (_typed, _coloured, _corrected, _painted, _painted_backwards, _wrapped)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", [KEY, PLAIN], ids=["rule", "known"])
def test_a_key_spread_over_events(way: Any, version: int, secret: str) -> None:
    before: list[Event] = [(0.0, "o", "\x1b[2J\x1b[1;1H$ "), *way(secret), (100.0, "o", "\x1b[20;1Hafter ünd 漢\r\n")]
    data = _cast(before, version)
    result = _redacted(data, PLAIN)
    after = _events(result)
    assert [(t, k, len(d)) for t, k, d in after] == [(t, k, len(d)) for t, k, d in before]
    assert not pieces_left(secret, _screen(after))
    assert not pieces_left(secret, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(d for _, _, d in after)))
    assert "[REDACTED:" in _screen(after)
    assert after[-1] == before[-1]
    assert _redacted(result, PLAIN) == result


@pytest.mark.parametrize("style", MaskStyle)
def test_every_style_keeps_the_layout(style: MaskStyle) -> None:
    before = _typed(KEY, "$ ")
    after = _events(_redacted(_cast(before), style=style))
    assert [len(d) for _, _, d in after] == [len(d) for _, _, d in before]
    assert not pieces_left(KEY, "".join(d for _, _, d in after))


def test_typed_input_is_redacted_with_its_corrections() -> None:
    keys = [*PLAIN[:12], "z", "\x7f", *PLAIN[12:], "\r"]
    events: list[Event] = [(0.1 * i, "i", key) for i, key in enumerate(keys)]
    after = _events(_redacted(_cast(events), PLAIN))
    assert not pieces_left(PLAIN, "".join(d for _, _, d in after if d not in {"\x7f", "z"}))
    assert after[-1] == events[-1]


@pytest.mark.parametrize(
    "output",
    [
        f"\x1b]0;export AISA_API_KEY={KEY}\x07$ ",
        f"{KEY}\r{'x' * 60}\x1b[2J",
        f"\x1b]8;;https://x.example/?api_key={KEY}\x1b\\link\x1b]8;;\x1b\\",
    ],
    ids=["title", "overwritten at once", "link"],
)
def test_a_key_that_never_stands_on_the_screen(output: str) -> None:
    after = _events(_redacted(_cast([(0.1, "o", output)])))
    assert len(after[0][2]) == len(output)
    assert not pieces_left(KEY, after[0][2])


def test_headers_markers_and_escapes_stay_as_they_are_written() -> None:
    lines = [
        json.dumps({"version": 2, "width": 80, "height": 24, "title": f"demo {KEY}", "env": {"TERM": "xterm"}}),
        '[0.5, "o", "\\u001b[1m\\u00fc\\ud83d\\ude00 ' + KEY + '\\u001b[0m\\r\\n"]',
        '[ 1.0,"m","a mark"]',
        '[1.5, "o", "plain \\/ \\u0041"]',
        "",
    ]
    result = _redacted("\n".join(lines).encode()).decode().split("\n")
    assert not pieces_left(KEY, "\n".join(result))
    assert re.fullmatch(
        r'\[0\.5, "o", "\\u001b\[1m\\u00fc\\ud83d\\ude00 \[REDACTED:aisa-key#\w{4}\]\*+\\u001b\[0m\\r\\n"\]', result[1]
    )
    assert result[2:] == lines[2:]


def test_a_recording_without_secrets_keeps_every_byte() -> None:
    data = (
        _cast([(0.1, "o", "hello\r\n"), (0.2, "r", "100x30"), (0.3, "m", ""), (0.4, "x", "0")], 3) + b"# a comment\n\n"
    )
    assert _redacted(data) == data


@pytest.mark.parametrize(
    "data", [b'{"version": 2, "width": 80', b'{"version": 1, "width": 9}', b'{"version": 2, "width": 1}\n\xff\xfe']
)
def test_a_broken_recording_is_refused(data: bytes) -> None:
    with pytest.raises(CannotExamineError):
        _redacted(data)


def test_a_long_recording_with_keys_all_over() -> None:
    """Five thousand events and more: log lines, a progress bar, and keys in every way between."""
    chance = random.Random(5)
    events: list[Event] = [(0.0, "o", "\x1b[2J\x1b[H")]
    secrets = [aisa_key(f"long {i}") for i in range(36)]
    for index, secret in enumerate(secrets):
        for number in range(120):
            words = " ".join(
                chance.choice(("loaded", "model", "gpt-5.2", "ok", "200", "GET /v1/models")) for _ in range(6)
            )
            events.append((0.0, "o", f"\x1b[32m{number:4}\x1b[0m {words}\r\n" if number % 3 else f"\r{number}%\x1b[K"))
        events += [(0.0, "o", "\r\n"), *WAYS[index % len(WAYS)](secret), (0.0, "o", "\x1b[24;1H\r\n")]
    events = [(round(0.01 * i, 3), kind, data) for i, (_, kind, data) in enumerate(events)]
    assert len(events) >= 5000
    used = session()
    out = io.BytesIO()
    redact_cast(io.BytesIO(_cast(events)), out, "long.cast", used)
    after = _events(out.getvalue())
    assert [(t, k) for t, k, _ in after] == [(t, k) for t, k, _ in events]
    shown = _screen(after)
    for secret in secrets:
        assert not pieces_left(secret, shown)
    assert used.notes.counts["aisa-key"] == len(secrets)
    untouched = sum(a == b for a, b in zip(after, events, strict=True))
    assert untouched > 36 * 120


# typescripts


def _script(tmp_path: Path, command: str) -> tuple[bytes, bytes]:
    """A recording by the real `script`, and its timing."""
    typescript, timing = tmp_path / "typescript", tmp_path / "timing"
    subprocess.run(
        ["script", "-q", "-e", "-c", command, "-O", str(typescript), "-T", str(timing)],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=30,
    )  # fmt: skip
    return typescript.read_bytes(), timing.read_bytes()


def test_a_typescript_of_script_keeps_its_length_so_the_timing_file_stays_right(tmp_path: Path) -> None:
    half = len(KEY) // 2
    (tmp_path / "run").write_text(
        f"printf '\\033[31m%s' {KEY[:half]}\nsleep 0.1\nprintf '\\033[0m%s\\n' {KEY[half:]}\necho ünd\n"
    )
    typescript, timing = _script(tmp_path, f"sh {tmp_path / 'run'}")
    assert kind_of(typescript) is FileKind.TYPESCRIPT
    out = io.BytesIO()
    redact_typescript(io.BytesIO(typescript), out, "typescript", session())
    result = out.getvalue()
    assert len(result) == len(typescript)
    assert not pieces_left(KEY, result)
    assert "ünd".encode() in result
    (tmp_path / "typescript").write_bytes(result)
    played = subprocess.run(
        ["scriptreplay", "-T", str(tmp_path / "timing"), "-O", str(tmp_path / "typescript"), "-d", "100"],
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert b"[REDACTED:aisa" in re.sub(rb"\x1b\[[0-9;]*m", b"", played.stdout)
    assert timing


def test_a_typescript_that_is_no_utf8_keeps_its_bytes() -> None:
    data = b'Script started on 2026-01-01 [COLUMNS="80" LINES="24"]\n\xff\xfe caf\xe9 \x80\n'
    out = io.BytesIO()
    redact_typescript(io.BytesIO(data), out, "typescript", session())
    assert out.getvalue() == data
