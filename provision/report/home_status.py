"""The result of `status`: what is installed in a Hermes home, and where Hermes sends its next request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.endpoint.overall import OverallState
from provision.endpoint.side_policy import STRICTEST
from provision.endpoint.state import key_in_place_since
from provision.endpoint.status import home_status_json as home_json
from provision.errors import Severity
from provision.hermes.routing.destinations import is_of_destination
from provision.report.destinations import destination_lines, destinations_summary
from provision.report.document import document
from provision.report.install import restart_lines, state_line
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.endpoint.obeyed_order import ObeyedOrder
    from provision.endpoint.probe_hermes import ProbeAnswer
    from provision.endpoint.processes import RunningHermes
    from provision.endpoint.status import HomeStatus
    from provision.trust.trust_list import TrustList

_ANSWERS = {True: "answered", False: "failed", None: "unknown"}


@dataclass(frozen=True, slots=True)
class ItsWord:
    """What this machine follows now: the trust list, and the last order that it obeyed."""

    trust: TrustList | None
    order: ObeyedOrder | None
    now: datetime

    def lines(self) -> list[str]:
        """The lines of the table."""
        trust, order = self.trust, self.order
        lines = ["trust      no trust list"]
        if trust is not None:
            end = f"expired on {trust.expires}: nothing new is accepted"
            end = f"valid until {trust.expires}" if self.now < trust.expires_at else end
            lines = [f"trust      list {trust.number}, {end}"]
        if order is not None and order.in_force(self.now):
            until = f" until {order.expires}" if order.kind == "halt" else ""
            lines.append(f"order      {order.kind}{until}: {order.reason}")
        return lines

    def fields(self) -> dict[str, Any]:
        """The members of the document."""
        trust, order = self.trust, self.order
        expired = trust is not None and self.now >= trust.expires_at
        told = order.model_dump(mode="json", include={"kind", "reason", "expires", "obeyed"}) if order else None
        return {
            "trust": {"list": trust.number, "expires": trust.expires, "expired": expired} if trust else None,
            "order": {**told, "in_force": order.in_force(self.now)} if order and told else None,
        }


def as_table(
    status: HomeStatus,
    answer: ProbeAnswer | None,
    stale: Sequence[RunningHermes] | None,
    it: ItsWord | None = None,
    *,
    every: bool = False,
) -> str:
    """The home, its routes and checks, drift, hazards, and the processes in `stale` that hold an older key.

    `it`: whose signatures count here, and the last order. `every`: list all destinations, the hazards that say
    the same, and notes.
    """
    lines = [_sentence(status), f"home       {status.home}", *(it.lines() if it else ()), *_route_lines(status)]
    for name, check in (status.check.checks if status.check else {}).items():
        verdict = "ok" if check.ok else f"WRONG: expected {check.expected}; is {check.actual}"
        lines.append(f"check      {name}: {verdict}")
    lines += [f"drift      {d.file}: {d.what}" for d in status.drift]
    policy = status.check.policy if status.check else STRICTEST
    lines += destination_lines(status.route.destinations, policy, every=every)
    if status.route.guardrails:
        lines.append(f"guardrails {status.route.guardrails.summary}")
    lines += [
        f"{h.severity:<9}  [{h.id}] {h.where}: {h.why}; {h.cure}"
        for h in status.route.hazards
        if every or not (is_of_destination(h.id) or h.severity is Severity.NOTE)
    ]
    if answer is not None:
        lines.append(f"hermes     {_ANSWERS[answer.ok]}: {answer.said}")
    restart = restart_lines(stale or (), key_in_place_since(status.home), settings_changed=False)
    lines += [f"restart    {line.removeprefix('restart ')}" for line in restart]
    lines.append(f"state      {state_line(status.state, status.hermes)}")
    return "".join(printable(line) + "\n" for line in lines)


def _sentence(status: HomeStatus) -> str:
    """The result in one sentence, which is the first line."""
    found, check = status.route.destinations, status.check
    policy = check.policy if check else STRICTEST
    summary = destinations_summary(found, policy) if found else "nothing is known to leave this home"
    if status.state.good:
        return f"{'OK' if status.state is OverallState.OK else 'OK as far as known'}: {summary}"
    word = "PROBLEM" if status.state is OverallState.PROBLEM else "UNKNOWN"
    wrong = [name for name, each in (check.checks if check else {}).items() if not each.ok]
    if not status.installed:
        return f"{word}: this home was not set up by provision"
    if wrong:
        return f"{word}: Hermes does not use what your team set up ({', '.join(wrong)})"
    if any(not policy.allows(each) for each in found):
        return f"{word}: {summary}"
    return f"{word}: see the lines below"


def as_json(
    status: HomeStatus,
    answer: ProbeAnswer | None,
    stale: Sequence[RunningHermes] | None,
    it: ItsWord | None = None,
) -> str:
    """The document `provision/status/v2`; `hermes` is only in it when Hermes was asked."""
    hermes = {"hermes": {"ok": answer.ok, "said": answer.said, "exit_code": answer.exit_code}} if answer else {}
    restart = None if stale is None else [{"pid": p.pid, "what": p.what} for p in stale]
    return document("status/v2", **home_json(status), restart=restart, **(it.fields() if it else {}), **hermes)


def _route_lines(status: HomeStatus) -> list[str]:
    route = status.route
    if status.installed:
        m = status.installed.manifest
        lines = [f"installed  {m.user} ({m.profile}), generation {m.generation}, expires {m.expires}"]
    else:
        lines = ["installed  nothing: this home was not set up by provision"]
    lines.append(f"route      {route.url or 'none'}")
    lines.append(f"model      {route.model or 'none'} ({route.api_mode or 'no API mode'})")
    lines.append(f"key        {route.key_fingerprint or 'none'} from {route.key_source}")
    if route.refusal:
        lines.append(f"hermes stops: {route.refusal}")
    if route.unknown:
        lines.append(f"unknown: {route.unknown}")
    return lines
