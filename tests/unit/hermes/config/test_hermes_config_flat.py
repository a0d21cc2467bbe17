"""Tests of settings as a flat table."""

from __future__ import annotations

from provision.hermes.config.flat import flat_settings


def test_settings_by_dotted_path() -> None:
    assert flat_settings(b"a: {b: 1, c: [x, y]}\nd: true\ne: null\n") == {
        "a.b": "1",
        "a.c": '["x", "y"]',
        "d": "true",
        "e": "",
    }
    assert flat_settings(b"a: [") == {}
