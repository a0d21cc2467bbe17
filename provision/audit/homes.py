"""What is wrong with a Hermes home as a home: where its requests go, what has drifted, who can read its files.

Each finding is made from what `hermes.route` and `bundle.status` say of the home; nothing here holds a value of its files.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provision.audit.access import Readers, mode_for_others, readers
from provision.audit.finding import Finding, Location, finding_id
from provision.audit.locations import AuditedHome
from provision.audit.result import HomeRoute, Unread
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.shapes import mask_secrets
from provision.errors import ProvisionError, Severity
from provision.fleet.desired import SecretDelivery
from provision.hermes.facts import v0_19 as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.detect.known import KnownKeys
    from provision.endpoint.status import Status
    from provision.signing.allowed_signers import AllowedSigner

_SEVERITY = {Severity.ERROR: FindingSeverity.HIGH, Severity.WARNING: FindingSeverity.MEDIUM}
_FIX = "`provision audit --fix`"
SECRET_FILES = (
    facts.ENV_NAME,
    facts.ONEPASSWORD_ENV_NAME,
    facts.AUTH_NAME,
    facts.CONFIG_NAME,
    "state.db",
    ".hermes_history",
)
"""Files of a home that hold, or are likely to hold, secrets."""
_WHERE = re.compile(r"(?P<path>.*?/[^/ :]+)(?::(?P<line>\d+))?(?: (?P<where>\S.*))?")


@dataclass(frozen=True, slots=True)
class HomeContext:
    """What homes are judged with. `environ_of` gives the environment that Hermes would run in for a home."""

    signers: Sequence[AllowedSigner]
    environ_of: Callable[[Path, str | None], Mapping[str, str]]
    now: datetime
    known: KnownKeys | None
    name: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class HomeReport:
    """One home, and its Hermes profiles, judged. `homes` tells the leak findings where they are."""

    homes: tuple[AuditedHome, ...] = ()
    routes: tuple[HomeRoute, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()


def audit_home(root: Path, context: HomeContext) -> HomeReport:
    """Judge the home at `root` and every Hermes profile in it. Never raises for what stands there."""
    from provision.endpoint.status import status  # noqa: PLC0415  a third of the start-up, and most audits meet no home

    homes, routes, unread = [], [], []
    found: list[Finding] = []
    names = [
        None,
        *sorted(p.name for p in _listed(root / facts.PROFILES_FOLDER) if facts.PROFILE_NAME.fullmatch(p.name)),
    ]
    for name in names:
        try:
            seen = status(
                root,
                signers=context.signers,
                environ=context.environ_of(root, name),
                now=context.now,
                hermes_profile=name,
            )
        except (ProvisionError, OSError) as e:
            unread.append(Unread(str(root if name is None else root / facts.PROFILES_FOLDER / name), str(e)))
            homes.append(AuditedHome(root if name is None else root / facts.PROFILES_FOLDER / name))
            continue
        homes.append(AuditedHome(seen.home, seen.installed.manifest if seen.installed else None))
        if name is None or (seen.home / facts.CONFIG_NAME).exists():
            routes.append(_route(seen, context.known))
            found += _hazards(seen, context)
        found += _drift(seen, context)
    found += [f for home in homes for f in mode_findings(home.path, context.name)]
    return HomeReport(tuple(homes), tuple(routes), tuple(_distinct(found)), tuple(unread))


def _listed(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _distinct(found: Iterable[Finding]) -> list[Finding]:
    """A home's managed scope and shared files are met once for the home and once for each profile."""
    return list({finding.id: finding for finding in found}.values())


def _route(seen: Status, known: KnownKeys | None) -> HomeRoute:
    route = seen.route
    owner = known.find(route.key.reveal()) if known and route.key else None
    verdict: Literal["yes", "no", "cannot tell", "not installed"]
    if seen.check is None:
        verdict, why = "not installed", route.refusal or route.unknown or ""
    elif seen.check.as_expected:
        verdict, why = "yes", ""
    else:
        verdict = "cannot tell" if route.unknown else "no"
        wrong = [name.replace("_", " ") for name, check in seen.check.checks.items() if not check.ok]
        why = route.unknown or route.refusal or f"wrong {', '.join(wrong)}"
    return HomeRoute(
        home=str(seen.home),
        url=route.url,
        model=route.model,
        api_mode=route.api_mode,
        provider=route.provider,
        key_fingerprint=owner.fingerprint if owner else route.key_fingerprint,
        key_owner=owner.user if owner else None,
        key_stage=owner.stage if owner else None,
        key_source=route.key_source,
        as_expected=verdict,
        why=why,
    )


def _hazards(seen: Status, context: HomeContext) -> Iterator[Finding]:
    for hazard in seen.route.hazards:
        if hazard.severity in _SEVERITY:
            place = hazard_location(hazard.where, seen.home)
            yield home_finding(
                f"route-{hazard.id}", _SEVERITY[hazard.severity], place, hazard.why, hazard.cure, context.name
            )


def hazard_location(where: str, home: Path) -> Location:
    """A hazard's `where` (`/home/ada/.hermes/config.yaml model.api_key`, `….env:3`) as a place."""
    for root in (str(home), facts.MANAGED_DIR):
        rest = where.removeprefix(root)
        if rest != where and (found := _WHERE.fullmatch(rest)):
            line = int(found["line"]) if found["line"] else None
            return Location(root + found["path"], line, None, found["where"])
    return Location(str(home), where=mask_secrets(where) or None)


def _drift(seen: Status, context: HomeContext) -> Iterator[Finding]:
    """What differs from the installed manifest. Signatures are not judged where nobody is known who may sign."""
    if seen.installed is None:
        return
    manifest = seen.installed.manifest
    for drift in seen.drift:
        if drift.file.endswith("manifest.json") and not context.signers:
            continue
        path = str(seen.home / drift.file)  # an absolute name (the managed scope's) stays as it is
        what = mask_secrets(drift.what)
        if drift.file == facts.ENV_NAME and manifest.secret_delivery is SecretDelivery.RUN and "stands in it" in what:
            cure = f"{_FIX} takes the line out; after that rotate the key if others could read the file"
            why = f"{manifest.key_env} lies on disk although `provision run` delivers the key in memory"
            yield home_finding(
                "key-on-disk", FindingSeverity.HIGH, Location(path, where=manifest.key_env), why, cure, context.name
            )
            continue
        setting = what.split(" ", 1)[0]
        cure = "install the bundle again (`provision pull`, or `provision deploy`)"
        yield home_finding("drift", FindingSeverity.MEDIUM, Location(path, where=setting), what, cure, context.name)


def mode_findings(home: Path, name: Callable[[str], str]) -> Iterator[Finding]:
    """A home's folder and files that others can read, or that belong to somebody else than the home."""
    mode = mode_for_others(home)
    if mode is not None and mode & 0o022:
        why = f"others can write into this home (mode {mode:04o}): they could put a route of theirs in it"
        yield home_finding(
            "home-writable", FindingSeverity.HIGH, Location(str(home)), why, f"chmod 700; {_FIX} does it", name
        )
    try:
        owner = home.lstat().st_uid
    except OSError:
        return
    for file in SECRET_FILES:
        path = home / file
        mode = mode_for_others(path)
        if mode is not None:
            yield from _wide_file(path, file, mode, name)
        if os.path.lexists(path) and os.name != "nt" and path.lstat().st_uid not in (owner, 0):
            why = f"{file} belongs to another user than the home"
            yield home_finding(
                "foreign-owner", FindingSeverity.HIGH, Location(str(path)), why, "chown it to the home's owner", name
            )


def _wide_file(path: Path, file: str, mode: int, name: Callable[[str], str]) -> Iterator[Finding]:
    who = readers(path)
    writable = mode & 0o022
    if who is Readers.OWNER and not writable:
        severity, how = FindingSeverity.LOW, "only the folder keeps others out"
    else:
        severity = FindingSeverity.HIGH if writable or file != facts.CONFIG_NAME else FindingSeverity.LOW
        how = "readable by everyone" if who is Readers.EVERYONE else "readable by its group"
        how = "others can write it" if writable else how
    cure = f"chmod 600; {_FIX} does it"
    yield home_finding("file-mode", severity, Location(str(path)), f"{file} has mode {mode:04o}: {how}", cure, name)


def home_finding(  # noqa: PLR0917  a finding's own fields, in its order
    rule: str, severity: FindingSeverity, place: Location, message: str, cure: str, name: Callable[[str], str]
) -> Finding:
    """A finding that is about no secret. Its id takes the message along, but for numbers, which come and go."""
    anchor = dataclasses.replace(place, path=name(place.path), line=None, column=None)
    return Finding(
        id=finding_id(rule, anchor, re.sub(r"\d+", "0", message)),
        rule=rule,
        severity=severity,
        confidence=Confidence.HIGH,
        place=place,
        owner=None,
        stage=None,
        fingerprint=None,
        excerpt="",
        message=message,
        cure=cure,
    )
