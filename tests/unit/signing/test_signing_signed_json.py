"""Signed JSON documents: bounded, strict, and errors that quote nothing of the content."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from pydantic import Field

from provision.errors import ProvisionError
from provision.signing.fields import Counter, SignedPart
from provision.signing.signed_json import DocumentForm, refuse_secrets


class NoteError(ProvisionError):
    """An invalid note."""


class Note(SignedPart):
    schema_: Literal["test/note/v1"] = Field(alias="schema")
    number: Counter
    text: str


def odd_only(note: Note) -> None:
    if note.number % 2 == 0:
        raise ValueError("an even number")
    refuse_secrets(note)


FORM = DocumentForm(
    model=Note,
    schema="test/note/v1",
    name="the note",
    limit_bytes=200,
    error=NoteError,
    sound=odd_only,
    other_version="update",
    hint="fetch it again",
)
GOOD = {"schema": "test/note/v1", "number": 3, "text": "hello"}


def test_a_good_document() -> None:
    assert FORM.parse(json.dumps(GOOD).encode()).text == "hello"


@pytest.mark.parametrize(
    ("data", "says", "hint"),
    [
        (b" " * 201, "larger than 200 bytes", "fetch"),
        (b"{", "invalid", "fetch"),
        (b"[" * 150, "invalid", "fetch"),
        (b"[]", "document", "fetch"),
        (json.dumps({**GOOD, "schema": "test/note/v2"}).encode(), "'test/note/v2'", "update"),
        (json.dumps({**GOOD, "more": 1}).encode(), "more: Extra", "fetch"),
        (json.dumps({"schema": "test/note/v1", "number": 3}).encode(), "text: Field required", "fetch"),
        (json.dumps({**GOOD, "number": "3"}).encode(), "number", "fetch"),
        (json.dumps({**GOOD, "number": 4}).encode(), "an even number", "fetch"),
        (json.dumps(GOOD).replace('"text"', '"text": "x", "text"').encode(), "twice", "fetch"),
    ],
)
def test_bad_documents(data: bytes, says: str, hint: str) -> None:
    with pytest.raises(NoteError, match=says) as caught:
        FORM.parse(data)
    assert hint in caught.value.hint


def test_duplicates_are_found_at_any_depth() -> None:
    data = json.dumps({**GOOD, "more": {}}).replace("{}", '{"a": 1, "a": 2}').encode()
    with pytest.raises(NoteError, match="twice"):
        FORM.parse(data)


def test_errors_do_not_quote_the_content() -> None:
    secret = "sk-aisa-" + "Ab3dEf9h" * 5
    for bad in ({**GOOD, "number": secret}, {**GOOD, "text": secret}):
        with pytest.raises(NoteError) as caught:
            FORM.parse(json.dumps(bad).encode())
        assert secret not in str(caught.value)
