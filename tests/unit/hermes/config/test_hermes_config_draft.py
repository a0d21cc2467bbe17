"""The log of changes: a new section is one change, and the order counts where it has to."""

from __future__ import annotations

from provision.hermes.config.draft import ABSENT, ConfigChange, Draft


def test_what_is_set_below_a_new_section_becomes_part_of_it() -> None:
    draft = Draft({"model": {"default": "a"}}, "config.yaml")
    draft.set(("providers",), {})
    draft.set(("providers", "aisa"), {"odd": 1})
    draft.set(("model", "default"), "b")
    draft.set(("providers", "aisa", "base_url"), "https://api.aisa.one/v1")
    draft.delete(("providers", "aisa", "odd"))
    assert draft.changes == [
        ConfigChange(("providers",), {"aisa": {"base_url": "https://api.aisa.one/v1"}}),
        ConfigChange(("model", "default"), "b"),
    ]


def test_changes_around_a_removed_item_keep_their_order() -> None:
    draft = Draft({}, "config.yaml")
    draft.set(("a",), {"list": [1, 2]})
    draft.set(("b",), {"list": [{"x": 1}, {"x": 2}]})
    draft.changes.clear()
    draft.delete(("b", "list", 0))
    draft.set(("b", "list", 0, "x"), 3)
    draft.set(("a",), {})
    draft.delete(("a",))
    draft.set(("a",), {"c": 1})
    assert [(path, value is ABSENT) for path, value in draft.changes] == [
        (("b", "list", 0), True),
        (("b", "list", 0, "x"), False),
        (("a",), False),
        (("a",), True),
        (("a",), False),
    ]


def test_an_item_of_a_list_that_took_the_place_of_a_section() -> None:
    draft = Draft({}, "config.yaml")
    draft.set(("a",), {"x": 1})
    draft.set(("a",), [{"x": 1}])
    draft.set(("a", 0, "x"), 2)
    assert [path for path, _ in draft.changes] == [("a",), ("a",), ("a", 0, "x")]
