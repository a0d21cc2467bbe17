"""User ids and machine names from what directories and devices are called."""

from __future__ import annotations

import pytest

from provision.directory.user_ids import machine_id, propose_id


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["édouard.lucas@example.com"], "edouard.lucas"),
        (["o'brien@example.com"], "obrien"),
        (["Jörg.Straße@example.com"], "jorg.strasse"),
        (["Łukasz Øre@example.com"], "lukasz.ore"),
        (["CONTOSO\\ann"], "ann"),
        (["", "ann@example.com"], "ann"),
        (["7b5b2f3e-0d6a-4b1e-8f6a-1c2d3e4f5a6b@example.com", "ann@example.com"], "ann"),
        (["王@example.com"], ""),
        (["李ann@example.com"], ""),
        (["con@example.com"], ""),
        (["..@example.com", "-@x"], ""),
        (["ann+test@example.com"], "anntest"),
        (["x" * 80 + "@example.com"], "x" * 64),
    ],
)
def test_proposed_ids(texts: list[str], expected: str) -> None:
    assert propose_id(*texts) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Ada\u2019s MacBook Pro", "adas-macbook-pro"), ("PC-7", "pc-7"), ("王", ""), ("nul", "")],
)
def test_machine_names(name: str, expected: str) -> None:
    assert machine_id(name) == expected
