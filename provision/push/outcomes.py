"""The outcome of a deployment for one user: a closed union of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Deployed:
    """The bundle is installed. `restart` lists processes that still use the old settings."""

    user: str
    host: str
    generation: int
    key_fingerprint: str
    url: str
    hazards: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    receipt: str | None = None
    unverified: bool = False
    """Whether the machine's Hermes was not verified: the route is right as far as known."""


@dataclass(frozen=True, slots=True)
class Installed(Deployed):
    """The bundle was installed by this run; with --check it would be, see `checked_name`."""


@dataclass(frozen=True, slots=True)
class Unchanged(Deployed):
    """The bundle was installed before, and Hermes uses it."""


@dataclass(frozen=True, slots=True)
class Halted:
    """IT has halted this machine: it obeyed the order, and no bundle is installed until then."""

    user: str
    host: str
    until: str
    reason: str
    changed: bool
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The machine was reached, but the installation failed or is not proved. `cause` is a stable word of
    docs/deploy.md."""

    user: str
    host: str
    cause: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The machine was not reached or the connection was lost; its state is unknown, and running again is safe."""

    user: str
    host: str
    cause: str
    message: str
    cure: str


PushOutcome = Installed | Unchanged | Halted | Failed | Unreachable


def outcome_name(outcome: PushOutcome) -> str:
    """Return the outcome's name in tables, journals and JSON."""
    return type(outcome).__name__.lower()


def checked_name(outcome: PushOutcome) -> str:
    """Return the outcome's name in the words of --check, which changes nothing."""
    if isinstance(outcome, Halted) and outcome.changed:
        return "would halt"
    return "would install" if isinstance(outcome, Installed) else outcome_name(outcome)


def as_json(outcome: PushOutcome, name: Callable[[PushOutcome], str] = outcome_name) -> dict[str, Any]:
    """Return the outcome as a member of `provision/deploy/v1`; `name` is that of the outcome."""
    user, _, machine = outcome.user.partition("/")
    named = {"machine": machine} if machine else {}
    found: dict[str, Any] = {"user": user, **named, "host": outcome.host, "outcome": name(outcome)}
    if isinstance(outcome, Deployed):
        return found | {
            "generation": outcome.generation,
            "key_fingerprint": outcome.key_fingerprint,
            "url": outcome.url,
            "hazards": list(outcome.hazards),
            "restart": list(outcome.restart),
            "receipt": outcome.receipt is not None,
            "unverified": outcome.unverified,
        }
    if isinstance(outcome, Halted):
        return found | {"until": outcome.until, "reason": outcome.reason, "receipt": outcome.receipt is not None}
    return found | {"cause": outcome.cause, "message": outcome.message, "cure": outcome.cure}
