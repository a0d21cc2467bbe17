"""What is wrong with a Hermes home as a home: where its requests go, what has drifted, who can read its files.

Each finding is made from what `hermes.route` and `bundle.status` say of the home; nothing here holds a value of its files.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provision.audit.access import Readers, readers, wide
from provision.audit.finding import Finding, Place, finding_id
from provision.audit.places import Home
from provision.audit.result import HomeRoute, Unread
from provision.detect.match import Confidence, Severity
from provision.detect.shapes import without_secrets
from provision.errors import ProvisionError
from provision.errors import Severity as Danger
from provision.fleet.desired import SecretDelivery
from provision.hermes.facts import v0_19 as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.detect.known import KnownKeys
    from provision.endpoint.status import Status
    from provision.signing.allowed_signers import AllowedSigner

_SEVERITY = {Danger.ERROR: Severity.HIGH, Danger.WARNING: Severity.MEDIUM}
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
class Looking:
    """What homes are judged with. `environ_of` gives the environment that Hermes would run in for a home."""

    signers: Sequence[AllowedSigner]
    environ_of: Callable[[Path, str | None], Mapping[str, str]]
    now: datetime
    known: KnownKeys | None
    name: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class HomeReport:
    """One home, and its Hermes profiles, judged. `homes` tells the leak findings where they are."""

    homes: tuple[Home, ...] = ()
    routes: tuple[HomeRoute, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()


def look_at_home(root: Path, looking: Looking) -> HomeReport:
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
                signers=looking.signers,
                environ=looking.environ_of(root, name),
                now=looking.now,
                hermes_profile=name,
            )
        except (ProvisionError, OSError) as e:
            unread.append(Unread(str(root if name is None else root / facts.PROFILES_FOLDER / name), str(e)))
            homes.append(Home(root if name is None else root / facts.PROFILES_FOLDER / name))
            continue
        homes.append(Home(seen.home, seen.installed.manifest if seen.installed else None))
        if name is None or (seen.home / facts.CONFIG_NAME).exists():
            routes.append(_route(seen, looking.known))
            found += _hazards(seen, looking)
        found += _drift(seen, looking)
    found += [f for home in homes for f in modes(home.path, looking.name)]
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


def _hazards(seen: Status, looking: Looking) -> Iterator[Finding]:
    for hazard in seen.route.hazards:
        if hazard.severity in _SEVERITY:
            place = place_of(hazard.where, seen.home)
            yield make(f"route-{hazard.id}", _SEVERITY[hazard.severity], place, hazard.why, hazard.cure, looking.name)


def place_of(where: str, home: Path) -> Place:
    """A hazard's `where` (`/home/ada/.hermes/config.yaml model.api_key`, `….env:3`) as a place."""
    for root in (str(home), facts.MANAGED_DIR):
        rest = where.removeprefix(root)
        if rest != where and (found := _WHERE.fullmatch(rest)):
            line = int(found["line"]) if found["line"] else None
            return Place(root + found["path"], line, None, found["where"])
    return Place(str(home), where=without_secrets(where) or None)


def _drift(seen: Status, looking: Looking) -> Iterator[Finding]:
    """What differs from the installed manifest. Signatures are not judged where nobody is known who may sign."""
    if seen.installed is None:
        return
    manifest = seen.installed.manifest
    for drift in seen.drift:
        if drift.file.endswith("manifest.json") and not looking.signers:
            continue
        path = str(seen.home / drift.file)  # an absolute name (the managed scope's) stays as it is
        what = without_secrets(drift.what)
        if drift.file == facts.ENV_NAME and manifest.secret_delivery is SecretDelivery.RUN and "stands in it" in what:
            cure = f"{_FIX} takes the line out; after that rotate the key if others could read the file"
            why = f"{manifest.key_env} lies on disk although `provision run` delivers the key in memory"
            yield make("key-on-disk", Severity.HIGH, Place(path, where=manifest.key_env), why, cure, looking.name)
            continue
        setting = what.split(" ", 1)[0]
        cure = "install the bundle again (`provision pull`, or `provision deploy`)"
        yield make("drift", Severity.MEDIUM, Place(path, where=setting), what, cure, looking.name)


def modes(home: Path, name: Callable[[str], str]) -> Iterator[Finding]:
    """A home's folder and files that others can read, or that belong to somebody else than the home."""
    mode = wide(home)
    if mode is not None and mode & 0o022:
        why = f"others can write into this home (mode {mode:04o}): they could put a route of theirs in it"
        yield make("home-writable", Severity.HIGH, Place(str(home)), why, f"chmod 700; {_FIX} does it", name)
    try:
        owner = home.lstat().st_uid
    except OSError:
        return
    for file in SECRET_FILES:
        path = home / file
        mode = wide(path)
        if mode is not None:
            yield from _wide_file(path, file, mode, name)
        if os.path.lexists(path) and os.name != "nt" and path.lstat().st_uid not in (owner, 0):
            why = f"{file} belongs to another user than the home"
            yield make("foreign-owner", Severity.HIGH, Place(str(path)), why, "chown it to the home's owner", name)


def _wide_file(path: Path, file: str, mode: int, name: Callable[[str], str]) -> Iterator[Finding]:
    who = readers(path)
    writable = mode & 0o022
    if who is Readers.OWNER and not writable:
        severity, how = Severity.LOW, "only the folder keeps others out"
    else:
        severity = Severity.HIGH if writable or file != facts.CONFIG_NAME else Severity.LOW
        how = "readable by everyone" if who is Readers.EVERYONE else "readable by its group"
        how = "others can write it" if writable else how
    cure = f"chmod 600; {_FIX} does it"
    yield make("file-mode", severity, Place(str(path)), f"{file} has mode {mode:04o}: {how}", cure, name)


def make(  # noqa: PLR0917  a finding's own fields, in its order
    rule: str, severity: Severity, place: Place, message: str, cure: str, name: Callable[[str], str]
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
