"""The plan of `users import`: who joins, who changed, who leaves, what is unknown, what cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.report.document import document
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.directory.people import Export
    from provision.directory.plan import ImportPlan, PlanEntry

_LISTED = 50
_GUEST = "a guest account"


def unusable(plan: ImportPlan) -> bool:
    """Whether rows of persons could not be used. Guests of other organizations are no failure."""
    return any(not entry.why.startswith(_GUEST) for entry in plan.unmapped)


def plan_as_json(export: Export, plan: ImportPlan, file: str, stopped: str) -> str:
    """The document `provision/users-import/v1`."""
    return document(
        "users-import/v1",
        source=export.source.name,
        file=file,
        encoding=export.encoding,
        joiners=[_member(entry) for entry in plan.joiners],
        movers=[_member(entry) for entry in plan.movers],
        leavers=[_member(entry) for entry in plan.leavers],
        unknown=[_member(entry) for entry in plan.unknown],
        unmapped=[_member(entry) for entry in plan.unmapped],
        absent=[{"id": user} for user in plan.absent],
        unchanged=plan.unchanged,
        gone=plan.gone.total(),
        without_identity=plan.unlisted,
        skipped=export.skipped,
        partial=export.partial or None,
        stopped=stopped or None,
        notes=list(export.notes),
    )


def _member(entry: PlanEntry) -> dict[str, Any]:
    return {"id": entry.id, **({"why": entry.why} if entry.why else {}), **entry.details}


def plan_as_text(export: Export, plan: ImportPlan, file: str, stopped: str) -> str:
    """The plan in groups, and one line with the counts."""
    lines = [f"{file}: an export of {export.source.name} ({export.encoding}), {plural(len(export.people), 'row')}"]
    lines += _group("joiners", plan.joiners, "+")
    lines += _group("movers", plan.movers, "~")
    lines += _group("leavers", plan.leavers, "-")
    lines += _group("unknown status", plan.unknown, "?")
    lines += _group("not usable", plan.unmapped, "!")
    if plan.absent:
        lines.append(f"not in the export: {plural(len(plan.absent), 'user')}; this proves nothing without --complete")
    if plan.gone:
        why = ", ".join(why for why, _ in plan.gone.most_common(2))
        lines.append(f"gone, and no users here: {plural(plan.gone.total(), 'account')} ({why})")
    if plan.unlisted:
        lines.append(
            f"not in the export and without a mail address: {plural(plan.unlisted, 'user')}; no export can say that they left"
        )
    counts = (
        f"{len(plan.joiners):,} join, {len(plan.movers):,} changed, {len(plan.leavers):,} leave"
        f", {len(plan.unknown):,} unknown, {len(plan.unmapped):,} not usable ({plan.unchanged:,} unchanged)"
    )
    return "".join(printable(line) + "\n" for line in (*lines, counts))


def _group(title: str, entries: Sequence[PlanEntry], sign: str) -> Iterator[str]:
    if not entries:
        return
    yield f"{title}:"
    for entry in entries[:_LISTED]:
        yield f"  {sign} {entry.id}{_remark(entry)}"
    if len(entries) > _LISTED:
        yield f"  … and {len(entries) - _LISTED:,} more; --format json has all"


def _remark(entry: PlanEntry) -> str:
    row = f" (row {entry.details['row']})" if entry.details.get("row") else ""
    if changes := entry.details.get("changes"):
        parts = [f"{name}: {old or '-'} -> {new}" for name, (old, new) in changes.items()]
        return f"  {'; '.join(parts)}"
    if profile := entry.details.get("profile"):
        return f"  {entry.details.get('email') or ''}, profile {profile}"
    return f"{row}  {entry.why}"
