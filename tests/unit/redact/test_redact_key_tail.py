"""The end of a private key with which a text begins is masked, whatever stands before its lines."""

from __future__ import annotations

import base64
import io
import tempfile

import pytest
import seeded
from redactcraft import session

from provision.redact.files import redact_open
from provision.redact.key_tail import may_be_key_tail
from provision.redact.pipe import redact_descriptor

BODY = base64.b64encode(seeded.token_bytes(500)).decode()
LINES = [BODY[at : at + 64] for at in range(0, len(BODY), 64)]
END = "-----END RSA " + "PRIVATE KEY-----"


def in_file(text: str) -> str:
    out = io.BytesIO()
    redact_open(io.BytesIO(text.encode()), out, "a.log", session())
    return out.getvalue().decode()


def in_pipe(text: str) -> str:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(text.encode())
        source.seek(0)
        redact_descriptor(source.fileno(), target.fileno(), session())
        target.seek(0)
        return target.read().decode()


@pytest.mark.parametrize(
    ("before", "first"),
    [
        ("", 0),
        ("", 20),
        ("", 50),
        ("2026-06-12 10:00:01 app[7]: ", 0),
        ("app-1  | ", 20),
        ("> ", 0),
        ("+", 20),
        ("  ", 30),
    ],
)
@pytest.mark.parametrize("redacted", [in_file, in_pipe])
def test_the_tail_is_masked(before: str, first: int, redacted: object) -> None:
    lines = [LINES[2][first:], *LINES[3:], END, "next line"]
    result = redacted("".join(f"{before}{line}\n" for line in lines))  # type: ignore[operator]
    assert not any(line[at : at + 8] in result for line in lines[:-2] for at in range(len(line) - 8))
    assert result.startswith(f"{before}[REDACTED:private-key-tail#")
    assert result.endswith(f"{before}{END}\n{before}next line\n")


@pytest.mark.parametrize(
    "text",
    [
        "x\n" + LINES[2] + "\ntext\n" + END + "\n",
        "\n".join(LINES) + "\n",
        "word\n" + END + "\n",
        "a" * 64 + "\n" + END + "\n",
    ],
)
def test_other_lines_stay(text: str) -> None:
    assert in_file(text) == in_pipe(text) == text


def test_only_lines_of_base64_wait() -> None:
    assert may_be_key_tail(f"{LINES[0][9:]}\n{LINES[1]}\nabc".encode())
    assert not may_be_key_tail(f"{LINES[0]}\nINFO ready\n".encode())
    assert not may_be_key_tail(b"password: ")
    assert not may_be_key_tail(b"line 0 without anything\n")
    assert not may_be_key_tail(b"y\n")
