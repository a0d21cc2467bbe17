"""The result of `publish`: what happened to each user's entry in the feed, and the users' addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.report.document import document
from provision.report.terminal import plural, table

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from provision.feed.publish import PublishedBundle, PublishSummary

_HEADERS = ("USER", "STATUS", "GENERATION", "REMARK")


def as_table(users: Sequence[PublishedBundle], counts: Counter[str], summary: PublishSummary, uploaded: int) -> str:
    """The users given, then one summary line over all users, index parts and uploads."""
    rows = [(p.user, p.status.value, p.generation or "", p.message) for p in users]
    text = table(_HEADERS, rows) if rows else ""
    text += ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "no users"
    text += f"; index: {plural(summary.parts_written, 'part')} signed, {summary.parts_kept} kept"
    text += f"; {plural(summary.orders, 'order')}" if summary.orders else ""
    return text + (f"; {plural(uploaded, 'file')} uploaded\n" if uploaded else "\n")


def as_json(users: Sequence[PublishedBundle], counts: Counter[str], summary: PublishSummary, uploaded: int) -> str:
    """The document `provision/publish/v1`. It holds no addresses."""
    return document(
        "publish/v1",
        summary=dict(sorted(counts.items())),
        index={"signed": summary.parts_written, "kept": summary.parts_kept},
        orders=summary.orders,
        removed=summary.removed,
        uploaded=uploaded,
        users=[_user(p) for p in users],
    )


def addresses_as_table(addresses: Sequence[tuple[str, str]]) -> str:
    """Users and their feed addresses."""
    return table(("USER", "ADDRESS"), addresses)


def addresses_as_json(addresses: Sequence[tuple[str, str]]) -> str:
    """The document `provision/feed-addresses/v1`."""
    return document("feed-addresses/v1", users=[{"user": user, "address": address} for user, address in addresses])


def _user(p: PublishedBundle) -> dict[str, Any]:
    more = {"message": p.message, "hint": p.hint} if p.message else {}
    return {"user": p.user, "status": p.status.value, "generation": p.generation or None, **more}
