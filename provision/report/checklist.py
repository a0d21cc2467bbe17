"""The answers of `checklist`, for people and programs: table, JSON, HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.redact.checklist import Verdict
from provision.report.document import document
from provision.report.html import Bar, Page, Section, page
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from provision.redact.checklist import Evidence, Item

SHOWN = 20
"""How many reasons of one point are listed for people; JSON has them all."""
_TONES = {Verdict.PASS: "good", Verdict.FAIL: "bad", Verdict.CANNOT_TELL: "unsure"}


@dataclass(frozen=True, slots=True)
class Result:
    """One run: the five answers, what was asked about, how many files and other things were looked at, and when."""

    items: tuple[Item, ...]
    paths: tuple[str, ...]
    files: int
    at: datetime


def as_json(result: Result) -> str:
    """The document `provision/checklist/v1`."""
    return document(
        "checklist/v1",
        ok=not any(item.verdict is Verdict.FAIL for item in result.items),
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


def as_table(result: Result) -> str:
    """A line per point, its reasons below it, each with the command that cures it."""
    lines = []
    for item in result.items:
        verdict = item.verdict.value if item.verdict is not Verdict.FAIL else "FAIL"
        lines.append(f"{item.number}  {verdict:<11}  {item.title}")
        for each in item.evidence[:SHOWN]:
            lines.append(f"       {_at(each)}{each.message}")
            if each.cure:
                lines.append(f"           {each.cure}")
        if len(item.evidence) > SHOWN:
            lines.append(f"       … and {len(item.evidence) - SHOWN:,} more: --format json has them all")
    lines += ["", summary(result)]
    return "".join(printable(line) + "\n" for line in lines)


def summary(result: Result) -> str:
    """One line: may it be published?"""
    counts = Counter(item.verdict for item in result.items)
    looked = f"{plural(result.files, 'file')} looked at"
    if counts[Verdict.FAIL]:
        return f"do not publish this: {counts[Verdict.FAIL]} of 5 points fail; {looked}"
    if counts[Verdict.CANNOT_TELL]:
        told = counts[Verdict.CANNOT_TELL]
        return f"nothing fails, and {plural(told, 'point')} cannot be told: look yourself; {looked}"
    return f"all 5 points pass; {looked}"


def as_html(result: Result) -> Iterator[str]:
    """A page with the five answers and their reasons."""
    counts = Counter(item.verdict for item in result.items)
    bars = [Bar(verdict.value, counts[verdict], _TONES[verdict]) for verdict in Verdict if counts[verdict]]
    facts = [
        ("looked at", ", ".join(result.paths)),
        ("files", f"{result.files:,}"),
        ("when", result.at.isoformat(timespec="seconds")),
    ]
    return page(Page("Security checklist", summary(result), facts, "points", bars, map(_section, result.items)))


def _section(item: Item) -> Section:
    more = len(item.evidence) - SHOWN
    note = "" if item.evidence else "nothing speaks against it"
    note = f"the first {SHOWN} of {len(item.evidence):,}" if more > 0 else note
    rows = ((e.verdict.value, e.file, e.where, e.message, e.cure) for e in item.evidence[:SHOWN])
    headers = ("verdict", "file", "place", "what", "what to do") if item.evidence else ()
    return Section(f"{item.number}. {item.title}: {item.verdict}", note, headers, rows, _TONES[item.verdict])


def _at(evidence: Evidence) -> str:
    if not evidence.file:
        return ""
    return f"{evidence.file}, {evidence.where}: " if evidence.where else f"{evidence.file}: "
