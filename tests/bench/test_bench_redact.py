"""What redaction costs, beside sed, ripgrep and Hermes' own redactor on the same log in the same run; memory; worst inputs."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from redactcraft import aisa_key, opaque, session

from provision.detect.rule import Rule
from provision.detect.rules.builtin import BUILTIN
from provision.redact.command_line_rules import COMMAND_LINE_RULES
from provision.redact.stream import redact_stream
from provision.redact.terminal.output_scanner import RecordingScanner

pytestmark = pytest.mark.bench

MB = 1 << 20
KEY_PATTERN = "sk-aisa-[A-Za-z0-9_-]{43}"
HERMES = """
import sys, time
from agent.redact import redact_sensitive_text
text = open(sys.argv[1], encoding="utf-8").read()
started = time.monotonic()
for line in text.splitlines(keepends=True):
    redact_sensitive_text(line, force=True)
print(time.monotonic() - started)
"""


def _log(path: Path, size: int) -> Path:
    """A log of an agent: requests, paths, hashes, JSON, and a key now and then."""
    chance = random.Random(7)
    block = []
    for number in range(20_000):
        kind = chance.randrange(10)
        stamp = f"2026-11-22 19:{number // 600 % 60:02}:{number % 60:02},{chance.randrange(1000):03}"
        some, most = chance.randrange(1000), chance.getrandbits(160)
        if kind < 5:
            line = (
                f"{stamp} INFO hermes.gateway request id={most >> 96:016x} POST /v1/chat/completions 200 in {some} ms"
            )
        elif kind < 7:
            line = f'{stamp} DEBUG {{"model": "gpt-5.2", "usage": {{"prompt_tokens": {some}}}, "path": "/home/ada/x{number}.py"}}'
        elif kind < 9:
            line = f"{stamp} WARNING retrying after 502 from https://api.aisa.one/v1 (attempt 2), commit {most:040x}"
        else:
            line = f'    File "/usr/lib/python3.11/asyncio/tasks.py", line {some}, in wait_for: {"word " * (some % 12)}'
        block.append(line)
        if number % 2000 == 0:
            block.append(f"{stamp} ERROR Authorization: Bearer {aisa_key(number)}")
    data = ("\n".join(block) + "\n").encode()
    with path.open("wb") as out:
        for _ in range(size // len(data) + 1):
            out.write(data)
    os.truncate(path, size)
    return path


def _timed(command: Sequence[str | Path], source: Path) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of a filter from a file to nowhere."""
    with source.open("rb") as given:
        started = time.monotonic()
        process = subprocess.Popen([*map(str, command)], stdin=given, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return time.monotonic() - started, usage.ru_maxrss


def test_throughput_beside_others_and_memory(tmp_path: Path) -> None:
    big, small = _log(tmp_path / "big.log", 200 * MB), _log(tmp_path / "small.log", 20 * MB)
    ours = [sys.executable, "-m", "provision", "--quiet", "redact"]
    sed, _ = _timed(["sed", "-E", f"s/{KEY_PATTERN}/[REDACTED]/g"], big)
    rg, _ = _timed(["rg", "--passthru", "-N", "--replace", "[REDACTED]", KEY_PATTERN, "-"], big)
    took, memory = _timed(ours, big)
    _, memory_short = _timed(ours, small)
    sample = _log(tmp_path / "sample.log", 2 * MB)
    hermes = float(
        subprocess.run([sys.executable, "-c", HERMES, str(sample)], capture_output=True, text=True, check=True).stdout
    )
    rate, hermes_rate = 200 / took, 2 / hermes
    print(
        f"\n200 MiB: sed {sed:.2f} s, rg {rg:.2f} s, ours {took:.2f} s ({took / sed:.2f} x sed, {took / rg:.2f} x rg)"
    )
    print(f"start included: ours {rate:.0f} MiB/s, Hermes {hermes_rate:.2f} MiB/s ({rate / hermes_rate:.0f} times)")
    print(f"memory: {memory_short / 1024:.0f} MiB for 20 MiB, {memory / 1024:.0f} MiB for 200 MiB")
    assert rate >= 20 * hermes_rate
    assert memory < memory_short * 1.15 + 4096


def _random(size: int) -> bytes:
    return random.Random(1).randbytes(size)


WORST = {
    "one endless line": lambda n: b"a" * n,
    "an endless dotted word": lambda n: (b"word." * n)[:n],
    "an endless key": lambda n: b"sk-" + b"aisa-" + (b"Ab1_" * n)[: n - 8],
    "only prefixes": lambda n: ((b"sk-" + b"aisa-") * n)[:n],
    "only prefixes in lines": lambda n: ((b"sk-" + b"aisa-\n") * n)[:n],
    "only names": lambda n: (b"password=" * n)[:n],
    "names and spaces": lambda n: (b"api_key :  " * n)[:n],
    "quotes": lambda n: (b'token = "' * n)[:n],
    "colours": lambda n: (b"\x1b[31m" * n)[:n],
    "coloured letters": lambda n: (b"\x1b[31ms\x1b[32mk\x1b[33m-" * n)[:n],
    "base64": lambda n: (b"c2stYWlzYS1" * n)[:n],
    "hex": lambda n: (b"736b2d616973612d" * n)[:n],
    "escapes": lambda n: (b"\\u0073\\u006b" * n)[:n],
    "percents": lambda n: (b"%73%6b%2d" * n)[:n],
    "private keys that never end": lambda n: ((b"-----BEGIN RSA PRIVATE" + b" KEY-----\n") * n)[:n],
    "a private key without end": lambda n: (
        b"-----BEGIN RSA PRIVATE" + b" KEY-----\n" + (b"MIIE" * 16 + b"\n") * (n // 65)
    ),
    "rows of equal width": lambda n: (b"A1b2C3d4" * 8 + b"\n") * (n // 65),
    "keys, nothing else": lambda n: (aisa_key("worst").encode() + b"\n") * (n // 52),
    "jwt heads": lambda n: (b"eyJhbGciOi" * n)[:n],
    "urls": lambda n: (b"https://a:b@" * n)[:n],
    "random bytes": _random,
    "empty lines": lambda n: b"\n" * n,
    "backslashes": lambda n: b"\\" * n,
}


def _chunks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 65_536):
        yield data[at : at + 65_536]


def _seconds(data: bytes) -> float:
    used = session(opaque("worst"))
    started = time.process_time()
    for _ in redact_stream(_chunks(data), used, "x"):
        pass
    return time.process_time() - started


@pytest.mark.parametrize("name", WORST)
def test_no_input_is_worse_than_linear(name: str) -> None:
    _seconds(b"warm up\n")
    size = MB // 8
    small, large = _seconds(WORST[name](size)), _seconds(WORST[name](4 * size))
    print(f"\n{name}: {size / MB / small:.1f} MiB/s, then {4 * size / MB / large:.1f} MiB/s")
    assert large < 6 * small + 0.2, "four times the input may take four times as long"


@pytest.mark.parametrize("rule", [*BUILTIN, *COMMAND_LINE_RULES], ids=lambda rule: rule.id)
def test_no_rule_has_an_input_that_is_worse_than_linear(rule: Rule) -> None:
    """Its keywords, its examples and examples that lack their end, each repeated without anything between them."""
    texts = [example if isinstance(example, str) else example() for example in rule.examples]
    worst = [*rule.keywords[:2], *texts[:2], *(text[: len(text) * 3 // 4] for text in texts[:2])]
    slowest = 9.9
    for text in worst:
        data = text.encode() * (MB // 16 // len(text) + 1)
        small, large = _seconds(data[: MB // 64]), _seconds(data[: MB // 16])
        slowest = min(slowest, 1 / 16 / large)
        assert large < 6 * small + 0.2, "four times the input may take four times as long"
    print(f"\n{rule.id}: {slowest:.2f} MiB/s")


@pytest.mark.parametrize("name", WORST)
def test_no_output_of_a_terminal_is_worse_than_linear(name: str) -> None:
    times = []
    for size in (MB // 32, MB // 8):
        text = WORST[name](size).decode("latin-1")
        recording = RecordingScanner(session(), 100, 30)
        started = time.process_time()
        for at in range(0, len(text), 4096):
            recording.take(text[at : at + 4096])
        recording.covers("x", str)
        times.append(time.process_time() - started)
    print(f"\n{name}: {0.125 / times[1]:.1f} MiB/s on a terminal")
    assert times[1] < 6 * times[0] + 0.2
