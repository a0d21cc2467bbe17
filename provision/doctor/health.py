"""What a check of `doctor` found, and how checks are run: one that fails to run is a finding too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from provision.errors import ProvisionError


class Tier(StrEnum):
    """How bad a finding is, worst first. `SKIPPED` was not looked at, and does not count as in order."""

    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """The result of a check. `id` is stable, `fix` one line with the command that helps, `affects` the files it is about."""

    id: str
    tier: Tier
    text: str
    fix: str = ""
    affects: tuple[str, ...] = ()


HealthChecks = Iterable[tuple[str, Callable[[], Iterable[HealthFinding]]]]


def fine(id_: str, text: str) -> HealthFinding:
    """The check found its subject in order."""
    return HealthFinding(id_, Tier.OK, text)


def warning(id_: str, text: str, fix: str, *affects: str) -> HealthFinding:
    """Something will fail soon, or is not as safe as it could be."""
    return HealthFinding(id_, Tier.WARNING, text, fix, affects)


def failed(id_: str, text: str, fix: str, *affects: str) -> HealthFinding:
    """Something does not work."""
    return HealthFinding(id_, Tier.FAILED, text, fix, affects)


def skipped(id_: str, text: str, fix: str = "") -> HealthFinding:
    """The check did not look."""
    return HealthFinding(id_, Tier.SKIPPED, text, fix)


def examine(checks: HealthChecks) -> Iterator[HealthFinding]:
    """Run checks in order. An error of a check is its finding: the others still run."""
    for id_, check in checks:
        try:
            yield from check()
        except ProvisionError as e:
            yield failed(id_, e.message, e.hint, *((str(e.place),) if e.place else ()))
        except OSError as e:
            where = f"{e.filename}: " if e.filename else ""
            yield failed(id_, f"cannot look: {where}{e.strerror or e}", "fix that and run `provision doctor` again")
