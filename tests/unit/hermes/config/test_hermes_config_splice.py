"""Changes line by line: the changed lines, and no other byte."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from provision.hermes.config.draft import ABSENT, ConfigChange
from provision.hermes.config.splice import UnusualError, splice_changes

TEXT = """\
# head
model:   # the model
    default: 'a'   # quoted
    provider: custom:x

list:
- name: one
  url: u
- name: two
flow: {a: 1, b: {c: 2}}
empty: {}
block: |
  line
  # text
end: 1
"""


def spliced(*path: str | int, value: Any = ABSENT, text: str = TEXT) -> str:
    return splice_changes(text, [ConfigChange(path, value)])


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("model", "default"), "b", "default: 'a'   # quoted", "default: b   # quoted"),
        (("model", "default"), "no", "default: 'a'   # quoted", 'default: "no"   # quoted'),
        (("model", "provider"), ABSENT, "    provider: custom:x\n", ""),
        (("model", "new"), 1, "    provider: custom:x\n", "    provider: custom:x\n    new: 1\n"),
        (("list", 0, "url"), "v", "url: u", "url: v"),
        (("list", 0, "name"), ABSENT, "- name: one\n  url: u\n", "- url: u\n"),
        (("list", 0), ABSENT, "- name: one\n  url: u\n", ""),
        (("flow", "b", "c"), 3, "{a: 1, b: {c: 2}}", "{a: 1, b: {c: 3}}"),
        (("flow", "a"), ABSENT, "{a: 1, b: {c: 2}}", "{b: {c: 2}}"),
        (("empty", "x"), 1, "empty: {}\n", "empty:\n  x: 1\n"),
        (("block",), "t", "block: |\n  line\n  # text\n", "block: t\n"),
        (("end",), {"a": [1, "x"]}, "end: 1\n", "end:\n  a:\n  - 1\n  - x\n"),
    ],
)
def test_only_the_changed_lines(path: tuple[str | int, ...], value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    result = spliced(*path, value=value)
    assert result == TEXT.replace(old, new)
    yaml.safe_load(result)


def test_the_last_key_of_a_mapping_leaves_an_empty_one() -> None:
    assert spliced("m", "a", text="m:\n  a: 1\nn: 2\n") == "m: {}\nn: 2\n"


def test_a_missing_last_newline_is_added() -> None:
    assert spliced("b", value=2, text="a: 1") == "a: 1\nb: 2\n"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ("a",)),
        ("{a: 1}\n", ("a",)),
        ("a: 1\n", ("a",)),  # nothing would be left
        ("a: 1\nb: 2\n", ("c",)),
        ("- - 1\n  - 2\n", (0, 0)),
        ("x: 1\n? a\n: 1\n", ("a", "b")),
    ],
)
def test_what_lines_cannot_express(text: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(UnusualError):
        spliced(*path, text=text)
