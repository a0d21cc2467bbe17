"""The result of `checklist`: table, JSON and HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.redact.checklist import WORST_FIRST, ChecklistAnswer
from provision.redact.checklist_places import files_with_places, key_lines, title_of, to_do
from provision.report.document import document
from provision.report.html.page import Group, Page, Section, Tile, page
from provision.report.html.when import When
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from provision.redact.checklist import ChecklistItem, Evidence

EVIDENCE_ROWS = 20
"""Reasons listed per point in HTML, lines per file and about keys in tables; JSON has all of them."""
MOST_FILES, MOST_LINES = 20, 100
"""Files listed in tables, and lines about all of them together."""
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
        to_do=[
            {"title": each.title, "command": each.command or None, "count": each.count}
            for each in to_do(result.items, result.paths)
        ],
    )


def as_table(result: ChecklistResult) -> str:
    """A line per point, then each file with a line per place, what is said of keys, and what to do, each command once."""
    lines = []
    for item in result.items:
        verdict = item.verdict.value if item.verdict is not ChecklistAnswer.FAIL else "FAIL"
        lines.append(f"{item.number}  {verdict:<11}  {item.title}")
    files = files_with_places(result.items)
    most = min(max(MOST_LINES // max(len(files), 1), MOST_LINES // MOST_FILES), EVIDENCE_ROWS)
    for each in files[:MOST_FILES]:
        lines += ["", each.file, *(f"    {line}" for line in each.lines[:most])]
        if len(each.lines) > most:
            lines.append(f"    … and {len(each.lines) - most:,} more: --format json has them all")
    if rest := files[MOST_FILES:]:
        places = plural(sum(each.count for each in rest), "place")
        lines += ["", f"… and {plural(len(rest), 'more file')} with {places}: --format json has them all"]
    keys = key_lines(result.items)
    lines += ["", "keys", *(f"    {line}" for line in keys[:EVIDENCE_ROWS])] if keys else []
    if len(keys) > EVIDENCE_ROWS:
        lines.append(f"    … and {len(keys) - EVIDENCE_ROWS:,} more: --format json has them all")
    lines += _to_do_lines(result)
    lines += ["", summary_line(result)]
    return "".join(printable(line) + "\n" for line in lines)


def _to_do_lines(result: ChecklistResult) -> list[str]:
    found = to_do(result.items, result.paths)
    lines = ["", "to do"] if found else []
    for each in found[:EVIDENCE_ROWS]:
        count = f" ({each.count:,})" if each.count > 1 else ""
        lines += [f"    {each.title}{count}"] + ([f"        {each.command}"] if each.command else [])
    if len(found) > EVIDENCE_ROWS:
        lines.append(f"    … and {len(found) - EVIDENCE_ROWS:,} more: --format json has them all")
    return lines


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
    worst = sorted(result.items, key=lambda item: WORST_FIRST.index(item.verdict))
    points = [(item.number, item.title, item.verdict, plural(len(item.evidence), "reason")) for item in result.items]
    return page(
        Page(
            "Security checklist",
            summary_line(result),
            [
                ("examined", ", ".join(result.paths)),
                ("files", f"{result.files:,}"),
                ("when", When(result.at, result.at)),
            ],
            [Section("The five points", "", ("point", "question", "verdict", "reasons"), points)],
            verdict_tone=_TONES[worst[0].verdict] if worst else "neutral",
            tiles=[
                Tile(f"{counts[verdict]:,}", verdict, "", _TONES[verdict], _target(verdict, worst))
                for verdict in WORST_FIRST
                if counts[verdict]
            ],
            groups=[_group(item, result.paths) for item in worst if item.verdict is not ChecklistAnswer.PASS],
        )
    )


def _target(verdict: ChecklistAnswer, items: Sequence[ChecklistItem]) -> str:
    first = next(item for item in items if item.verdict is verdict)
    return "facts" if verdict is ChecklistAnswer.PASS else f"point-{first.number}"


def _group(item: ChecklistItem, paths: Sequence[str]) -> Group:
    found = to_do([item], paths)
    main = next((each for each in found if each.command), found[0])
    command = main.command or (main.title if len(found) == 1 else "")
    lines = [
        f"{_at(e)}{e.message}" + (f": {e.cure}" if command and e.cure and title_of(e) != main.title else "")
        for e in item.evidence[:EVIDENCE_ROWS]
    ]
    return Group(
        f"point-{item.number}",
        len(item.evidence),
        f"{item.number}. {item.title}",
        item.verdict,
        _TONES[item.verdict],
        command,
        lines,
        max(len(item.evidence) - EVIDENCE_ROWS, 0),
    )


def _at(evidence: Evidence) -> str:
    if not evidence.file:
        return ""
    return f"{evidence.file}, {evidence.where}: " if evidence.where else f"{evidence.file}: "
