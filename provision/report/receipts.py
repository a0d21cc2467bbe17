"""Receipts of endpoints: what an import did, which receipts are stored, and which endpoints are current."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.fleet.desired import machine_label
from provision.receipts.fleet import NO_LIST
from provision.receipts.receipt import UNKNOWN_TO_IT
from provision.report.attention import AttentionCause, counted
from provision.report.document import document
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence

    from provision.receipts.fleet import EndpointStanding, StandingCounts
    from provision.receipts.receipt import Receipt
    from provision.receipts.store import ImportedReceipt
    from provision.report.attention import Attention

_NAMED = 10
_ROUTES = {"yes": "as expected", "no": "WRONG", "unknown": "unknown"}


def import_as_table(imported: Sequence[ImportedReceipt], counts: Counter[str]) -> str:
    """The receipts given, then the counts of all receipts."""
    rows = [
        (d.endpoint or d.user or "?", d.result.value, d.receipt.generation if d.receipt else "", d.source)
        for d in imported
    ]
    summary = ", ".join(f"{counts[result]} {result}" for result in sorted(counts))
    return (table(("USER", "RESULT", "GENERATION", "FROM"), rows) if rows else "") + summary + "\n"


def import_as_json(imported: Iterable[ImportedReceipt], counts: Counter[str]) -> str:
    """The document `provision/receipts-import/v1`."""
    receipts = [_imported(each) for each in imported]
    return document("receipts-import/v1", summary=dict(sorted(counts.items())), receipts=receipts)


def _imported(done: ImportedReceipt) -> dict[str, Any]:
    more = {"message": done.message, "hint": done.hint} if done.message else {}
    return {
        "source": done.source,
        "user": done.user or None,
        **_machine(done.endpoint.partition("/")[2]),
        "result": done.result.value,
        "generation": done.receipt.generation if done.receipt else None,
        "made": done.receipt.made if done.receipt else None,
        **more,
    }


def _machine(name: str | None) -> dict[str, Any]:
    """The member `machine`, for a machine that has a name."""
    return {"machine": name} if name else {}


def stored_row(receipt: Receipt, machine: str | None = None) -> dict[str, Any]:
    """One verified receipt as a member of `provision/receipts/v1`."""
    return {
        "user": receipt.user,
        **_machine(machine),
        "generation": receipt.generation,
        "bundle": receipt.bundle,
        "key_fingerprint": receipt.key_fingerprint,
        "made": receipt.made,
        "counter": receipt.counter,
        "host": receipt.host,
        "route": _ROUTES[receipt.route.as_expected],
        "hermes_version": receipt.hermes_version,
        "hermes_verified": receipt.hermes_verified,
        "trust": receipt.trust,
        "provision_version": receipt.provision_version,
    }


def refused_row(user: str, reason: str, machine: str | None = None) -> dict[str, Any]:
    """A stored receipt that fails verification, as a member of `provision/receipts/v1`."""
    return {"user": user, **_machine(machine), "error": f"not believed: {reason}"}


def stored_as_table(rows: Iterable[dict[str, Any]]) -> str:
    """Stored receipts; those that fail verification have only a remark."""
    columns = ("generation", "made", "host", "route", "error")
    cells = [[machine_label(row["user"], row.get("machine")), *(row.get(name, "") for name in columns)] for row in rows]
    return table(("USER", "GENERATION", "MADE", "HOST", "ROUTE", "REMARK"), cells)


def stored_as_json(rows: Sequence[dict[str, Any]]) -> str:
    """The document `provision/receipts/v1`."""
    return document("receipts/v1", receipts=list(rows))


def fleet_as_table(
    endpoints: Iterable[EndpointStanding], tally: StandingCounts, others: Sequence[Attention] = ()
) -> Iterator[str]:
    """The endpoints that are not current, `others` that need attention, then the counts. Current endpoints would bury them."""
    first = True
    for endpoint in map(tally.add, endpoints):
        if endpoint.current:
            continue
        if first:
            yield f"{'USER':<20}  {'SINCE':<20}  STANDING\n"
            first = False
        since = endpoint.receipt.made if endpoint.receipt else "-"
        words = ", ".join(endpoint.standings)
        remark = f": {endpoint.remark}" if endpoint.remark else ""
        yield printable(f"{endpoint.label:<20}  {since:<20}  {words}{remark}") + "\n"
    for cause in AttentionCause:
        who = list(dict.fromkeys(a.user or a.detail for a in others if a.cause is cause))
        if who:
            more = f" and {len(who) - _NAMED:,} more" if len(who) > _NAMED else ""
            yield printable(f"{cause}: {', '.join(who[:_NAMED])}{more}") + "\n"
    counts = tally.by_name()
    total, current, unverified = counts.pop("users"), counts.pop("current"), counts.pop("unverified", 0)
    if tally.versions:
        each = ", ".join(f"{version} on {count:,}" for version, count in tally.versions.items())
        yield printable(f"Hermes: {each}") + "\n"
    if tally.lists:
        yield _lists(tally) + "\n"
    if tally.guardrails:
        rules = (f"{name} on {plural(count, 'machine')}" for name, count in sorted(tally.guardrails.items()))
        yield f"guardrails not in force: {', '.join(rules)}\n"
    for named, count in tally.unknown_to_it.most_common(_NAMED):
        what, _, names = named.partition(UNKNOWN_TO_IT)
        yield printable(f"{what}{UNKNOWN_TO_IT.rstrip(': ')} at {plural(count, 'machine')}: {names}") + "\n"
    if (rest_count := len(tally.unknown_to_it) - _NAMED) > 0:
        yield f"… and {rest_count:,} more that are unknown to IT: --format json lists them\n"
    rest = "".join(f", {count} {name}" for name, count in counts.items())
    beside = ", ".join(f"{count:,} {cause}" for cause, count in counted(others).items())
    as_known = f" ({unverified:,} of them unverified: ok as far as known)" if unverified else ""
    yield f"{current:,} of {plural(total, tally.noun)} current{as_known}{rest}{'; also ' + beside if beside else ''}\n"


def _lists(tally: StandingCounts) -> str:
    """Which machines have the newest trust list, and how many are still on which older one."""
    have = dict(tally.lists)
    parts = [f"{plural(have.pop(tally.newest_list or '', 0), 'machine')} on list {tally.newest_list}"]
    parts += [
        f"{plural(count, 'machine')} {'without a list' if number == NO_LIST else f'still on list {number}'}"
        for number, count in have.items()
    ]
    return f"trust: {', '.join(parts)}"


def fleet_as_json(
    endpoints: Iterable[EndpointStanding], tally: StandingCounts, others: Sequence[Attention] = ()
) -> Iterator[str]:
    """The document `provision/fleet-status/v1`, one user at a time."""
    yield '{\n  "schema": "provision/fleet-status/v1",\n  "users": ['
    separator = "\n    "
    for endpoint in map(tally.add, endpoints):
        yield separator + json.dumps(_endpoint(endpoint), ensure_ascii=False)
        separator = ",\n    "
    listed = [{"cause": a.cause.value, "user": a.user or None, "detail": a.detail} for a in others]
    yield '\n  ],\n  "others": ' + json.dumps(listed, ensure_ascii=False)
    yield ',\n  "hermes_versions": ' + json.dumps(tally.versions)
    yield ',\n  "guardrails": ' + json.dumps(dict(sorted(tally.guardrails.items())))
    yield ',\n  "unknown_to_it": ' + json.dumps(dict(sorted(tally.unknown_to_it.items())))
    yield ',\n  "trust_list": ' + json.dumps(tally.newest_list)
    yield ',\n  "trust_lists": ' + json.dumps(tally.lists)
    yield ',\n  "summary": ' + json.dumps(tally.by_name()) + "\n}\n"


def _endpoint(endpoint: EndpointStanding) -> dict[str, Any]:
    receipt, released = endpoint.receipt, endpoint.released
    return {
        "user": endpoint.user,
        **_machine(endpoint.machine),
        "profile": endpoint.profile,
        "current": endpoint.current,
        "standings": list(endpoint.standings),
        "remark": endpoint.remark,
        "released_generation": released.generation if released else None,
        "installed_generation": receipt.generation if receipt else None,
        "key_fingerprint": receipt.key_fingerprint if receipt else None,
        "heard": receipt.made if receipt else None,
        "host": receipt.host if receipt else None,
        "hermes_version": receipt.hermes_version if receipt else None,
        "hermes_verified": receipt.hermes_verified if receipt else None,
        "trust": receipt.trust if receipt else None,
        "provision_version": receipt.provision_version if receipt else None,
    }
