"""What the team sets is applied; what it no longer sets is removed unless the user changed it."""

from __future__ import annotations

from typing import Any

import pytest

from provision.hermes.config.draft import Draft
from provision.hermes.config.three_way import apply_rendering, retire_previous


def merge(user: dict[str, Any], last: dict[str, Any], new: dict[str, Any]) -> Draft:
    draft = Draft(user, "config.yaml")
    retire_previous(draft, last, new)
    apply_rendering(draft, new, last)
    return draft


@pytest.mark.parametrize(
    ("user", "last", "new", "result"),
    [
        ({"a": 1, "mine": 2}, {}, {"a": 3}, {"a": 3, "mine": 2}),
        ({"a": 1}, {"a": 1}, {}, {}),
        ({"a": 2}, {"a": 1}, {}, {"a": 2}),  # changed by the user since
        ({"a": True}, {"a": 1}, {}, {"a": True}),  # 1 and true differ
        ({"m": {"a": 1, "b": 2}}, {"m": {"a": 1}}, {"m": {}}, {"m": {"b": 2}}),
        ({"m": {"a": 1}}, {"m": {"a": 1}}, {}, {}),  # a mapping that becomes empty is removed
        ({"m": {"a": 1}}, {}, {"m": {"b": 2}}, {"m": {"a": 1, "b": 2}}),
        ({"l": [1]}, {"l": [1]}, {"l": [2]}, {"l": [2]}),
        ({"m": "text"}, {}, {"m": {"a": 1}}, {"m": {"a": 1}}),
    ],
)
def test_the_result(user: Any, last: Any, new: Any, result: Any) -> None:
    assert merge(user, last, new).data == result


def test_replaced_values_of_the_user_are_listed_and_ours_are_not() -> None:
    draft = merge(
        {"theirs": "x", "ours": "y", "empty": "", "_config_version": 1},
        {"ours": "y"},
        {"theirs": "a", "ours": "b", "empty": "c", "_config_version": 33},
    )
    assert [(item.where, item.masked) for item in draft.removed] == [("theirs", "x")]


def test_equal_values_are_no_change() -> None:
    same = {"a": {"b": [1, None]}}
    assert merge(same, same, same).changes == []
