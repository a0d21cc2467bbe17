"""The result of `checklist`: table, JSON and HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.redact.checklist import ChecklistAnswer
from provision.report.document import document
from provision.report.html.page import Group, Page, Section, Tile, page
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from provision.redact.checklist import ChecklistItem, Evidence

EVIDENCE_ROWS = 20
"""Reasons listed per point in tables and HTML; JSON has all of them."""
_ORDER = (ChecklistAnswer.FAIL, ChecklistAnswer.CANNOT_TELL, ChecklistAnswer.PASS)
_TONES = {ChecklistAnswer.PASS: "good", ChecklistAnswer.FAIL: "bad", ChecklistAnswer.CANNOT_TELL: "unsure"}


@dataclass(frozen=True, slots=True)
class ChecklistResult:
    """One run: the five points, the paths, how many files and repositories were examined, and when."""

    items: tuple[ChecklistItem, ...]
    paths: tuple[str, ...]
    files: int
    at: datetime


def as_json(result: ChecklistResult) -> str:
    """The document `provision/checklist/v1`."""
    return document(
        "checklist/v1",
        ok=not any(item.verdict is ChecklistAnswer.FAIL for item in result.items),
        at=result.at.isoformat(timespec="seconds"),
        paths=list(result.paths),
        files=result.files,
        items=[
            {
                "number": item.number,
                "title": item.title,
                "verdict": item.verdict.value,
                "evidence": [
                    {
                        "verdict": each.verdict.value,
                        "file": each.file or None,
                        "where": each.where or None,
                        "message": each.message,
                        "cure": each.cure or None,
                    }
                    for each in item.evidence
                ],
            }
            for item in result.items
        ],
    )


def as_table(result: ChecklistResult) -> str:
    """A line per point, with its reasons, each with the command that fixes it."""
    lines = []
    for item in result.items:
        verdict = item.verdict.value if item.verdict is not ChecklistAnswer.FAIL else "FAIL"
        lines.append(f"{item.number}  {verdict:<11}  {item.title}")
        for each in item.evidence[:EVIDENCE_ROWS]:
            lines.append(f"       {_at(each)}{each.message}")
            if each.cure:
                lines.append(f"           {each.cure}")
        if len(item.evidence) > EVIDENCE_ROWS:
            lines.append(f"       … and {len(item.evidence) - EVIDENCE_ROWS:,} more: --format json has them all")
    lines += ["", summary_line(result)]
    return "".join(printable(line) + "\n" for line in lines)


def summary_line(result: ChecklistResult) -> str:
    """One line: whether the files may be published."""
    counts = Counter(item.verdict for item in result.items)
    examined = f"{plural(result.files, 'file')} examined"
    if counts[ChecklistAnswer.FAIL]:
        return f"do not publish this: {counts[ChecklistAnswer.FAIL]} of 5 points fail; {examined}"
    if counts[ChecklistAnswer.CANNOT_TELL]:
        unknown = counts[ChecklistAnswer.CANNOT_TELL]
        return f"no point fails; {plural(unknown, 'point')} could not be decided: check by hand; {examined}"
    return f"all 5 points pass; {examined}"


def as_html(result: ChecklistResult) -> Iterator[str]:
    """An HTML page: what must be fixed or checked by hand, with its reasons, then the five points."""
    counts = Counter(item.verdict for item in result.items)
    worst = sorted(result.items, key=lambda item: _ORDER.index(item.verdict))
    points = [(item.number, item.title, item.verdict, plural(len(item.evidence), "reason")) for item in result.items]
    return page(
        Page(
            "Security checklist",
            summary_line(result),
            [
                ("examined", ", ".join(result.paths)),
                ("files", f"{result.files:,}"),
                ("when", result.at.isoformat(timespec="seconds")),
            ],
            [Section("The five points", "", ("point", "question", "verdict", "reasons"), points)],
            verdict_tone=_TONES[worst[0].verdict] if worst else "neutral",
            tiles=[
                Tile(f"{counts[verdict]:,}", verdict, "", _TONES[verdict], _target(verdict, worst))
                for verdict in _ORDER
                if counts[verdict]
            ],
            groups=[_group(item) for item in worst if item.verdict is not ChecklistAnswer.PASS],
        )
    )


def _target(verdict: ChecklistAnswer, items: Sequence[ChecklistItem]) -> str:
    first = next(item for item in items if item.verdict is verdict)
    return "facts" if verdict is ChecklistAnswer.PASS else f"point-{first.number}"


def _group(item: ChecklistItem) -> Group:
    cures = list(dict.fromkeys(each.cure for each in item.evidence if each.cure))
    lines = [
        f"{_at(e)}{e.message}" + (f": {e.cure}" if e.cure and len(cures) > 1 else "")
        for e in item.evidence[:EVIDENCE_ROWS]
    ]
    return Group(
        f"point-{item.number}",
        len(item.evidence),
        f"{item.number}. {item.title}",
        item.verdict,
        _TONES[item.verdict],
        cures[0] if len(cures) == 1 else "",
        lines,
        max(len(item.evidence) - EVIDENCE_ROWS, 0),
    )


def _at(evidence: Evidence) -> str:
    if not evidence.file:
        return ""
    return f"{evidence.file}, {evidence.where}: " if evidence.where else f"{evidence.file}: "
