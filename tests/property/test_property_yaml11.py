"""What is written as YAML is read as the same value by PyYAML (1.1, as Hermes) and by ruamel (1.2)."""

from __future__ import annotations

import io
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from provision.hermes.config.draft import same
from provision.hermes.config.yaml11 import block, flow, parse, scalar

WORDS = st.sampled_from(
    ["no", "on", "Yes", "1:30", "0o14", "012", "1e3", "~", "", "=", "<<", "a: b", "a:b", "x #y", "-", "? ", "&a", "!t"]
)
TEXT = st.text(max_size=20) | WORDS | st.text("ab:/.#-_ 01", max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.dates()
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=10)


@given(TEXT)
def test_text_is_text_to_both_versions(text: str) -> None:
    written = f"k: {scalar(text)}\n"
    assert yaml.safe_load(written) == {"k": text}
    assert YAML(typ="safe", pure=True).load(io.StringIO(written)) == {"k": text}


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_flow_and_block_mean_the_value(value: dict[str, Any]) -> None:
    assert same(parse(flow(value), "x").data, value)
    if value:
        assert same(parse(block(value), "x").data, value)
        assert same(parse("top:\n" + block(value, 2), "x").data, {"top": value})
