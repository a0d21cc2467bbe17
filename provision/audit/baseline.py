"""The baseline: accepted findings that later audits ignore, each with a reason and a date.

It lists findings by id and holds no excerpt and no secret. Entries can expire, and an update drops entries whose finding is
gone. A key of the fleet in force can be ignored too, but only by its id here, never by a comment in the file that leaks it.
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
from provision.signing.signed_json import DocumentForm

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provision.audit.finding import Finding

SCHEMA = "provision/baseline/v1"
_LIMIT_BYTES = 64 << 20


class BaselineError(ProvisionError):
    """The baseline cannot be read."""


class BaselineEntry(BaseModel):
    """One ignored finding. `path` is informational; `until` is the last day on which the entry applies."""

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


_FORM = DocumentForm(
    model=_File,
    schema=SCHEMA,
    name="the baseline",
    limit_bytes=_LIMIT_BYTES,
    error=BaselineError,
    sound=lambda _: None,
    other_version="rebuild it with --update-baseline",
    hint="fix it, or rebuild it with --update-baseline",
)


@dataclass(frozen=True, slots=True)
class BaselineSplit:
    """Findings split by a baseline: `new` ones, `ignored` ones, and entries that have expired."""

    new: tuple[Finding, ...]
    ignored: tuple[IgnoredFinding, ...]
    expired: tuple[BaselineEntry, ...]


@dataclass(frozen=True, slots=True)
class BaselineUpdate:
    """A baseline after an update: its entries, how many were added and how many dropped."""

    entries: tuple[BaselineEntry, ...]
    added: int
    dropped: int


def read_baseline(path: Path, *, must_exist: bool = True) -> tuple[BaselineEntry, ...]:
    """Read the entries of a baseline file. Raises BaselineError, and UsageError when the file must exist and does not."""
    try:
        return _FORM.parse(read_bounded(path, _LIMIT_BYTES)).findings
    except FileNotFoundError:
        if must_exist:
            raise UsageError(f"baseline {path} not found", hint="create it with --update-baseline") from None
        return ()


def apply_baseline(entries: Iterable[BaselineEntry], findings: Iterable[Finding], today: date) -> BaselineSplit:
    """Split findings into new and ignored ones. Pure."""
    known, expired = {}, []
    for entry in entries:
        if entry.until is not None and entry.until < today:
            expired.append(entry)
        else:
            known[entry.id] = entry
    new, ignored = [], []
    for finding in findings:
        if finding.id in known:
            entry = known[finding.id]
            ignored.append(IgnoredFinding(finding, entry.reason, entry.added.isoformat()))
        else:
            new.append(finding)
    return BaselineSplit(tuple(new), tuple(ignored), tuple(expired))


def update_baseline(
    entries: Iterable[BaselineEntry], findings: Iterable[Finding], today: date, reason: str, until: date | None
) -> BaselineUpdate:
    """Build a baseline of exactly these findings. Entries that are still found keep their reason and date. Pure."""
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
    """Write the entries, one per line so that git can compare them. Raises FileProblemError."""
    lines = ",\n  ".join(json.dumps(entry.model_dump(mode="json"), ensure_ascii=False) for entry in entries)
    body = f"\n  {lines}\n " if lines else ""
    write_atomic(path, f'{{"schema": "{SCHEMA}",\n "findings": [{body}]}}\n'.encode(), mode=0o644)
