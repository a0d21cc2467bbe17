"""The baseline: findings that somebody looked at and lets be, each with a reason and a date.

It names findings by id and holds no excerpt and no secret. What it excuses can run out, and what is no longer found is
dropped when the file is updated. A key of the fleet that is in force can be excused too, but only by name here, never by a
comment in the file that leaks it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.audit.result import IgnoredFinding
from provision.errors import ProvisionError, UsageError
from provision.files import read_bounded, write_atomic
from provision.signing.signed_json import Form

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provision.audit.finding import Finding

SCHEMA = "provision/baseline/v1"
_LIMIT_BYTES = 64 << 20


class BaselineError(ProvisionError):
    """The baseline cannot be read."""


class BaselineEntry(BaseModel):
    """One finding that is let be. `path` is for people, `until` (a day) ends the excuse."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern="^pf_[0-9a-f]{16}$")
    rule: str
    path: str
    reason: str = Field(min_length=1)
    added: date
    until: date | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_: Literal["provision/baseline/v1"] = Field(alias="schema")
    findings: tuple[BaselineEntry, ...]


_FORM = Form(
    model=_File,
    schema=SCHEMA,
    name="the baseline",
    limit_bytes=_LIMIT_BYTES,
    error=BaselineError,
    sound=lambda _: None,
    other_version="make it anew: --update-baseline",
    hint="mend it, or make it anew with --update-baseline",
)


@dataclass(frozen=True, slots=True)
class BaselineSplit:
    """Findings divided by a baseline: `new` ones, those `excused`, and entries whose day has passed."""

    new: tuple[Finding, ...]
    ignored: tuple[IgnoredFinding, ...]
    lapsed: tuple[BaselineEntry, ...]


@dataclass(frozen=True, slots=True)
class BaselineUpdate:
    """A baseline after an update: its entries, how many came and how many went."""

    entries: tuple[BaselineEntry, ...]
    added: int
    dropped: int


def read_baseline(path: Path, *, must_exist: bool = True) -> tuple[BaselineEntry, ...]:
    """The entries of a file. Raises BaselineError; UsageError when it is not there and must be."""
    try:
        return _FORM.parse(read_bounded(path, _LIMIT_BYTES)).findings
    except FileNotFoundError:
        if must_exist:
            raise UsageError(f"there is no baseline {path}", hint="--update-baseline makes one") from None
        return ()


def apply_baseline(entries: Iterable[BaselineEntry], findings: Iterable[Finding], today: date) -> BaselineSplit:
    """Divide findings into new and excused ones. Pure."""
    known, lapsed = {}, []
    for entry in entries:
        if entry.until is not None and entry.until < today:
            lapsed.append(entry)
        else:
            known[entry.id] = entry
    new, excused = [], []
    for finding in findings:
        if finding.id in known:
            entry = known[finding.id]
            excused.append(IgnoredFinding(finding, entry.reason, entry.added.isoformat()))
        else:
            new.append(finding)
    return BaselineSplit(tuple(new), tuple(excused), tuple(lapsed))


def update_baseline(
    entries: Iterable[BaselineEntry], findings: Iterable[Finding], today: date, reason: str, until: date | None
) -> BaselineUpdate:
    """A baseline that excuses exactly these findings: entries that are still found keep their reason and date. Pure."""
    known = {entry.id: entry for entry in entries}
    kept: dict[str, BaselineEntry] = {}
    added = 0
    for finding in findings:
        old = known.get(finding.id)
        if old is not None and (old.until is None or old.until >= today):
            kept[finding.id] = old
            continue
        added += finding.id not in kept
        path = finding.place.path
        kept[finding.id] = BaselineEntry(
            id=finding.id, rule=finding.rule, path=path, reason=reason, added=today, until=until
        )
    ordered = tuple(sorted(kept.values(), key=lambda e: (e.path, e.rule, e.id)))
    return BaselineUpdate(ordered, added, len(known.keys() - kept.keys()))


def write_baseline(path: Path, entries: Iterable[BaselineEntry]) -> None:
    """Write entries, one a line, for git to compare. Raises FileProblemError."""
    lines = ",\n  ".join(json.dumps(entry.model_dump(mode="json"), ensure_ascii=False) for entry in entries)
    body = f"\n  {lines}\n " if lines else ""
    write_atomic(path, f'{{"schema": "{SCHEMA}",\n "findings": [{body}]}}\n'.encode(), mode=0o644)
