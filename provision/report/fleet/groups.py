"""What needs attention as a reader works through it: equal things in one group, worst first, each with what to do. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from provision.report.attention import AttentionCause
from provision.report.html.page import Group
from provision.report.terminal import plural
from provision.shell import shell_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.report.attention import Attention
    from provision.report.fleet.results import FleetReport

SHOWN_LINES = 100
"""Users that a group names; the grid has all."""
_NAMED_IN_COMMANDS = 10
_DETAILS_APART = 5
"""With more different details than this, a cause is one group and each line has its own detail."""


class _Kind(NamedTuple):
    """How a cause is presented. `command` helps; `{limit}` becomes `-l USERS` and `{users}` the users, for a few."""

    title: str
    pill: str
    tone: str
    command: str = ""


_NOW, _SOON, _UNKNOWN = ("now", "bad"), ("soon", "unsure"), ("unknown", "neutral")
KINDS: dict[AttentionCause, _Kind] = {
    AttentionCause.LEAKED: _Kind("Leaked keys", *_NOW, "provision rotate leaked{users}"),
    AttentionCause.MISROUTED: _Kind(
        "Requests do not go where they were set up to go", *_NOW, "provision deploy{limit}"
    ),
    AttentionCause.REFUSED: _Kind("Refused by the gateway", *_NOW, "provision validate{limit}"),
    AttentionCause.NO_KEY: _Kind("No key", *_SOON, "provision keys import FILE"),
    AttentionCause.INVENTORY: _Kind(
        "Errors in the inventory: nothing is known of these users", *_NOW, "provision check"
    ),
    AttentionCause.OVERDUE: _Kind("Keys older than allowed", *_SOON, "provision rotate start --from FILE"),
    AttentionCause.HALTED: _Kind("Rotation halted", *_NOW, "provision rotate status"),
    AttentionCause.FAILED: _Kind("Failed in a rotation", *_SOON, "provision rotate status"),
    AttentionCause.FOUND: _Kind("Other findings of audits", *_SOON),
    AttentionCause.ALTERED: _Kind("The event log fails verification", *_NOW, "provision keys log --verify"),
    AttentionCause.NEVER: _Kind("Never heard from: nothing is known about these machines", *_UNKNOWN),
    AttentionCause.UNBELIEVED: _Kind("Receipts that fail verification", *_NOW, "provision receipts list{limit}"),
    AttentionCause.OTHER: _Kind("Another bundle than the one in dist/", *_SOON, "provision deploy{limit}"),
    AttentionCause.LEAVES: _Kind("Content or keys leave for other hosts", *_NOW, "provision deploy{limit}"),
    AttentionCause.HAZARDS: _Kind("Settings that endanger the route", *_SOON, "provision deploy{limit}"),
    AttentionCause.BEHIND: _Kind("An older bundle than the one in dist/", *_SOON, "provision deploy{limit}"),
    AttentionCause.NOT_RENDERED: _Kind("No bundle in dist/", *_SOON, "provision render{limit}"),
    AttentionCause.EXPIRED: _Kind("The installed bundle expired", *_SOON, "provision deploy{limit}"),
    AttentionCause.DRIFTED: _Kind("Settings were changed since the install", *_SOON, "provision deploy{limit}"),
    AttentionCause.UNKNOWN_ROUTE: _Kind("Routes that cannot be determined", *_UNKNOWN),
    AttentionCause.UNKNOWN_DESTINATION: _Kind("Destinations that cannot be determined", *_UNKNOWN),
    AttentionCause.OTHER_HERMES: _Kind("Hermes versions that the profile does not allow", *_SOON),
    AttentionCause.UNVERIFIED: _Kind("Verdicts for versions of Hermes that were not verified", *_UNKNOWN),
    AttentionCause.SILENT: _Kind("Silent: the last receipt is old", *_UNKNOWN),
}
"""All causes of `attention.py`."""


def anchor(cause: AttentionCause) -> str:
    """The id of a cause's first group on the page."""
    return cause.value.replace(" ", "-")


def groups(found: Iterable[Attention]) -> list[Group]:
    """What needs attention by cause, worst first; within a cause, equal details together, most users first."""
    by_cause: defaultdict[AttentionCause, list[Attention]] = defaultdict(list)
    for each in dict.fromkeys(found):
        by_cause[each.cause].append(each)
    made: list[Group] = []
    for cause in AttentionCause:
        if not by_cause[cause]:
            continue
        details = Counter(each.detail for each in by_cause[cause])
        apart = [detail for detail, _ in details.most_common()] if len(details) <= _DETAILS_APART else [None]
        for number, detail in enumerate(apart):
            some = [each for each in by_cause[cause] if detail is None or each.detail == detail]
            made.append(_group(cause, number, some, detail))
    return made


def _group(cause: AttentionCause, number: int, found: Sequence[Attention], detail: str | None) -> Group:
    kind, users = KINDS[cause], list(dict.fromkeys(each.user for each in found if each.user))
    title = f"{kind.title}: {detail}" if detail else kind.title
    lines = users if detail is not None else [": ".join(filter(None, (each.user, each.detail))) for each in found]
    return Group(
        anchor(cause) if number == 0 else f"{anchor(cause)}-{number + 1}",
        len(users) or len(found),
        title,
        kind.pill,
        kind.tone,
        _command(kind.command, users),
        lines[:SHOWN_LINES],
        max(len(lines) - SHOWN_LINES, 0),
    )


def _command(command: str, users: Sequence[str]) -> str:
    people = sorted({user.partition("/")[0] for user in users})
    few = people if len(people) <= _NAMED_IN_COMMANDS else []
    words = " ".join(shell_word(user) for user in few) if few else "USER …"
    return command.format(limit=f" -l {shell_word(','.join(few))}" if few else "", users=f" {words}")


def headline(report: FleetReport) -> tuple[str, str]:
    """The page's first sentence, and its tone: how many users need attention, how many of them now, why, and what is unknown."""
    found, users, missing = report.attention, len(report.states), ", ".join(report.not_looked_at())
    rest = f" Not looked at: {missing}." if missing else ""
    if not found:
        if missing:
            return f"Nothing needs attention in what was looked at.{rest}", "unsure"
        return f"Nothing needs attention: {plural(users, 'user')} in order.", "good"
    people = len(report.worst)
    said = (
        f"{people:,} of {plural(users, 'user')} {'needs' if people == 1 else 'need'} attention"
        if people
        else "The fleet needs attention"
    )
    urgent = [each for each in found if KINDS[each.cause].pill == "now"]
    if now := len({each.user.partition("/")[0] for each in urgent} & report.users):
        said += f", {now:,} of them now"
    if people and any(not each.user for each in found):
        said += ", and so does the fleet as a whole"
    worst = [f"{count:,} {cause}" for cause, count in report.attention_counts.items()][:4]
    return f"{said}: {', '.join(worst)}.{rest}", "bad" if urgent else "unsure"
