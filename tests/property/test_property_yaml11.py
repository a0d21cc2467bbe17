"""What is written as YAML is read as the same value by PyYAML (1.1, as Hermes) and by ruamel (1.2)."""

from __future__ import annotations

import io
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from provision.hermes.config.draft import same_value
from provision.hermes.config.yaml11 import dump_block, dump_flow, dump_scalar, parse_yaml11

WORDS = st.sampled_from(
    ["no", "on", "Yes", "1:30", "0o14", "012", "1e3", "~", "", "=", "<<", "a: b", "a:b", "x #y", "-", "? ", "&a", "!t"]
)
TEXT = st.text(max_size=20) | WORDS | st.text("ab:/.#-_ 01", max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.dates()
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=10)


@given(TEXT)
def test_text_is_text_to_both_versions(text: str) -> None:
    written = f"k: {dump_scalar(text)}\n"
    assert yaml.safe_load(written) == {"k": text}
    assert YAML(typ="safe", pure=True).load(io.StringIO(written)) == {"k": text}


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_flow_and_block_mean_the_value(value: dict[str, Any]) -> None:
    assert same_value(parse_yaml11(dump_flow(value), "x").data, value)
    if value:
        assert same_value(parse_yaml11(dump_block(value), "x").data, value)
        assert same_value(parse_yaml11("top:\n" + dump_block(value, 2), "x").data, {"top": value})
