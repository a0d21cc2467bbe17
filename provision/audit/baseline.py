"""The baseline: accepted findings that later audits ignore, each with a reason and a date.

It lists findings by id and holds no excerpt and no secret. Entries can expire, and an update drops entries whose finding is
gone. An entry follows its secret into another file (a renamed one), by rule and fingerprint, if nothing is left at the old
place; of several equal secrets each needs an entry. A key of the fleet can be ignored too, but only by its id here, never by a
comment in the file that leaks it, and not in another file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provision.audit.result import IgnoredFinding
from provision.errors import ProvisionError, UsageError
from provision.files import read_bounded, write_chosen
from provision.formats.shell_output import shell_bytes
from provision.signing.signed_json import DocumentForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from provision.audit.finding import Finding

SCHEMA = "provision/baseline/v1"
_LIMIT_BYTES = 64 << 20


class BaselineError(ProvisionError):
    """The baseline cannot be read."""


class BaselineEntry(BaseModel):
    """One ignored finding. `path` is informational; `until` is the last day on which the entry applies.

    `fingerprint` is that of the secret, if it has one: passwords have none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern="^pf_[0-9a-f]{16}$")
    rule: str
    path: str
    reason: str = Field(min_length=1)
    added: date
    until: date | None = None
    fingerprint: str | None = Field(default=None, max_length=64)


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
        return _FORM.parse(shell_bytes(read_bounded(path, _LIMIT_BYTES))).findings
    except FileNotFoundError:
        if must_exist:
            raise UsageError(f"baseline {path} not found", hint="create it with --update-baseline") from None
        return ()


def apply_baseline(entries: Iterable[BaselineEntry], findings: Sequence[Finding], today: date) -> BaselineSplit:
    """Split findings into new and ignored ones. Pure."""
    entries = tuple(entries)
    applied = _applied([entry for entry in entries if not _has_expired(entry, today)], findings)
    new, ignored = [], []
    for finding in findings:
        entry = applied.get(finding.id)
        if entry is None:
            new.append(finding)
        else:
            ignored.append(IgnoredFinding(finding, entry.reason, entry.added.isoformat()))
    return BaselineSplit(tuple(new), tuple(ignored), tuple(entry for entry in entries if _has_expired(entry, today)))


def _has_expired(entry: BaselineEntry, today: date) -> bool:
    return entry.until is not None and entry.until < today


def _applied(entries: Iterable[BaselineEntry], findings: Sequence[Finding]) -> dict[str, BaselineEntry]:
    """Return the entry for each finding's id: its own, or one of the same secret whose own finding is gone."""
    own = {entry.id: entry for entry in entries}
    found = {finding.id for finding in findings}
    free: dict[tuple[str, str], list[BaselineEntry]] = {}
    for entry in own.values():
        if entry.fingerprint and entry.id not in found:
            free.setdefault((entry.rule, entry.fingerprint), []).append(entry)
    applied = {each: own[each] for each in found if each in own}
    for finding in findings:
        moved = free.get((finding.rule, finding.fingerprint)) if finding.fingerprint and not finding.owner else None
        if moved and finding.id not in applied:
            applied[finding.id] = moved.pop(0)
    return applied


def update_baseline(
    entries: Iterable[BaselineEntry], findings: Sequence[Finding], today: date, reason: str, until: date | None
) -> BaselineUpdate:
    """Build a baseline of exactly these findings. Entries that are still found keep their reason and date. Pure."""
    entries = tuple(entries)
    applied = _applied([entry for entry in entries if not _has_expired(entry, today)], findings)
    kept: dict[str, BaselineEntry] = {}
    used: set[str] = set()
    added = 0
    for finding in findings:
        old = applied.get(finding.id)
        if old is None:
            added += finding.id not in kept
            used.add(finding.id)
        else:
            used.add(old.id)
        kept[finding.id] = BaselineEntry(
            id=finding.id,
            rule=finding.rule,
            path=finding.place.path,
            reason=old.reason if old else reason,
            added=old.added if old else today,
            until=old.until if old else until,
            fingerprint=finding.fingerprint,
        )
    ordered = tuple(sorted(kept.values(), key=lambda e: (e.path, e.rule, e.id)))
    return BaselineUpdate(ordered, added, len({entry.id for entry in entries} - used))


def write_baseline(path: Path, entries: Iterable[BaselineEntry]) -> None:
    """Write the entries, one per line so that git can compare them. Raises FileProblemError."""
    lines = ",\n  ".join(json.dumps(_entry_json(entry), ensure_ascii=False) for entry in entries)
    body = f"\n  {lines}\n " if lines else ""
    write_chosen(path, f'{{"schema": "{SCHEMA}",\n "findings": [{body}]}}\n'.encode(), mode=0o644)


def _entry_json(entry: BaselineEntry) -> dict[str, Any]:
    """The fields of an entry; a missing fingerprint is left out, so that older baselines stay as they are."""
    return entry.model_dump(mode="json", exclude=None if entry.fingerprint else {"fingerprint"})
