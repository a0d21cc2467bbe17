"""The destinations of a home as lines of a table: one line if all stay, else the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.hermes.routing.destination import DestinationVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.endpoint.side_policy import SidePolicy
    from provision.hermes.routing.destination import Destination

SHOWN = 8
"""Groups of destinations that are shown without `--all`."""


def destination_lines(found: Sequence[Destination], policy: SidePolicy, *, every: bool = False) -> list[str]:
    """Return the lines for all destinations of a home, which are sorted by verdict, the worst first."""
    if not found:
        return []
    bad = [d for d in found if not policy.allows(d)]
    lines = [f"routes     {destinations_summary(found, policy)}"]
    if every:
        return [*lines, *(f"           {_one(d, policy)}" for d in found)]
    groups: dict[tuple[str, ...], list[Destination]] = {}
    for each in bad:
        key = (each.verdict, each.kind, each.target, each.trigger, each.key_fingerprint or "")
        groups.setdefault(key, []).append(each)
    for together in list(groups.values())[:SHOWN]:
        first = together[0]
        more = f" and {len(together) - 1} more" if together[1:] else ""
        lines.append(
            f"           {first.verdict}: {first.name}{more} to {first.target} ({first.trigger}); {first.cure}"
        )
    if len(groups) > SHOWN:
        lines.append(f"           and {len(groups) - SHOWN} more kinds: `provision status --all` lists them")
    return lines


def destinations_summary(found: Sequence[Destination], policy: SidePolicy) -> str:
    """Return where all destinations end if all stay or are allowed, else how many of each verdict do not."""
    bad = [d for d in found if not policy.allows(d)]
    hosts = sorted({d.target for d in found if d.verdict is DestinationVerdict.STAYS or d not in bad})
    count = "1 route" if len(found) == 1 else f"{len(found)} routes"
    if not bad:
        return f"all {count} of this home end at {', '.join(hosts)}"
    counts = {verdict: sum(d.verdict is verdict for d in bad) for verdict in DestinationVerdict}
    return f"of {count}: " + ", ".join(f"{verdict.value} {n}" for verdict, n in counts.items() if n)


def _one(each: Destination, policy: SidePolicy) -> str:
    key = f", key {each.key_fingerprint} from {each.key_source or 'a setting'}" if each.key_fingerprint else ", no key"
    allowed = " (allowed)" if policy.allows(each) and each.verdict is not DestinationVerdict.STAYS else ""
    what = "content" if each.content else "no content"
    return f"{each.verdict}{allowed}: {each.name} to {each.target} ({each.trigger}; {what}{key})"
