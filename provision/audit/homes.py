"""Check a Hermes home itself: where its requests go, drift from the installed bundle, and who can access its files.

Findings are made from the route model and from `endpoint.status`; nothing here holds a value of the home's files.
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
from provision.hermes.facts import names as facts
from provision.shell import shell_path
from provision.windows_acl import on_windows, other_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.detect.known import KnownKeys
    from provision.endpoint.status import HomeStatus
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
_DESKTOP = re.compile(r"(?P<path>.+[/\\]connections?\.json)(?: (?P<where>\S.*))?")
_WHERE = re.compile(r"(?P<path>.*?/[^/ :]+)(?::(?P<line>\d+))?(?: (?P<where>\S.*))?")


@dataclass(frozen=True, slots=True)
class HomeContext:
    """What homes are checked with. `environ_of` returns the environment that Hermes would run in for a home."""

    signers: Sequence[AllowedSigner]
    environ_of: Callable[[Path, str | None], Mapping[str, str]]
    now: datetime
    known: KnownKeys | None
    name: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class HomeReport:
    """One home and its Hermes profiles, checked. `homes` is used to classify the locations of leaks."""

    homes: tuple[AuditedHome, ...] = ()
    routes: tuple[HomeRoute, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()


def audit_home(root: Path, context: HomeContext) -> HomeReport:
    """Check the home at `root` and every Hermes profile in it. Does not raise for any content of the home."""
    from provision.endpoint.machine_hermes import hermes_on_machine  # noqa: PLC0415  as below
    from provision.endpoint.status import home_status  # noqa: PLC0415  a third of the start-up time, and most audits find no home
    from provision.hermes.routing.environment_hazards import UNREADABLE  # noqa: PLC0415  as before

    homes, routes, unread = [], [], []
    found: list[Finding] = []
    names = [
        None,
        *sorted(p.name for p in _listed(root / facts.PROFILES_FOLDER) if facts.PROFILE_NAME.fullmatch(p.name)),
    ]
    hermes = hermes_on_machine(root, context.environ_of(root, None))
    for name in names:
        try:
            seen = home_status(
                root,
                signers=context.signers,
                environ=context.environ_of(root, name),
                now=context.now,
                hermes_profile=name,
                hermes=hermes,
            )
        except (ProvisionError, OSError) as e:
            unread.append(Unread(str(root if name is None else root / facts.PROFILES_FOLDER / name), str(e)))
            homes.append(AuditedHome(root if name is None else root / facts.PROFILES_FOLDER / name))
            continue
        homes.append(AuditedHome(seen.home, seen.installed.manifest if seen.installed else None))
        if name is None or (seen.home / facts.CONFIG_NAME).exists():
            routes.append(_route(seen, context.known))
            unread += [Unread(hazard.where, hazard.why) for hazard in seen.route.hazards if hazard.id == UNREADABLE]
            found += _hazards(seen, context)
        found += _drift(seen, context)
    found += [f for home in homes for f in mode_findings(home.path, context.name)]
    return HomeReport(tuple(homes), tuple(routes), tuple(_distinct(found)), tuple(dict.fromkeys(unread)))


def _listed(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _distinct(found: Iterable[Finding]) -> list[Finding]:
    """Drop duplicates: a home's managed scope and shared files are found once for the home and once for each profile."""
    return list({finding.id: finding for finding in found}.values())


def _route(seen: HomeStatus, known: KnownKeys | None) -> HomeRoute:
    route = seen.route
    owner = known.find(route.key.reveal()) if known and route.key else None
    verdict: Literal["yes", "no", "cannot tell", "not installed"]
    if seen.check is None:
        verdict, why = "not installed", route.refusal or route.unknown or ""
    elif seen.check.as_expected and (away := (*seen.check.leaving, *seen.check.doubtful)):
        verdict = "no" if seen.check.leaving else "cannot tell"
        why = f"{away[0].name}: {away[0].verdict} to {away[0].target}" + (
            f", and {len(away) - 1} more" if away[1:] else ""
        )
    elif seen.check.as_expected:
        verdict, why = "yes", "" if seen.hermes.verified else f"as far as known: {seen.hermes.statement}"
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


def _hazards(seen: HomeStatus, context: HomeContext) -> Iterator[Finding]:
    from provision.hermes.routing.environment_hazards import UNREADABLE  # noqa: PLC0415  as above

    for hazard in seen.route.hazards:
        if hazard.severity in _SEVERITY and hazard.id != UNREADABLE:  # listed as not read instead
            place = hazard_location(hazard.where, seen.home)
            severity = FindingSeverity.HIGH if hazard.id == "desktop-token" else _SEVERITY[hazard.severity]
            yield home_finding(f"route-{hazard.id}", severity, place, hazard.why, hazard.cure, context.name)


def hazard_location(where: str, home: Path) -> Location:
    """A hazard's `where` (`/home/ada/.hermes/config.yaml model.api_key`, `….env:3`) as a location."""
    for root in (str(home), facts.MANAGED_DIR):
        rest = where.removeprefix(root)
        if rest != where and (found := _WHERE.fullmatch(rest)):
            line = int(found["line"]) if found["line"] else None
            return Location(root + found["path"], line, None, found["where"])
    if found := _DESKTOP.fullmatch(where):
        return Location(found["path"], where=found["where"])
    return Location(str(home), where=mask_secrets(where) or None)


def _drift(seen: HomeStatus, context: HomeContext) -> Iterator[Finding]:
    """Report what differs from the installed manifest. Signatures are not reported where no signer is known."""
    if seen.installed is None:
        return
    manifest = seen.installed.manifest
    for drift in seen.drift:
        if drift.file.endswith("manifest.json") and not context.signers:
            continue
        path = str(seen.home / drift.file)  # an absolute name (the managed scope's) stays as it is
        what = mask_secrets(drift.what)
        if (  # the only drift that `endpoint.status` reports of this variable with that delivery
            drift.file == facts.ENV_NAME
            and manifest.secret_delivery is SecretDelivery.RUN
            and drift.what.startswith(f"{manifest.key_env} ")
        ):
            cure = f"{_FIX} removes the line; then rotate the key if other users could read the file"
            why = f"{manifest.key_env} is on disk although `provision run` delivers the key in memory"
            yield home_finding(
                "key-on-disk", FindingSeverity.HIGH, Location(path, where=manifest.key_env), why, cure, context.name
            )
            continue
        setting = what.split(" ", 1)[0]
        cure = "install the bundle again (`provision pull`, or `provision deploy`)"
        yield home_finding("drift", FindingSeverity.MEDIUM, Location(path, where=setting), what, cure, context.name)


def mode_findings(home: Path, name: Callable[[str], str]) -> Iterator[Finding]:
    """Report a home's folder and files that other users can access, or that belong to a different user than the home."""
    if on_windows():
        yield from _list_findings(home, name)
        return
    mode = mode_for_others(home)
    if mode is not None and mode & 0o022:
        why = f"other users can write into this home (mode {mode:04o}) and redirect its requests"
        cure = f"run `chmod 700 {shell_path(home)}`, or {_FIX}"
        yield home_finding("home-writable", FindingSeverity.HIGH, Location(str(home)), why, cure, name)
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


def _list_findings(home: Path, name: Callable[[str], str]) -> Iterator[Finding]:
    """The same by the access control lists of Windows; what cannot be read is reported as unknown."""
    for path in (home, *(home / file for file in SECRET_FILES)):
        if not os.path.lexists(path):
            continue
        others = other_accounts(path)
        cure = f"look at `icacls {shell_path(path)}`; {_FIX} leaves it to its user, the system and administrators"
        folder = path == home
        if others is None:
            why = f"who can access {path.name} is unknown: its access control list cannot be read"
            yield home_finding("file-mode", FindingSeverity.LOW, Location(str(path)), why, cure, name)
        elif others.writers:
            why = f"other accounts can write {'into this home' if folder else path.name}: {', '.join(others.writers)}"
            rule = "home-writable" if folder else "file-mode"
            yield home_finding(rule, FindingSeverity.HIGH, Location(str(path)), why, cure, name)
        elif others.readers and not folder:
            severity = FindingSeverity.LOW if path.name == facts.CONFIG_NAME else FindingSeverity.HIGH
            why = f"other accounts can read {path.name}: {', '.join(others.readers)}"
            yield home_finding("file-mode", severity, Location(str(path)), why, cure, name)


def _wide_file(path: Path, file: str, mode: int, name: Callable[[str], str]) -> Iterator[Finding]:
    who = readers(path)
    writable = mode & 0o022
    if who is Readers.OWNER and not writable:
        severity, how = FindingSeverity.LOW, "only the folder keeps other users out"
    else:
        severity = FindingSeverity.HIGH if writable or file != facts.CONFIG_NAME else FindingSeverity.LOW
        how = "readable by everyone" if who is Readers.EVERYONE else "readable by its group"
        how = "other users can write it" if writable else how
    cure = f"run `chmod 600 {shell_path(path)}`, or {_FIX}"
    yield home_finding("file-mode", severity, Location(str(path)), f"{file} has mode {mode:04o}: {how}", cure, name)


def home_finding(  # noqa: PLR0917  a finding's own fields, in its order
    rule: str, severity: FindingSeverity, place: Location, message: str, cure: str, name: Callable[[str], str]
) -> Finding:
    """Make a finding that concerns no secret. Its id includes the message, but not its numbers, which vary."""
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
