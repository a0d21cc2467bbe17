"""From what a scan brought back to findings: whose key it is, how bad it is that it lies there, and what to do.

Pure but for looking at the modes of the files named. Everything that reaches a `Finding` from a secret is its mask and,
if it is strong enough that nobody can guess it, its fingerprint.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.access import Readers, readers
from provision.audit.allow_comment import is_allowed
from provision.audit.finding import Finding, Location, finding_id
from provision.audit.leak import Leak
from provision.audit.locations import LocationKind, MachineLayout, is_in_place, location_kind
from provision.audit.remediation import remediation_for
from provision.detect.fingerprint import fingerprint
from provision.detect.match import FindingSeverity
from provision.detect.shapes import aisa_shaped, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from provision.audit.finding import RawFinding
    from provision.detect.match import Match

OLD_DAYS = 90
"""Keys older than this are due for rotation; a message then says how old."""
_GUESSABLE = re.compile(r"assigned|passw|dsn|userinfo|basic|entropy|url-")
_SHORTEST_STRONG = 20
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,60}")


@dataclass(frozen=True, slots=True)
class LeakContext:
    """What findings are made with. `salt` names keys, `verdicts` are the gateway's by fingerprint, `describe` says what a
    rule finds, `name` gives the path that an id is made of."""

    around: MachineLayout
    salt: bytes
    now: datetime
    describe: Mapping[str, str]
    name: Callable[[str], str]
    clean: Callable[[str], str]
    """Masks secrets in a text: people put keys into names of files, tables and settings, too."""


@dataclass(frozen=True, slots=True)
class SortedLeaks:
    """What a scan found: leaks, how many secrets lie where they belong, how many a comment allows."""

    leaks: tuple[Leak, ...]
    in_place: int
    allowed: int


def collect_leaks(raws: Iterable[RawFinding], context: LeakContext) -> SortedLeaks:
    """Leave out what belongs or is allowed where it is, and join what is the same secret in the same file."""
    kept: dict[tuple[str, str, str, str], Leak] = {}
    quiet = excused = 0
    used: set[str] = set()
    for raw in sorted(raws, key=_by_place):
        where = location_kind(raw, context.around)
        if is_in_place(raw, where, context.around):
            quiet += 1
            used.add(raw.match.secret.reveal())
            continue
        if raw.match.known is None and is_allowed(f"{raw.before}\n{raw.after}", raw.match.rule):
            excused += 1
            continue
        key = (raw.match.rule, raw.place.path, raw.place.where or "", raw.match.secret.reveal())
        if key in kept:
            kept[key].times += 1
        else:
            kept[key] = Leak(raw, where, fingerprint_of(raw.match, context.salt))
    for leak in kept.values():
        leak.in_use = leak.raw.match.secret.reveal() in used
    return SortedLeaks(tuple(kept.values()), quiet, excused)


def leak_findings(leaks: Iterable[Leak], context: LeakContext, verdicts: Mapping[str, str]) -> list[Finding]:
    """A finding for each leak. `verdicts` are `live`, `dead` or `cannot tell` by fingerprint."""
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
                confidence=match.confidence,
                place=shown,
                owner=match.known.user if match.known else None,
                stage=match.known.stage if match.known else None,
                fingerprint=leak.fingerprint,
                excerpt=_excerpt(leak, context.clean),
                message=_message(leak, exposed, verdict, context),
                cure=remediation_for(leak, exposed, verdict),
                verdict=verdict,
            )
        )
    return made


def _by_place(raw: RawFinding) -> tuple[str, str, int, int]:
    place = raw.place
    return place.path, place.where or "", place.line or 0, place.column or 0


def fingerprint_of(match: Match, salt: bytes) -> str | None:
    """The fingerprint of a secret that cannot be guessed; None for passwords and short ones."""
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
    """A key of the fleet by its stage and by who can read it, everything else as its rule says."""
    match = leak.raw.match
    if verdict == "dead":
        return FindingSeverity.LOW
    open_ = exposed is not Readers.OWNER or leak.location_kind is LocationKind.GIT
    if verdict == "live" and (open_ or (match.known and match.known.stage == "retired")):
        return FindingSeverity.CRITICAL
    if match.known is None:
        return FindingSeverity.HIGH if leak.in_use and not open_ else match.severity
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
        words.append("readable by everyone" if exposed is Readers.EVERYONE else "readable by its group")
    return ", ".join(words)


def key_description(leak: Leak, describe: Mapping[str, str]) -> str:
    """Whose key it is, or what it looks like."""
    match = leak.raw.match
    if match.known is not None:
        return f"{match.known.user}'s {match.known.stage} key"
    if leak.in_use:
        return "the key that is in use here"
    if aisa_shaped(match.secret.reveal()):
        return "an AIsa key"
    text = describe.get(match.rule, match.rule)
    return text[:1].lower() + text[1:] if text[:2] != text[:2].upper() else text


def _excerpt(leak: Leak, clean: Callable[[str], str]) -> str:
    """`AISA_API_KEY=sk-a…WXYZ`, what it was written in, and how often it stands there."""
    match = leak.raw.match
    value = match.secret.reveal()
    shown = masked(value) if leak.fingerprint is not None and value.isprintable() and " " not in value else "****"
    name = match.key if match.key and _NAME.fullmatch(match.key) and clean(match.key) == match.key else None
    text = f"{name}={shown}" if name else shown
    if match.encodings:
        text += f" ({', '.join(match.encodings)})"
    return text + (f", {leak.times} times" if leak.times > 1 else "")
