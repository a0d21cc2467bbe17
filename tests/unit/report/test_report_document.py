"""JSON documents name their schema first, so that a reader can refuse what it does not know."""

from __future__ import annotations

import json

from provision.report.document import document


def test_the_schema_is_the_first_member() -> None:
    text = document("diff/v1", users=["ada é"], drift=False)
    assert list(json.loads(text).items()) == [("schema", "provision/diff/v1"), ("users", ["ada é"]), ("drift", False)]
    assert text.endswith("}\n")
    assert "é" in text
