"""What `render` would change: by change with the users it concerns, or one user in full. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from provision.report.terminal import plural, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.bundle.diff import UserDiff

_NAMED, _VALUES = 3, 3


def as_groups(found: Sequence[UserDiff], users: int) -> str:
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


def as_user(found: Sequence[UserDiff], user: str) -> str:
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
