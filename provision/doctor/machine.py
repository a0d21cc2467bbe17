"""The user's side: this machine's keys, trust list, feed, what is installed in Hermes, and the order in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provision.doctor.clock import clock_findings
from provision.doctor.health import HealthFinding, failed, fine, skipped, warning
from provision.doctor.leftovers import leftover_findings, lock_findings, private_findings
from provision.doctor.online import server_findings
from provision.endpoint.machine_hermes import hermes_on_machine
from provision.endpoint.obeyed_order import FILE as OBEYED
from provision.endpoint.obeyed_order import read_obeyed
from provision.endpoint.overall import OverallState
from provision.endpoint.status import home_status
from provision.endpoint.trust_store import trust_in_force
from provision.feed.index import index_name, parse_subscription, part_of
from provision.feed.state import FILE as STATE
from provision.feed.state import read_state
from provision.keys.age import load_identities
from provision.signing.fields import parse_moment
from provision.signing.sshsig import load_signing_key
from provision.trust.trust_list import WARN_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from provision.endpoint.identity import EndpointFolder
    from provision.endpoint.status import HomeStatus

_BUNDLE_SOON = timedelta(days=14)
_FEED_SOON = timedelta(days=2)
_PULL_OLD = timedelta(days=3)
_ENROLL = "run `provision enroll` and send its output to IT"


class MachineHealth:
    """The checks of this machine and one Hermes home in it."""

    def __init__(
        self,
        folder: EndpointFolder,
        home: Path,
        hermes_profile: str | None,
        *,
        environ: Mapping[str, str],
        now: datetime,
        online: bool = False,
    ) -> None:
        self._folder, self._home, self._profile = folder, home, hermes_profile
        self._environ, self._now, self._online = environ, now, online

    def checks(self) -> Iterator[tuple[str, Callable[[], Iterable[HealthFinding]]]]:
        """The checks in the order in which they are shown."""
        folder = self._folder
        yield "machine.enrolled", self._enrolled
        yield (
            "machine.private",
            lambda: private_findings("machine.private", (folder.identity, folder.endpoint_key), folder.root),
        )
        yield "machine.signers", self._signers
        yield "machine.order", self._order
        yield "machine.hermes", self._hermes
        yield "machine.bundle", self._bundle
        yield "machine.route", self._route
        yield "machine.feed", self._feed
        yield "machine.clock", self._clock
        yield "machine.locks", lambda: lock_findings((folder.root, self._home / ".provision"))
        yield "machine.left", lambda: leftover_findings((folder.root, self._home / ".provision"))
        yield "feed.reachable", self._reachable

    def _enrolled(self) -> Iterator[HealthFinding]:
        missing = [path for path in (self._folder.identity, self._folder.endpoint_key) if not path.exists()]
        if missing:
            names = " and ".join(path.name for path in missing)
            yield failed("machine.enrolled", f"this machine has no {names}", _ENROLL, *map(str, missing))
            return
        load_identities(self._folder.identity)
        load_signing_key(self._folder.endpoint_key)
        yield fine("machine.enrolled", "this machine has its keys")

    def _signers(self) -> Iterator[HealthFinding]:
        force = trust_in_force(self._folder)
        trust = force.trust
        if trust is None:
            if force.signers:
                yield fine("machine.signers", "no trust list yet: by allowed_signers")
            else:
                fix = "run `provision enroll --signer KEY` with IT's public key"
                yield failed("machine.signers", "this machine trusts no signer", fix)
            return
        left = (trust.expires_at - self._now).days
        if self._now >= trust.expires_at:
            fix = "get the next list: provision pull"
            text = f"trust list {trust.number} expired on {trust.expires}: nothing new is accepted"
            yield failed("machine.signers", text, fix, str(self._folder.trust_list))
        elif left < WARN_DAYS:
            yield warning("machine.signers", f"trust list {trust.number} expires in {left} days", "ask IT to renew it")
        else:
            yield fine("machine.signers", f"trust list {trust.number}, valid until {trust.expires}")

    def _order(self) -> Iterator[HealthFinding]:
        order = read_obeyed(self._folder.root)
        if order is None and (self._folder.root / OBEYED).exists():
            fix = "ask IT which order is in force; the next one replaces it"
            yield warning("machine.order", f"{OBEYED} is damaged: the last order is unknown", fix, OBEYED)
            return
        order = order.under(trust_in_force(self._folder).trust) if order else None
        if order is not None and order.in_force(self._now):
            until = f" until {order.expires}" if order.kind == "halt" else ""
            yield warning("machine.order", f"IT's order to {order.kind} is in force{until}: {order.reason}", "ask IT")
        else:
            yield fine("machine.order", "no order of IT is in force")

    def _hermes(self) -> Iterator[HealthFinding]:
        hermes = hermes_on_machine(self._home, self._environ)
        if hermes.version is None:
            fix = "install Hermes, or put it on PATH, then: provision status"
            yield warning("machine.hermes", "no Hermes was found on this machine", fix)
        elif hermes.verified:
            yield fine("machine.hermes", f"Hermes {hermes.version} (verified)")
        else:
            fix = "see `provision status`; IT can update provision or Hermes"
            yield warning("machine.hermes", hermes.statement, fix)

    def _status(self) -> HomeStatus:
        return home_status(
            self._home,
            signers=trust_in_force(self._folder).signers,
            environ=self._environ,
            now=self._now,
            hermes_profile=self._profile,
            hermes=hermes_on_machine(self._home, self._environ),
        )

    def _bundle(self) -> Iterator[HealthFinding]:
        found = self._status()
        if found.installed is None:
            yield failed("machine.bundle", f"nothing is installed in {found.home}", "provision pull")
            return
        manifest = found.installed.manifest
        what = f"generation {manifest.generation} of {manifest.user}"
        drift = [d for d in found.drift if d.file.startswith(".provision")]
        for each in drift:
            fix = "install the newest bundle: provision pull"
            yield failed("machine.bundle", f"{what}: {each.what}", fix, each.file)
        if not drift and manifest.expires_at - self._now < _BUNDLE_SOON:
            yield warning("machine.bundle", f"{what} expires on {manifest.expires}", "get a newer one: provision pull")
        elif not drift:
            yield fine("machine.bundle", f"{what}, valid until {manifest.expires}")

    def _route(self) -> Iterator[HealthFinding]:
        found = self._status()
        if found.installed is None:
            yield skipped("machine.route", "nothing is installed")
        elif found.state is OverallState.OK:
            yield fine("machine.route", f"Hermes uses {found.route.url}")
        elif found.state is OverallState.PROBLEM:
            fix = "it lists every reason: provision status"
            yield failed("machine.route", "Hermes does not work as it was set up", fix)
        else:
            fix = "it lists every reason: provision status --all"
            yield warning("machine.route", f"the state is {found.state.value}", fix)

    def _feed(self) -> Iterator[HealthFinding]:
        state = read_state(self._folder.root)
        if state is None and (self._folder.root / STATE).exists():
            fix = "subscribe again with the address from IT: provision pull --help"
            yield warning("machine.feed", f"{STATE} is damaged: this machine knows no feed", fix, STATE)
            return
        if state is None:
            yield skipped("machine.feed", "this machine pulls from no feed")
            return
        again = "try it now: provision pull"
        if state.last_error:
            yield warning("machine.feed", f"the last pull failed: {state.last_error}", again)
        elif state.digest is not None and state.expires_at <= self._now:
            yield failed("machine.feed", f"the feed's index expired on {state.expires_at:%Y-%m-%d %H:%M} UTC", again)
        elif state.digest is not None and state.expires_at - self._now < _FEED_SOON:
            text = f"the feed's index expires on {state.expires_at:%Y-%m-%d %H:%M} UTC"
            yield warning("machine.feed", text, again)
        elif state.last_good is None:
            yield warning("machine.feed", "no pull has worked yet", again)
        elif self._now - (when := datetime.fromtimestamp(state.last_good, UTC)) > _PULL_OLD:
            fix = "see whether the timer runs: provision status; try it now: provision pull"
            yield warning("machine.feed", f"the last pull that worked was on {when:%Y-%m-%d %H:%M} UTC", fix)
        else:
            yield fine("machine.feed", f"the last pull worked, on {when:%Y-%m-%d %H:%M} UTC")

    def _clock(self) -> Iterator[HealthFinding]:
        known: dict[str, datetime] = {}
        trust, state = trust_in_force(self._folder).trust, read_state(self._folder.root)
        if trust is not None:
            known[f"trust list {trust.number}"] = parse_moment(trust.created)
        if state is not None and state.last_good is not None:
            known["the last pull"] = datetime.fromtimestamp(state.last_good, UTC)
        yield from clock_findings(self._now, known)

    def _reachable(self) -> Iterator[HealthFinding]:
        state = read_state(self._folder.root)
        if not self._online:
            yield skipped("feed.reachable", "not asked", "ask it: provision doctor --online")
        elif state is None:
            yield skipped("feed.reachable", "this machine pulls from no feed")
        else:
            place = parse_subscription(state.url)
            yield from server_findings("feed.reachable", f"{place.base}/{index_name(part_of(place.address))}")
