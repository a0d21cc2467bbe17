"""The results of `install` and `pull`: what changed on this machine, and which route Hermes uses now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.endpoint.overall import OverallState
from provision.endpoint.status import destination_json, hazard_json
from provision.errors import Severity
from provision.fleet.desired import SecretDelivery
from provision.lazy_regex import lazy_regex
from provision.report.document import document
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from provision.endpoint.install import InstallReport
    from provision.endpoint.processes import RunningHermes
    from provision.feed.obey import Followed
    from provision.feed.pull import PullResult
    from provision.hermes.facts.selection import HermesInUse
    from provision.receipts.receipt import SignedReceipt


_TASK = lazy_regex(r"config\.yaml: auxiliary\.([^.]+)\.provider = (.*)")
_TASK_SETTING = lazy_regex(
    r"config\.yaml: auxiliary\.([^.]+)\.(?:provider|base_url|key_env|api_mode|api_key|fallback_chain)\b"
)
_FEW = 2


def as_table(report: InstallReport, *, dry_run: bool = False, verbose: bool = False) -> str:
    """What an install did, or would do with `dry_run`; then the route, hazards, processes to restart, and the next step.

    What was removed is always listed; `verbose` lists what was set and kept, and notes, too.
    """
    plan, manifest = report.plan, report.manifest
    verb = "would be " if dry_run else ""
    done = "this bundle is installed" if plan.empty else "would install" if dry_run else "installed"
    lines = [f"{done}: {manifest.user} ({manifest.profile}), generation {manifest.generation}, in {report.home}"]
    if report.recovered:
        lines.append("an earlier install was interrupted: it was completed first")
    kept = f"{plural(plan.kept_settings, 'setting')} and {plural(plan.kept_lines, '.env line')} of your own"
    if verbose or dry_run:
        lines += [f"  {verb}set      {item}" for item in _grouped(plan.set_, manifest.provider)]
    elif not plan.empty:
        lines.append(f"  {verb}set      {plural(len(plan.set_), 'setting')} (-v lists them)")
    lines += [f"  {verb}removed  {r.file}: {r.where} ({r.masked}): {r.why}" for r in plan.removed]
    lines += [f"  note     {note}" for note in plan.notes]
    lines.append(f"  kept     {kept}")
    if plan.empty:
        lines.append("nothing would be changed" if dry_run else "nothing to change: this bundle is already installed")
    lines += _route_lines(report, verbose=verbose)
    lines += _restart_lines(report)
    if report.ok and not dry_run:
        start = "provision run -- hermes chat" if manifest.secret_delivery is SecretDelivery.RUN else "hermes chat"
        lines.append(f"you are ready: start Hermes with: {start}")
    return "".join(printable(line) + "\n" for line in lines)


def _grouped(changes: Sequence[str], provider: str) -> Iterator[str]:
    """Yield what was set, with one line for all auxiliary tasks that now use the team's provider. JSON lists each setting."""
    tasks = {m[1]: m[2] for item in changes if (m := _TASK.fullmatch(item))}
    ours = {task for task, value in tasks.items() if value.strip("'\"") == f"custom:{provider}"}
    if len(ours) < _FEW:
        yield from changes
        return
    yield f"config.yaml: {len(ours)} auxiliary tasks now use the team's provider (custom:{provider})"
    for item in changes:
        setting = _TASK_SETTING.match(item)
        if not (setting and setting[1] in ours):
            yield item


def as_json(report: InstallReport, signed: SignedReceipt | None) -> str:
    """The document `provision/install/v1`."""
    plan, route = report.plan, report.check.route
    return document(
        "install/v1",
        ok=report.ok,
        state=report.state.value,
        hermes_version=report.check.hermes.version,
        hermes_verified=report.check.hermes.verified,
        as_hermes=report.check.hermes.statement,
        changed=not plan.empty,
        user=report.manifest.user,
        generation=report.manifest.generation,
        home=str(report.home),
        set=list(plan.set_),
        removed=[{"file": r.file, "where": r.where, "why": r.why, "was": r.masked} for r in plan.removed],
        kept={"settings": plan.kept_settings, "env_lines": plan.kept_lines},
        notes=list(plan.notes),
        route={
            "url": route.url,
            "model": route.model,
            "api_mode": route.api_mode,
            "key_fingerprint": route.key_fingerprint,
        },
        checks={n: {"ok": c.ok, "expected": c.expected, "actual": c.actual} for n, c in report.check.checks.items()},
        hazards=[hazard_json(h) for h in report.check.hazards],
        routes=[destination_json(d, report.check.policy) for d in route.destinations],
        restart=_running(report),
        receipt=signed.data.decode() if signed else None,
    )


def state_line(state: OverallState, hermes: HermesInUse) -> str:
    """The overall state, and for which Hermes it was found."""
    word = "ok as far as known" if state is OverallState.OK_UNVERIFIED else state.value
    return f"{word}: {hermes.statement}"


def pull_as_table(pulled: PullResult, now: datetime, *, dry_run: bool = False, verbose: bool = False) -> str:
    """What was done for an order; what a pull installed, or why not, or that the installed generation is the newest one."""
    order = pulled.order
    text = "".join(printable(line) + "\n" for line in (order.done, order.note) if line)
    if pulled.report is not None:
        return text + as_table(pulled.report, dry_run=dry_run, verbose=verbose)
    if order.keeps_bundles_away(now):
        return order_as_table(order, now)
    entry = pulled.state.entry
    generation = entry.generation if entry else "?"
    return text + f"nothing new: generation {generation} is installed in {pulled.state.home}\n"


def order_as_table(order: Followed, now: datetime, _signed: SignedReceipt | None = None) -> str:
    """What was done for an order that keeps bundles away, and until when."""
    lines = [line for line in (order.done, order.note) if line]
    if (last := order.last) is not None and order.keeps_bundles_away(now):
        until = f" until {last.expires}" if last.kind == "halt" else ""
        lines.append(f"nothing is installed{until}: IT gave the order to {last.kind}: {last.reason}")
    return "".join(printable(line) + "\n" for line in lines)


def order_as_json(order: Followed, _now: datetime, signed: SignedReceipt | None) -> str:
    """The document `provision/obeyed/v1`: in the place of `provision/install/v1` while an order keeps bundles away."""
    return document(
        "obeyed/v1",
        changed=bool(order.done),
        order=_order_json(order),
        receipt=signed.data.decode() if signed else None,
    )


def pull_as_json(pulled: PullResult, signed: SignedReceipt | None, *, dry_run: bool = False) -> str:
    """The document `provision/pull/v1`."""
    report, entry = pulled.report, pulled.state.entry
    return document(
        "pull/v1",
        ok=report.ok if report else True,
        installed=report is not None and not dry_run,
        dry_run=dry_run,
        not_modified=pulled.not_modified,
        user=report.manifest.user if report else signed.receipt.user if signed else None,
        generation=entry.generation if entry else None,
        home=pulled.state.home,
        feed_version=pulled.state.version,
        feed_expires=pulled.state.expires_at.isoformat(),
        order=_order_json(pulled.order),
        receipt=signed.data.decode() if signed else None,
    )


def _order_json(order: Followed) -> dict[str, Any] | None:
    """The last order that this machine obeyed, and what happened now; None without any."""
    last = order.last
    known = {"kind": last.kind, "count": last.count, "reason": last.reason, "expires": last.expires} if last else {}
    if not known and not order.note:
        return None
    return {**known, "done": order.done or None, "not_obeyed": order.note or None}


def restart_lines(running: Sequence[RunningHermes], since: float | None, *, settings_changed: bool) -> list[str]:
    """The processes to restart: those that may hold an older key, and all of them when `settings_changed`.

    `since` is the time at which the current key was installed, in Unix seconds; None when it is unknown.
    """
    lines = []
    for process in running:
        old = process.holds_older_than(since) if since is not None else None
        if old:
            why = "it started before the current key was installed and holds the previous one"
        elif settings_changed:
            why = "it may still have the old settings"
        elif old is None:
            why = "it may still hold the previous key"
        else:
            continue
        lines.append(f"restart {process.what} (pid {process.pid}): {why}")
    return lines


def _route_lines(report: InstallReport, *, verbose: bool) -> list[str]:
    """The route and what is wrong with it. Notes are for IT: a proxy or certificates of the shell."""
    route, check = report.check.route, report.check
    lines = [f"route: {route.url or 'none'}, model {route.model or 'none'}, key {route.key_fingerprint or 'none'}"]
    for name, item in check.checks.items():
        if not item.ok:
            lines.append(f"WRONG {name}: expected {item.expected}; is {item.actual}")
    shown = [h for h in check.hazards if verbose or h.severity is not Severity.NOTE]
    lines += [f"{h.severity} [{h.id}] {h.where}: {h.why}; {h.cure}" for h in shown]
    if not report.ok:
        lines.append("ATTENTION: Hermes would NOT use the route that this bundle sets up; see above")
    lines.append(state_line(report.state, check.hermes))
    return lines


def _restart_lines(report: InstallReport) -> list[str]:
    if report.running is None:
        return [] if report.plan.empty else ["cannot tell whether Hermes is running here: restart it if it is"]
    return restart_lines(report.running, report.key_since, settings_changed=not report.plan.empty)


def _running(report: InstallReport) -> list[dict[str, Any]] | None:
    if report.running is None:
        return None
    since = report.key_since
    return [
        {"pid": p.pid, "what": p.what, "holds_old_key": None if since is None else p.holds_older_than(since)}
        for p in report.running
    ]
