"""What one run of the loop did, step by step, and how that is said: one line if nothing changed, else grouped. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import Exit
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 10
_SIGNS = {"added": "+", "changed": "~", "removed": "-", "failed": "!", "waiting": "?"}


@dataclass(slots=True)
class StepDone:
    """One step. `items` has a line for each user or thing, by what happened to it; `unchanged` are only counted."""

    name: str
    unchanged: int = 0
    items: dict[str, list[str]] = field(default_factory=dict)
    counts_users: bool = False
    """Whether its numbers are those of the summary line."""

    def note(self, what: str, line: str) -> None:
        """Record one thing: `added`, `changed`, `removed`, `failed` or `waiting`."""
        self.items.setdefault(what, []).append(line)

    def count(self, what: str) -> int:
        """The number of things to which this happened."""
        return len(self.items.get(what, ()))

    @property
    def changed_something(self) -> bool:
        """Whether anything was added, changed or removed."""
        return any(self.count(what) for what in ("added", "changed", "removed"))


@dataclass(slots=True)
class LoopReport:
    """All steps of a run. `due`: what needs an operator, and was left alone."""

    steps: list[StepDone] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    dry_run: bool = False

    @property
    def changed(self) -> bool:
        """Whether any step changed anything (or would, in a dry run)."""
        return any(step.changed_something for step in self.steps)

    @property
    def failed(self) -> int:
        """The number of failures in all steps."""
        return sum(step.count("failed") for step in self.steps)

    def exit_code(self, *, detailed: bool) -> Exit:
        """4 after failures; 10 after changes if `detailed`; else 0."""
        if self.failed:
            return Exit.PARTIAL
        return Exit.FINDINGS if detailed and self.changed else Exit.OK

    def summary(self) -> str:
        """The last line: `3 added, 1 changed, 2 removed, 0 failed, 812 unchanged`."""
        users = [step for step in self.steps if step.counts_users]
        counts = {what: sum(step.count(what) for step in users) for what in ("added", "changed", "removed")}
        said = [*(f"{count:,} {what}" for what, count in counts.items()), f"{self.failed:,} failed"]
        return ", ".join([*said, f"{sum(step.unchanged for step in users):,} unchanged"])

    def lines(self) -> Iterator[str]:
        """The report: one line when nothing changed, failed or is due. Foreign names and words cannot act on a terminal."""
        return map(printable, self._lines())

    def _lines(self) -> Iterator[str]:
        if not (self.changed or self.failed or self.due or any(step.count("waiting") for step in self.steps)):
            yield f"nothing changed: {self.summary()}"
            return
        for step in self.steps:
            if step.items:
                yield f"{step.name}:"
            for what, lines in step.items.items():
                yield from (f"  {_SIGNS[what]} {line}" for line in lines[:_SHOWN])
                if len(lines) > _SHOWN:
                    yield f"  {_SIGNS[what]} … and {len(lines) - _SHOWN:,} more {what}: --format json lists them"
        if self.due:
            yield "due:"
            yield from (f"  * {line}" for line in self.due[:_SHOWN])
            if len(self.due) > _SHOWN:
                yield f"  * … and {len(self.due) - _SHOWN:,} more: --format json lists them"
        yield f"{'dry run: ' if self.dry_run else ''}{self.summary()}"

    def fields(self) -> dict[str, Any]:
        """The report as JSON fields."""
        steps = [
            {"step": s.name, "unchanged": s.unchanged, **{what: list(s.items.get(what, ())) for what in _SIGNS}}
            for s in self.steps
        ]
        return {
            "dry_run": self.dry_run,
            "changed": self.changed,
            "steps": steps,
            "due": self.due,
            "summary": self.summary(),
        }
