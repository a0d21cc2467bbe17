"""Turn the results of a scan into findings: whose key it is, how severe its location is, and how to fix it.

Pure except that the modes of the files are read. Of a secret, only its mask reaches a `Finding` and, when it is too strong to
guess, its fingerprint.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.access import Readers, readers
from provision.audit.allow_comment import is_allowed
from provision.audit.confidence import confidence_of
from provision.audit.finding import Finding, Location, finding_id
from provision.audit.leak import Leak
from provision.audit.locations import LocationKind, MachineLayout, is_in_place, location_kind
from provision.audit.remediation import remediation_for
from provision.detect.fingerprint import fingerprint
from provision.detect.match import FindingSeverity
from provision.detect.shapes import aisa_shaped, masked
from provision.windows_acl import on_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from provision.audit.finding import RawFinding
    from provision.detect.match import Match

OLD_DAYS = 90
"""Older keys are due for rotation; a finding's message then states the age."""
_GUESSABLE = re.compile(r"assigned|passw|dsn|userinfo|basic|entropy|url-")
_SHORTEST_STRONG = 20
_COMMON_WORDS = frozenset(
    {"A", "An", "Argument", "Bearer", "Cookies", "Encrypted", "First", "Password", "Private", "Quoted", "Random", "Secret",
     "Signature", "Token", "User", "Value", "Weak", "Text"}
)  # fmt: skip
"""First words of descriptions that are no names of vendors."""
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,60}")


@dataclass(frozen=True, slots=True)
class LeakContext:
    """What findings are made with. `salt` keys the fingerprints, `describe` holds a description for each rule id, `name` returns
    the path that is used in finding ids."""

    layout: MachineLayout
    salt: bytes
    now: datetime
    describe: Mapping[str, str]
    name: Callable[[str], str]
    clean: Callable[[str], str]
    """Masks secrets in a text: names of files, tables and settings may hold keys too."""


@dataclass(frozen=True, slots=True)
class SortedLeaks:
    """What a scan found: leaks, how many secrets are where they belong, how many a comment allows."""

    leaks: tuple[Leak, ...]
    in_place: int
    allowed: int


def collect_leaks(raws: Iterable[RawFinding], context: LeakContext) -> SortedLeaks:
    """Drop secrets that are where they belong or that a comment allows; group equal secrets in the same file."""
    kept: dict[tuple[str, str, str, str], Leak] = {}
    in_place = allowed = 0
    used: set[str] = set()
    for raw in sorted(raws, key=_by_place):
        where = location_kind(raw, context.layout)
        if is_in_place(raw, where, context.layout):
            in_place += 1
            used.add(raw.match.secret.reveal())
            continue
        if raw.match.known is None and is_allowed(f"{raw.before}\n{raw.after}", raw.match.rule):
            allowed += 1
            continue
        key = (raw.match.rule, raw.place.path, raw.place.where or "", raw.match.secret.reveal())
        if key in kept:
            kept[key].times += 1
        else:
            kept[key] = Leak(raw, where, fingerprint_of(raw.match, context.salt))
    for leak in kept.values():
        leak.in_use = leak.raw.match.secret.reveal() in used
    return SortedLeaks(tuple(kept.values()), in_place, allowed)


def leak_findings(leaks: Iterable[Leak], context: LeakContext, verdicts: Mapping[str, str]) -> list[Finding]:
    """Make one finding per leak. `verdicts` holds `live`, `dead` or `cannot tell` by fingerprint."""
    leaks = tuple(leaks)
    marks = _shared_marks(leaks)
    seen: dict[tuple[str, str, str, str | None], int] = {}
    made = []
    for leak in leaks:
        match, place = leak.raw.match, leak.raw.place
        shown = replace(
            place, path=context.clean(place.path), where=context.clean(place.where) if place.where else None
        )
        anchor = Location(context.clean(context.name(place.path)), where=shown.where)
        same = (match.rule, anchor.path, anchor.where or "", leak.fingerprint)
        nth = seen[same] = seen.get(same, -1) + 1
        verdict = verdicts.get(leak.fingerprint or "")
        exposed = _exposed(leak)
        made.append(
            Finding(
                id=finding_id(match.rule, anchor, leak.fingerprint, nth),
                rule=match.rule,
                severity=_severity(leak, exposed, verdict),
                confidence=confidence_of(match.rule, match.confidence) if match.known is None else match.confidence,
                place=shown,
                owner=match.known.user if match.known else None,
                stage=match.known.stage if match.known else None,
                fingerprint=leak.fingerprint,
                excerpt=_excerpt(leak, context.clean, marks),
                message=_message(leak, exposed, verdict, context),
                cure=context.clean(remediation_for(leak, exposed, verdict, context.layout)),
                verdict=verdict,
            )
        )
    return made


def _shared_marks(leaks: Iterable[Leak]) -> dict[str, str]:
    """Return a mark for each value without a fingerprint that is in several places: `****1`, the same within one run only."""
    times = Counter(leak.raw.match.secret.reveal() for leak in leaks if leak.fingerprint is None)
    shared = [value for value, number in times.items() if number > 1]
    return {value: f"****{number}" for number, value in enumerate(shared, 1)}


def _by_place(raw: RawFinding) -> tuple[str, str, int, int]:
    place = raw.place
    return place.path, place.where or "", place.line or 0, place.column or 0


def fingerprint_of(match: Match, salt: bytes) -> str | None:
    """Return the fingerprint of a secret that cannot be guessed; None for passwords and short secrets."""
    if match.known is not None:
        return match.known.fingerprint
    value = match.secret.reveal()
    strong = len(value) >= _SHORTEST_STRONG and len(set(value)) >= 10 and not _GUESSABLE.search(match.rule)
    return fingerprint(value, salt) if strong else None


def _exposed(leak: Leak) -> Readers:
    if leak.location_kind in (LocationKind.GIT, LocationKind.PROCESS, LocationKind.STREAM):
        return Readers.OWNER
    return readers(Path(os.path.abspath(leak.raw.place.path)))  # noqa: PTH100  resolve() would follow links


def _severity(leak: Leak, exposed: Readers, verdict: str | None) -> FindingSeverity:
    """Rate a key of the fleet by its stage and its readers, everything else by its rule."""
    match = leak.raw.match
    if verdict == "dead":
        return FindingSeverity.LOW
    open_ = exposed is not Readers.OWNER or leak.location_kind is LocationKind.GIT
    if verdict == "live" and (open_ or (match.known and match.known.stage == "retired")):
        return FindingSeverity.CRITICAL
    if match.known is None:
        if leak.in_use and not open_:
            return FindingSeverity.HIGH
        gateways = aisa_shaped(match.secret.reveal())
        return FindingSeverity.HIGH if match.severity is FindingSeverity.CRITICAL and not gateways else match.severity
    if match.known.stage in ("current", "pending"):
        return FindingSeverity.CRITICAL if open_ else FindingSeverity.HIGH
    return FindingSeverity.HIGH if match.known.stage == "previous" or verdict == "live" else FindingSeverity.LOW


def _message(leak: Leak, exposed: Readers, verdict: str | None, context: LeakContext) -> str:
    """`ada's current key, 412 days old, live, in a log, readable by everyone`."""
    match = leak.raw.match
    words = [key_description(leak, context.describe)]
    if match.known is not None and match.known.created is not None:
        days = (context.now - match.known.created).days
        if days > OLD_DAYS:
            words.append(f"{days} days old")
    if verdict in ("live", "dead"):
        words.append(verdict)
    words.append(leak.location_kind.value)
    if exposed is not Readers.OWNER:
        words.append(READABLE[exposed])
    return ", ".join(words)


READABLE = {
    Readers.GROUP: "readable by other accounts" if on_windows() else "readable by its group",
    Readers.EVERYONE: "readable by everyone",
    Readers.UNKNOWN: "readable by whom is unknown",
}


def key_description(leak: Leak, describe: Mapping[str, str]) -> str:
    """Return whose key it is, or what it looks like."""
    match = leak.raw.match
    if match.known is not None:
        return f"{match.known.user}'s {match.known.stage} key"
    if leak.in_use:
        return "the key that is in use here"
    if aisa_shaped(match.secret.reveal()):
        return "an AIsa key"
    text = describe.get(match.rule, match.rule)
    first = text.split(maxsplit=1)[0]
    return text[:1].lower() + text[1:] if first in _COMMON_WORDS else text


def _excerpt(leak: Leak, clean: Callable[[str], str], marks: Mapping[str, str]) -> str:
    """`AISA_API_KEY=sk-a…WXYZ`, the encodings it was found in, how many times. `marks` shows equal values."""
    match = leak.raw.match
    value = match.secret.reveal()
    shown = (
        masked(value)
        if leak.fingerprint is not None and value.isprintable() and " " not in value
        else marks.get(value, "****")
    )
    name = match.key if match.key and _NAME.fullmatch(match.key) and clean(match.key) == match.key else None
    text = f"{name}={shown}" if name else shown
    if match.encodings:
        text += f" ({', '.join(match.encodings)})"
    return text + (f", {leak.times} times" if leak.times > 1 else "")
