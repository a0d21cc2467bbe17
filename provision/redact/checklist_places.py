"""Group a checklist's reasons for a reader: by file, a line per place, and each remedy once. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.redact.checklist import WORST_FIRST, ChecklistAnswer, Remedy
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from provision.redact.checklist import ChecklistItem, Evidence

MOST_OPERANDS = 20
"""Files named in one command; if there are more, it names the paths that were given."""
_SPOTS = 3
_ABOUT_FILES = 3
"""The first points are about places in files, the others about keys."""


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """What must be known about one file: lines, the worst verdict, and the number of places in it."""

    file: str
    lines: tuple[str, ...]
    verdict: ChecklistAnswer
    count: int


@dataclass(frozen=True, slots=True)
class ToDo:
    """One thing to do: in words, with the command for all at once, and for how many files or keys."""

    title: str
    command: str
    count: int


def files_with_places(items: Sequence[ChecklistItem]) -> list[FilePlaces]:
    """Return the files with reasons, those that fail first. Equal reasons of several points are one line."""
    points: dict[Evidence, list[int]] = {}
    times: Counter[Evidence] = Counter()
    for item in items[:_ABOUT_FILES]:
        times |= Counter(item.evidence)
        for each in dict.fromkeys(item.evidence):
            points.setdefault(each, []).append(item.number)
    files: dict[str, list[Evidence]] = {}
    for each in points:
        files.setdefault(each.file, []).append(each)
    found = [_file(file, reasons, points, times) for file, reasons in files.items()]
    return sorted(found, key=lambda each: WORST_FIRST.index(each.verdict))


def key_lines(items: Sequence[ChecklistItem]) -> list[str]:
    """Return what is said about keys, a line for equal messages with the first place of each."""
    found: dict[str, list[Evidence]] = {}
    for item in items[_ABOUT_FILES:]:
        for each in item.evidence:
            found.setdefault(each.message, []).append(each)
    lines = []
    for message, reasons in found.items():
        first = reasons[0]
        place = ", ".join(part for part in (first.file, first.where) if part)
        count = f"{len(reasons):,} times, first in " if len(reasons) > 1 else ""
        lines.append(f"{message}: {count}{place}" if place else message)
    return lines


def to_do(items: Iterable[ChecklistItem], paths: Sequence[str]) -> list[ToDo]:
    """Return every remedy once, with one command for all that it fixes. `paths` were given to be examined."""
    operands: dict[tuple[str, str, bool], dict[str, None]] = {}
    for each in (e for item in items for e in item.evidence if e.verdict is not ChecklistAnswer.PASS):
        remedy = each.remedy or Remedy(each.cure)
        words = operands.setdefault((remedy.title, remedy.command, remedy.is_path), {})
        words[remedy.operand or each.file] = None
    found = []
    for (title, command, is_path), words in operands.items():
        given = [shell_path(path) for path in paths] if is_path and len(words) > MOST_OPERANDS else []
        shown = given if 0 < len(given) < len(words) else words
        found.append(ToDo(title, " ".join((command, *shown)) if command else "", len(words)))
    return found


def title_of(reason: Evidence) -> str:
    """Return what to do about a reason, as `to_do` says it once for all."""
    return reason.remedy.title if reason.remedy else reason.cure


def _file(
    file: str, reasons: Sequence[Evidence], points: Mapping[Evidence, Sequence[int]], times: Mapping[Evidence, int]
) -> FilePlaces:
    lines = [_picture(spots)] if (spots := [each for each in reasons if each.pictured]) else []
    for each in reasons:
        if each.pictured:
            continue
        count = f" ({times[each]} times)" if times[each] > 1 else ""
        also = [number for number in points[each] if number > 1] if each.verdict is ChecklistAnswer.FAIL else []
        point = f" (also point {' and '.join(map(str, also))})" if also else ""
        lines.append((f"{each.where}: " if each.where else "") + each.message + count + point)
    verdict = min((each.verdict for each in reasons), key=WORST_FIRST.index)
    return FilePlaces(file, tuple(lines), verdict, sum(times[each] for each in reasons))


def _picture(spots: Sequence[Evidence]) -> str:
    """Return one line for a picture: each message once, with its first places."""
    messages: dict[str, list[str]] = {}
    for each in spots:
        messages.setdefault(each.message, []).append(each.where)
    parts = []
    for message, places in messages.items():
        named = "; ".join(place for place in places[:_SPOTS] if place)
        more = f" and {len(places) - _SPOTS} more" if len(places) > _SPOTS else ""
        parts.append(f"{message} ({named}{more})" if named else message)
    return "; ".join(parts)
