"""Parse the lines of our Ansible callback into outcomes. Other lines of Ansible are ignored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.endpoint.overall import OverallState
from provision.push.causes import explain_failure, reported_failure
from provision.push.outcomes import Failed, Halted, Installed, PushOutcome, Unchanged, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.push.inventory import Target

MAX_LINE_BYTES = 4 << 20
_MAX_RECEIPT_CHARS = 80 << 10
_MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Started:
    """A machine has started. Here and in outcomes, `user` is the machine's label: `ada`, or `ada/laptop`."""

    user: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A machine was skipped, because too many others failed."""

    user: str


PushEvent = Started | Skipped | PushOutcome


def read_event(line: bytes, targets: Mapping[str, Target]) -> PushEvent | None:
    """Parse a line about one of the targets; None for other lines. Never raises, whatever a machine sends."""
    if not line.startswith(b"{") or len(line) > MAX_LINE_BYTES:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    target = targets.get(str(event.get("host"))) if isinstance(event, dict) else None
    if target is None:
        return None
    if event.get("event") == "start":
        return Started(target.label)
    if event.get("event") != "result":
        return None
    return _outcome(event, target)


def _outcome(event: dict[str, Any], target: Target) -> Skipped | PushOutcome | None:
    outcome = event.get("outcome")
    if outcome == "skipped" and event.get("ours"):
        return Skipped(target.label)
    if outcome == "ok" and event.get("ours"):
        return _halted(event, target) or _deployed(event, target)
    if outcome not in ("failed", "unreachable"):  # a set would need to hash whatever was sent
        return None
    text = _text(event.get("message"))
    if outcome == "failed" and isinstance(event.get("cause"), str):
        cause, message, cure = reported_failure(
            event["cause"], text.split("\n", 1)[0], _text(event.get("cure")), target.user
        )
    else:
        cause, message, cure = explain_failure(text, unreachable=outcome == "unreachable")
    kind = Unreachable if outcome == "unreachable" or cause in {"link-lost", "no-link", "no-sshd"} else Failed
    return kind(target.label, target.address, cause, message, cure)


def _halted(event: dict[str, Any], target: Target) -> Halted | None:
    order = event.get("order")
    if not isinstance(order, dict):
        return None
    until, reason = _text(order.get("expires")), _text(order.get("reason"))
    return Halted(target.label, target.address, until, reason, bool(event.get("changed")), _receipt(event))


def _deployed(event: dict[str, Any], target: Target) -> PushOutcome | None:
    route = event.get("route")
    if not isinstance(route, dict) or not isinstance(event.get("generation"), int):
        return None
    kind = Installed if event.get("changed") else Unchanged
    return kind(
        user=target.label,
        host=target.address,
        generation=event["generation"],
        key_fingerprint=_text(route.get("key_fingerprint")),
        url=_text(route.get("url")),
        hazards=tuple(_text(h.get("id")) for h in _dicts(event.get("hazards"))),
        restart=tuple(f"{_text(p.get('what'))} (pid {_number(p.get('pid'))})" for p in _dicts(event.get("restart"))),
        receipt=_receipt(event),
        unverified=event.get("state") == OverallState.OK_UNVERIFIED,
    )


def _receipt(event: dict[str, Any]) -> str | None:
    receipt = event.get("receipt")
    return receipt if isinstance(receipt, str) and 0 < len(receipt) <= _MAX_RECEIPT_CHARS else None


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)][:_MAX_LISTED] if isinstance(value, list) else []


def _number(value: object) -> str:
    return str(value) if isinstance(value, int) and abs(value) < 1 << 32 else "?"


def _text(value: object) -> str:
    return value[:2000] if isinstance(value, str) else ""
