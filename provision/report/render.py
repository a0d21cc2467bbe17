"""The result of `render`: what happened to each user's bundle. And of `diff`: what would, by change or for one user."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from provision.report.document import document
from provision.report.terminal import plural, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provision.bundle.diff import UserDiff
    from provision.bundle.render import RenderOutcome

_NAMED, _VALUES = 3, 3
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


def diff_groups(found: Sequence[UserDiff], users: int) -> str:
    """One row per change, most users first, and a summary line. `users` is how many were compared."""
    if not found:
        return f"no drift: dist/ matches the workspace for {plural(users, 'user')}\n"
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for status, change, user in _changes(found):
        groups[status, change].append(user)
    rows = [
        (plural(len(who), "user"), status, change, _names(who))
        for (status, change), who in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    counts = Counter(each.status for each in found)
    summary = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    stay = users - sum(1 for each in found if each.status != "removed")
    return (
        table(("USERS", "STATUS", "CHANGE", "WHO"), rows)
        + f"{summary}, {stay:,} as they are; one in full: --user USER\n"
    )


def diff_user(found: Sequence[UserDiff], user: str) -> str:
    """Every change of one user."""
    rows = [(d.status, str(line) or "-") for d in found for line in (d.differences or (d.reason,))]
    return table(("STATUS", "CHANGE"), rows) if rows else f"no drift: the bundle of {user} matches the workspace\n"


def _changes(found: Sequence[UserDiff]) -> Iterator[tuple[str, str, str]]:
    """Status, change and user. What is another value for each user (keys, recipients) is one change."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in found:
        for line in each.differences:
            values[each.status, line.what].add(str(line))
    for each in found:
        if not each.differences:
            yield each.status, each.reason or "-", each.user
        for line in each.differences:
            own = len(values[each.status, line.what]) > _VALUES
            yield each.status, f"{line.what}: another value for each user" if own else str(line), each.user


def _names(users: Sequence[str]) -> str:
    more = f" and {len(users) - _NAMED:,} more" if len(users) > _NAMED else ""
    return ", ".join(users[:_NAMED]) + more
