"""Changes through ruamel: comments, quotes and indentation stay, and shared anchors change in one place only."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from provision.hermes.config.draft import ABSENT, ConfigChange
from provision.hermes.config.roundtrip import replay_changes
from provision.hermes.config.yaml11 import YamlError


def replayed(text: str, *path: str | int, value: Any = ABSENT) -> str:
    return replay_changes(text, [ConfigChange(path, value)])


def test_everything_else_stays() -> None:
    text = "# head\na:   # why\n    'b': \"x\"\n    c: [1,  2]\nd:\n    - e: 1\n      f: 2\n"
    assert replayed(text, "d", 0, "f", value=3) == text.replace("f: 2", "f: 3").replace("1,  2", "1, 2")


@pytest.mark.parametrize("value", ["no", "1:30", "0o7", "12", "", "true", "a: b", 1e10, 1.0, None, [], {"on": "off"}])
def test_an_inserted_value_means_the_same_to_yaml_11(value: Any) -> None:
    found = yaml.safe_load(replayed("a: 1\n", "new", value=value))["new"]
    assert found == value
    assert type(found) is type(value)


def test_an_anchor_changes_in_one_place_only() -> None:
    result = yaml.safe_load(replayed("a: &x {k: 1}\nb: *x\n", "b", "k", value=2))
    assert result == {"a": {"k": 1}, "b": {"k": 2}}


def test_a_removal_takes_only_its_own_line() -> None:
    assert replayed("a: 1\n# about c\nb: 2\nc: 3\n", "b") == "a: 1\n# about c\nc: 3\n"


@pytest.mark.parametrize("path", [("missing",), ("a", "b"), ("l", 5)])
def test_a_path_that_does_not_exist(path: tuple[str | int, ...]) -> None:
    with pytest.raises(YamlError, match="too unusual"):
        replayed("a: 1\nl: [1]\n", *path)
