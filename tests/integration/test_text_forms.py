"""A key is found and masked in every form in which text shows it, and the owner of a known one is told."""

from __future__ import annotations

import itertools

import pytest
from detectcraft import aisa_key, known, starred, streamed
from textforms import TextForm, text_forms

from provision.detect.detector import Detector

KEY = "sk-" + "aisa-hT5wQ2nZr8Kd-b3LxVc7M_Jp4Gs9RuEaWk6NtHy1BqD"
BARE = "q7Vh2LmZp0XcT9bRk4wYs8NdJf3GuEa6hB5tQ1zKvC0x"
KNOWN, OTHER = Detector(known=known(KEY)), Detector(known=known(aisa_key()))
WITHOUT_PREFIX = Detector(known=known(BARE))
ONLY_WITH_PREFIX = (
    "zwsp in json", "upper-case", "title-case", "slack", "json in json in json", "base32, lower", "base32hex", "base64 of hex",
    "hex of base64", "characters, in lines", "base64 of gzip, in lines", "short: next line", "short: plus in the next line",
    "apart, in lines", "apart, thrice",
)  # fmt: skip
"""Forms that are recognised by the prefix inside."""
NOT_IN_STREAMS = ("arrow in the next line", "break of vim", "runner's plus", "apart, in lines: chat")
"""Forms in which a line's end cuts the key and the next line begins otherwise: a finished line does not wait."""
FORMS = list(text_forms(KEY))
BARE_FORMS = [form for form in text_forms(BARE) if not any(name in form.name for name in ONLY_WITH_PREFIX)]


def masked(detector: Detector, form: TextForm) -> bytes:
    text = bytearray(form.data)
    for match in detector.scan(form.data):
        for start, end in match.spans:
            text[start:end] = b"*" * (end - start)
    return bytes(text)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_key_is_masked_and_its_owner_is_known(form: TextForm) -> None:
    assert any(match.known for match in KNOWN.scan(form.data))
    assert not form.left(masked(KNOWN, form))
    assert not form.left(masked(OTHER, form))


@pytest.mark.parametrize(
    "form", [form for form in FORMS if not form.name.endswith(NOT_IN_STREAMS)], ids=lambda form: form.name
)
def test_a_stream_masks_the_same_however_it_is_cut(form: TextForm) -> None:
    whole = starred(streamed(OTHER, form.data, [len(form.data)]))
    assert not form.left(whole)
    assert starred(streamed(OTHER, form.data, itertools.repeat(7))) == whole


@pytest.mark.parametrize("form", BARE_FORMS, ids=lambda form: form.name)
def test_a_known_key_without_a_prefix_is_found_too(form: TextForm) -> None:
    assert any(match.known for match in WITHOUT_PREFIX.scan(form.data))
    assert not form.left(masked(WITHOUT_PREFIX, form))
    assert not form.left(starred(streamed(WITHOUT_PREFIX, form.data, [len(form.data)])))
