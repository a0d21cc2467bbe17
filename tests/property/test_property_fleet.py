"""Whatever bytes a file holds: problems or a state, never an exception; and always the same."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import yaml
from fleet_texts import ALICE, told, users
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provision.fleet.models import UserEntry
from provision.fleet.profiles import merge_settings, read_profile
from provision.fleet.settings import read_settings
from provision.formats.csv_reader import read_csv
from provision.formats.json_reader import read_json
from provision.formats.located import BrokenTextError, locate
from provision.formats.yaml_reader import read_yaml

SCRAPS = st.sampled_from(
    [
        *(
            "users:",
            "\n",
            "  ",
            "- ",
            "id: ",
            "ada",
            "profile: base",
            "{",
            "}",
            "[",
            "]",
            ",",
            ": ",
            "&a ",
            "*a",
            "!!x ",
            "'",
        ),
        *(
            '"',
            "\t",
            "# ",
            "|\n",
            "---",
            "...",
            "<<: ",
            "? ",
            "null",
            "no",
            "1:30",
            "recipients: ",
            ALICE,
            "\x1b",
            "é",
            "\r\n",
        ),
        *(
            "%Y",
            "@",
            "overrides:",
            "hermes:",
            "env: ",
            "extends: ",
            "model: ",
            "defaults: ",
            "\\ud800",
            "\u2028",
            "_meta",
        ),
        *("hostvars", "hermes_id"),
    ]
)
TEXTS = st.one_of(
    st.lists(SCRAPS, max_size=30).map("".join).map(str.encode),
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "S"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz.-_", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(TEXTS)
@settings(max_examples=400)
@example(b"? ? ? a")
@example(b"users:\n - &a [*a]\n")
def test_no_bytes_make_the_loader_raise(data: bytes) -> None:
    read_yaml(data, "f")
    read_json(data, "f")
    read_profile("p", data, "f")
    read_settings(data, "provision.toml")
    for file in ("i.yaml", "i.csv", "i.json"):
        users(data.decode("latin-1"), file)
    with contextlib.suppress(BrokenTextError):
        list(read_csv(data, "f"))


@given(st.dictionaries(st.sampled_from([*UserEntry.model_fields, "x"]), JSON, max_size=8))
def test_no_entry_makes_the_loader_raise_and_twice_is_the_same(entry: dict[str, object]) -> None:
    text = json.dumps({"users": [entry]})
    first, second = users(text, "i.json"), users(text, "i.json")
    assert told(first.problems) == told(second.problems)
    assert first.states == second.states
    assert bool(first.states) or any(p.severity == "error" for p in first.problems)


@given(JSON)
def test_yaml_means_to_us_what_it_means_to_pyyaml(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    ours, found = read_yaml(text.encode(), "f")
    if not found:
        assert ours == yaml.safe_load(text)


@given(JSON)
def test_json_means_to_us_what_it_means_to_python(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        ours, found = read_json(text.encode(), "f")
        assert found or ours == json.loads(text)


@given(
    st.lists(st.lists(st.text("abc,\"\n ;#'", min_size=1, max_size=5), min_size=2, max_size=4), min_size=1, max_size=4)
)
def test_csv_reads_what_python_writes_and_places_are_true(table: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(table)
    text = written.getvalue()
    expected = [r for r in table if any(c.strip() for c in r) and not r[0].lstrip().startswith("#")]
    rows = list(read_csv(text.encode(), "f"))
    assert [[c.text for c in row] for row in rows] == expected
    lines = text.split("\n")
    for cell in (c for row in rows for c in row):
        at = lines[(cell.mark >> 32) - 1][(cell.mark & 0xFFFFFFFF) - 1 :]
        assert at.startswith('"' if not at.startswith(cell.text.split("\n")[0]) else cell.text.split("\n")[0])


MAPS = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none() | st.integers(0, 3), lambda i: st.dictionaries(st.sampled_from("abc"), i, max_size=3), max_leaves=6
    ),
)


@given(MAPS, MAPS)
def test_merging_twice_is_merging_once_and_leaves_no_null(base: dict[str, object], over: dict[str, object]) -> None:
    start = merge_settings({}, base)
    once = merge_settings(start, over)
    assert merge_settings(once, over) == once
    assert "None" not in repr(once)


@given(JSON)
def test_places_lie_inside_the_text(value: object) -> None:
    text = json.dumps({"a": value}, indent=1)
    root, found = read_json(text.encode(), "f")
    if not found:
        at = locate(root, ["a"], 0)
        assert text.split("\n")[(at >> 32) - 1][(at & 0xFFFFFFFF) - 1 :].startswith(json.dumps(value, indent=1)[:1])
