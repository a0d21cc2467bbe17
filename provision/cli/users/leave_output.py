"""The proofs of `users leave`, as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.people.leaving import REMAINS
from provision.report.document import document
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.people.leaving import LeavingStep


def as_table(done: Mapping[str, Sequence[LeavingStep]]) -> str:
    """A line per step, what to do for those that are open, what remains, and the count."""
    rows = [
        (user, step.name, "done" if step.proved else "open", step.what)
        for user, steps in done.items()
        for step in steps
    ]
    text = table(("USER", "STEP", "STATE", "PROOF"), rows)
    for user, steps in done.items():
        text += "".join(printable(f"{user}: {s.name}: {s.hint}") + "\n" for s in steps if not s.proved and s.hint)
    text += "".join(f"remains: {each}\n" for each in REMAINS)
    proved = sum(all(step.proved for step in steps) for steps in done.values())
    return f"{text}{proved} of {plural(len(done), 'user')} proved\n"


def as_json(done: Mapping[str, Sequence[LeavingStep]]) -> str:
    """The document `provision/users-leave/v1`."""
    users = [
        {
            "id": user,
            "proved": all(step.proved for step in steps),
            "steps": [{"step": s.name, "proved": s.proved, "what": s.what, "hint": s.hint or None} for s in steps],
        }
        for user, steps in done.items()
    ]
    return document("users-leave/v1", users=users, remains=list(REMAINS))
