"""What to do about a key that is too old, expired, abandoned or left over: the one place that advises on keys.

It knows the vault and the rotations in progress, and says "revoke" only for a key that a rotation lists. A rotation
lists a key only after a signed receipt proved its successor installed and the gateway accepted it. All other advice is
a command that gets there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.keys.policy import check_key_ages
from provision.keys.vault.ledger import Stage
from provision.rotate.revoke_list import revocable
from provision.rotate.store import RotationStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.desired import DesiredState
    from provision.keys.policy import KeyFinding
    from provision.keys.vault.ledger import KeyVersion, Ledger
    from provision.rotate.rotation import Rotation


def key_findings(
    root: Path, ledger: Ledger, states: Iterable[DesiredState], now: datetime, *, complete: bool = True
) -> Iterator[KeyFinding]:
    """Yield all findings about the keys of the workspace at `root`, each with what to do now."""
    rotations = list(RotationStore(root).unfinished())
    for finding in check_key_ages(ledger, states, now, complete=complete):
        yield replace(finding, cure=key_advice(finding, rotations))


def key_advice(finding: KeyFinding, rotations: Sequence[Rotation]) -> str:
    """The command for this finding. Pure."""
    key = finding.key
    for rotation in rotations:
        person = rotation.people.get(key.user)
        if person is None or (person.over and key.fingerprint not in person.others):
            continue
        if key.fingerprint in person.others and revocable(person):
            return f"revoke it in the console, then: provision rotate resume {rotation.id}"
        if not person.over:
            return f"rotation {rotation.id} handles it ({person.state}): provision rotate resume {rotation.id}"
    return _outside_rotations(finding.rule, key)


def _outside_rotations(rule: str, key: KeyVersion) -> str:
    if rule == "key-without-user":
        return f"if the user left: provision rotate leaked {key.fingerprint}"
    if key.stage is Stage.PENDING:
        return f"use it: provision rotate start --from FILE; or give it up: provision rotate leaked {key.fingerprint}"
    if key.stage is Stage.PREVIOUS:
        return f"provision rotate retire {key.fingerprint}"
    if rule == "demo-key-over":
        return f"replace it: provision rotate leaked {key.fingerprint}"
    return f"rotate it: provision rotate start --from KEYS.csv -l {key.user}"
