"""The events of a change, from the vault before and after it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import keysmith

from provision.detect.secret import Secret
from provision.keys.events.changes import vault_changes
from provision.keys.vault.ledger import Stage
from provision.keys.vault.vault import Vault

AT = datetime(2026, 6, 1, tzinfo=UTC)


def changes(vault: Vault, change: Any) -> list[tuple[str, str, dict[str, Any]]]:
    lines, operators = vault.lines, vault.operators
    change(vault)
    events = list(vault_changes(lines, operators, vault, at=AT, who="op@desk", command="keys import"))
    assert {event.generation for event in events} == {vault.generation + 1}
    assert {event.detail["command"] for event in events} == {"keys import"}
    return [(e.what, e.user, {k: v for k, v in e.detail.items() if k != "command"}) for e in events]


def test_a_new_current_key_is_one_event_for_each_of_the_two_versions() -> None:
    found = changes(keysmith.vault(ada="one", bob="two"), lambda v: v.add("ada", Secret("three"), now=AT, label="l"))
    assert found == [
        ("key became previous", "ada", {"version": 1, "was": "current"}),
        ("key added", "ada", {"version": 2, "stage": "current", "label": "l"}),
    ]


def test_a_demo_mark_and_its_removal() -> None:
    vault = keysmith.vault(ada="one")
    marked = changes(vault, lambda v: v.set_demo("ada", 1, date(2026, 7, 1)))
    assert marked == [("demo key", "ada", {"version": 1, "until": "2026-07-01"})]
    assert changes(vault, lambda v: v.set_demo("ada", 1, None)) == [
        ("demo key no more", "ada", {"version": 1, "was": "2026-07-01"})
    ]


def test_a_label_and_a_stage_changed_together_are_two_events() -> None:
    def change(vault: Vault) -> None:
        vault.set_label("ada", 1, "laptop")
        vault.set_stage("ada", 1, Stage.RETIRED)

    found = changes(keysmith.vault(ada="one"), change)
    assert [what for what, *_ in found] == ["key became retired", "key labelled"]


def test_a_changed_comment_of_an_operator_is_no_event_of_theirs() -> None:
    vault = keysmith.vault(ada="one")
    recipient = keysmith.identity(1)[1]
    added = changes(vault, lambda v: v.add_operator(recipient + " bob"))
    assert [(what, detail) for what, _, detail in added] == [("operator added", {"operator": recipient + " bob"})]
    removed = changes(vault, lambda v: v.remove_operator(recipient))
    assert removed[0][:2] == ("operator removed, vault sealed again", "")


def test_a_save_without_any_change_is_one_event() -> None:
    assert changes(keysmith.vault(ada="one"), lambda _: None) == [("vault saved", "", {})]
