"""The result of `deploy`: one line per machine, and the users that cannot be pushed to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provision.push.outcomes import Deployed, Failed, Halted, Unreachable, checked_name, outcome_name
from provision.push.outcomes import as_json as outcome_json
from provision.report.document import document
from provision.report.terminal import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provision.push.engine import PushResult
    from provision.push.outcomes import PushOutcome

_HEADERS = ("USER", "HOST", "OUTCOME", "KEY OR CAUSE", "REMARK")


def as_table(result: PushResult | None, *, check: bool = False) -> str:
    """All outcomes by user, then one summary line. `result` is None when no machine was contacted."""
    outcomes, name = _by_user(result), _names(check=check)
    counts = Counter(name(o) for o in outcomes)
    parts = [f"{counts[name]} {name}" for name in sorted(counts)]
    if unverified := _unverified(outcomes):
        parts.append(f"{unverified} of them with an unverified Hermes: ok as far as known")
    if result and result.not_asked:
        parts.append(f"{len(result.not_asked)} not contacted after too many failures")
    rows = [_row(outcome, name(outcome)) for outcome in outcomes]
    return (table(_HEADERS, rows) if rows else "") + (", ".join(parts) or "nothing to do") + "\n"


def as_json(result: PushResult | None, not_pushed: Sequence[tuple[str, str]], *, check: bool = False) -> str:
    """The document `provision/deploy/v1`; `not_pushed` holds users and why they cannot be pushed to."""
    outcomes, name = _by_user(result), _names(check=check)
    return document(
        "deploy/v1",
        summary=dict(sorted(Counter(name(o) for o in outcomes).items())),
        unverified=_unverified(outcomes),
        waves=result.waves if result else 0,
        users=[outcome_json(o, name) for o in outcomes],
        not_asked=list(result.not_asked) if result else [],
        not_pushed=[{"user": user, "why": why} for user, why in not_pushed],
    )


def _unverified(outcomes: Sequence[PushOutcome]) -> int:
    return sum(isinstance(o, Deployed) and o.unverified for o in outcomes)


def _names(*, check: bool) -> Callable[[PushOutcome], str]:
    return checked_name if check else outcome_name


def _by_user(result: PushResult | None) -> list[PushOutcome]:
    return sorted(result.outcomes.values(), key=lambda o: o.user) if result else []


def _row(o: PushOutcome, name: str) -> tuple[str, ...]:
    if isinstance(o, Failed | Unreachable):
        return (o.user, o.host, name, o.cause, f"{o.message}; {o.cure}")
    if isinstance(o, Halted):
        return (o.user, o.host, name, "order", f"until {o.until}: {o.reason}")
    restart = f"restart {', '.join(o.restart)}" if o.restart else ""
    return (o.user, o.host, name, o.key_fingerprint, restart)
