"""The result of `render`: what happened to each user's bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.report.document import document
from provision.report.terminal import table

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from provision.bundle.render import RenderOutcome

_HEADERS = ("USER", "STATUS", "PROFILE", "KEY", "GENERATION", "REMARK")


def as_table(outcomes: Iterable[RenderOutcome], counts: Counter[str]) -> str:
    """The outcomes by user, then the counts of all users."""
    rows = [
        (o.user, o.status, o.profile, o.key_fingerprint, o.generation or "", o.message)
        for o in sorted(outcomes, key=lambda o: o.user)
    ]
    summary = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "no users"
    return (table(_HEADERS, rows) if rows else "") + summary + "\n"


def as_json(outcomes: Iterable[RenderOutcome], counts: Counter[str]) -> str:
    """The document `provision/render/v1`."""
    users = [_user(o) for o in sorted(outcomes, key=lambda o: o.user)]
    return document("render/v1", summary=dict(sorted(counts.items())), users=users)


def _user(o: RenderOutcome) -> dict[str, Any]:
    more = {"message": o.message, "hint": o.hint} if o.message else {}
    return {
        "user": o.user,
        "status": o.status,
        "profile": o.profile,
        "generation": o.generation,
        "key": o.key_fingerprint or None,
        **more,
    }
