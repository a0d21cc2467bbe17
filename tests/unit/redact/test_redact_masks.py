"""Masks: the same tag for the same secret in one run, never a trace of it, and never masked again."""

from __future__ import annotations

import pytest
from redactcraft import RUN_KEY, aisa_key, pieces_left

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.redact.masks import MASK, Masker, MaskStyle, masked_already

KEY = aisa_key("masks")


def _match(value: str = KEY, encodings: tuple[str, ...] = ()) -> Match:
    return Match("aisa-key", FindingSeverity.CRITICAL, Confidence.HIGH, ((0, len(value)),), Secret(value), encodings)


def test_a_tag_mask_names_the_rule_and_the_same_secret() -> None:
    masker = Masker(MaskStyle.TAG, RUN_KEY)
    mask = masker.mask(_match(), KEY.encode(), first=True)
    assert mask == masker.mask(_match(), KEY.encode(), first=True)
    assert mask != masker.mask(_match(aisa_key("other")), KEY.encode(), first=True)
    assert mask.startswith(b"[REDACTED:aisa-key#")
    assert mask.endswith(b"]")


def test_tags_of_two_runs_cannot_be_compared() -> None:
    tags = {Masker(MaskStyle.TAG, bytes([i]) * 32).tag(KEY) for i in range(40)}
    assert len(tags) > 30


@pytest.mark.parametrize("style", MaskStyle)
def test_a_mask_is_recognised_as_one_and_holds_nothing_of_the_secret(style: MaskStyle) -> None:
    masker = Masker(style, RUN_KEY)
    for text in (masker.text("aisa-key", KEY, len(KEY)), masker.fit("aisa-key", KEY, len(KEY))):
        assert MASK.fullmatch(text)
        assert masked_already(text)
        assert not pieces_left(KEY, text, 4)


@pytest.mark.parametrize("style", MaskStyle)
@pytest.mark.parametrize("width", [1, 3, 8, 20, 25, 51, 400])
def test_a_fitting_mask_has_exactly_the_width(style: MaskStyle, width: int) -> None:
    assert len(Masker(style, RUN_KEY).fit("aisa-key", KEY, width)) == width


def test_only_the_length_style_tells_the_length() -> None:
    long, short = _match(KEY * 2), _match(KEY)
    for style in set(MaskStyle) - {MaskStyle.LENGTH}:
        masker = Masker(style, RUN_KEY)
        sizes = {len(masker.mask(m, m.secret.reveal().encode(), first=True)) for m in (long, short)}
        assert len(sizes) == 1, style
    assert Masker(MaskStyle.LENGTH, RUN_KEY).mask(short, KEY.encode(), first=True) == b"*" * len(KEY)


def test_later_pieces_of_a_broken_secret_vanish_or_become_stars() -> None:
    assert Masker(MaskStyle.TAG, RUN_KEY).mask(_match(), KEY[20:].encode(), first=False) == b""
    assert Masker(MaskStyle.LENGTH, RUN_KEY).mask(_match(), KEY[20:].encode(), first=False) == b"*" * 31


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_wide_text_gets_a_wide_mask(encoding: str) -> None:
    mask = Masker(MaskStyle.TAG, RUN_KEY).mask(_match(encodings=("utf-16",)), KEY.encode(encoding), first=True)
    assert mask.decode(encoding).startswith("[REDACTED:aisa-key#")


@pytest.mark.parametrize(
    "value", ["[REDACTED]", "[REDACTED:a-b#0f3e]", "********", "'[REDACTED:x#abcd]'", "[REDACTED:x#abcd]***"]
)
def test_masks_of_an_earlier_run_are_left_alone(value: str) -> None:
    assert masked_already(value)


@pytest.mark.parametrize("value", ["", "hunter2", "[REDACTED]hunter2", "***", "[REDACTED:#abcd", KEY])
def test_what_is_no_mask_is_masked(value: str) -> None:
    assert not masked_already(value)
