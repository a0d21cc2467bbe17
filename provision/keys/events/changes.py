"""Derive the events of a vault change by comparing the vault before and after it. So no command can forget one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.keys.age import parse_recipient
from provision.keys.events.text import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from provision.keys.vault.ledger import KeyVersion, VaultLine
    from provision.keys.vault.vault import Vault


def vault_changes(
    before: Mapping[str, tuple[VaultLine, ...]],
    operators: tuple[str, ...],
    vault: Vault,
    *,
    at: datetime,
    who: str,
    command: str,
) -> Iterator[Event]:
    """Yield an event for each changed key and operator, or one for the vault if nothing else changed."""
    generation = vault.generation + 1
    reported = False
    for text, what in _operators(operators, vault.operators):
        reported = True
        yield Event(at, who, what, detail={"operator": text, "command": command}, generation=generation)
    for user, lines in vault.lines.items():
        old = before.get(user)
        if old is lines:
            continue
        known_before = {line.known.version: line.known for line in old or ()}
        for line in lines:
            for what, detail in _of_key(known_before.get(line.known.version), line.known):
                reported = True
                more = {"version": line.known.version, **detail, "command": command}
                yield Event(at, who, what, user, line.known.fingerprint, more, generation)
    if not reported:
        yield Event(at, who, "vault saved", detail={"command": command}, generation=generation)


def _operators(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    old = {parse_recipient(text).text: text for text in before}
    new = {parse_recipient(text).text: text for text in after}
    yield from ((text, "operator added") for key, text in new.items() if key not in old)
    yield from ((text, "operator removed, vault sealed again") for key, text in old.items() if key not in new)


def _of_key(before: KeyVersion | None, after: KeyVersion) -> Iterator[tuple[str, dict[str, str | int | None]]]:
    label = {"label": after.label} if after.label else {}
    if before is None:
        yield "key added", {"stage": after.stage.value, **label, **_until(after)}
        return
    if before.stage is not after.stage:
        yield f"key became {after.stage}", {"was": before.stage.value}
    if before.demo_until != after.demo_until:
        yield ("demo key", _until(after)) if after.demo_until else ("demo key no more", {"was": str(before.demo_until)})
    if before.label != after.label:
        yield "key labelled", {"label": after.label}


def _until(known: KeyVersion) -> dict[str, str | int | None]:
    return {"until": known.demo_until.isoformat()} if known.demo_until else {}
