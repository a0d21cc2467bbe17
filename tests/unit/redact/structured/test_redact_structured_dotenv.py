"""`.env` files: every value is masked that is not known to be plain, everything else stays byte for byte."""

from __future__ import annotations

import pytest
from redactcraft import opaque, pieces_left, session

from provision.redact.session import RedactionOptions
from provision.redact.structured.dotenv import redact_dotenv

WORD = opaque("structured", 14)
ENV = """\
# AISA_API_KEY={word}
AISA_API_KEY={word}
export OTHER="{word} with words
on two lines" # a comment
SINGLE='{word}'  # more
HERMES_HOME=/srv/hermes
AISA_MODEL=gpt-5.2
DEBUG=true
EMPTY=
REF=${{OTHER}}
 INDENTED = {word}
# a sentence = is not a value here
"""


def test_env_shows_only_what_is_allowed() -> None:
    result = redact_dotenv(ENV.format(word=WORD).encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert "on two lines" not in result
    for line in (
        "HERMES_HOME=/srv/hermes",
        "AISA_MODEL=gpt-5.2",
        "DEBUG=true",
        "EMPTY=",
        "REF=${OTHER}",
        "# a sentence = is not a value here",
    ):
        assert line + "\n" in result
    assert "  # more\n" in result
    assert " # a comment\n" in result
    assert redact_dotenv(result.encode(), ".env", session()) == result.encode()


def test_env_names_of_the_user_stay() -> None:
    shown = redact_dotenv(b"TEAM=blue-team-7\n", ".env", session(options=RedactionOptions(allow=frozenset({"TEAM"}))))
    assert shown == b"TEAM=blue-team-7\n"
    assert b"blue" not in redact_dotenv(b"TEAM=blue-team-7\n", ".env", session())


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_env_line_ends_and_marks_stay(newline: str, mark: str) -> None:
    text = f"{mark}A={WORD}{newline}B=true{newline}"
    result = redact_dotenv(text.encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert result.startswith(f"{mark}A=[REDACTED:env-value#")
    assert result.endswith(f"]{newline}B=true{newline}")


def test_env_with_a_quote_that_never_closes() -> None:
    result = redact_dotenv(f'A="{WORD}\nB={WORD}x\n'.encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
