"""Typescripts: secrets are covered in place, and the number of bytes never changes."""

from __future__ import annotations

import io
import re

import pytest
from redactcraft import aisa_key, pieces_left, session

from provision.redact.recordings import typescript
from provision.redact.recordings.typescript import redact_file
from provision.redact.session import CannotExamineError, Session

KEY = aisa_key("typescript")
HEADER = 'Script started on 2026-01-01 10:00:00+00:00 [TERM="xterm" COLUMNS="60" LINES="10"]\n'


def redacted(text: str, used: Session | None = None) -> str:
    out = io.BytesIO()
    redact_file(io.BytesIO(text.encode()), out, "typescript", used or session())
    return out.getvalue().decode()


CASES = {
    "plain": f"$ cat key\r\n{KEY}\r\n$ exit\r\n",
    "wrapped by the terminal": f"$ echo {KEY} done\r\n",
    "letter by letter with a correction": "$ x=" + "".join(f"{c}Z\b \b" for c in KEY) + "\r\n",
    "coloured in the middle": f"\x1b[1m{KEY[:20]}\x1b[31m{KEY[20:]}\x1b[0m\r\n",
    "painted backwards": "".join(f"\x1b[2;{n + 1}H{c}" for n, c in reversed(list(enumerate(KEY)))) + "\r\n",
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_is_covered_and_the_length_stays(case: str) -> None:
    text = HEADER + CASES[case]
    result = redacted(text)
    assert len(result.encode()) == len(text.encode())
    assert not pieces_left(KEY, result)
    assert not pieces_left(KEY[::-1], re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", result))
    assert result.startswith(HEADER)


def test_text_without_a_secret_stays() -> None:
    text = HEADER + "$ ls\r\nnotes.md  \x1b[34mfolder\x1b[0m\r\n\xe4\xf6\r\n"
    assert redacted(text) == text


def test_the_place_of_a_mask_is_its_line() -> None:
    used = session()
    redacted(HEADER + "one\ntwo\n" + KEY + "\n", used)
    assert [place.where for place in used.notes.places] == ["line 4"]


def test_a_recording_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typescript, "LIMIT_BYTES", len(HEADER))
    assert redacted(HEADER) == HEADER
    with pytest.raises(CannotExamineError, match="too large"):
        redacted(HEADER + "x")
