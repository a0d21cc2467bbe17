"""Hazards: what makes, or could make, a Hermes home send requests or keys to the wrong place.

A hazard has a stable id. ERROR: the route is wrong now, or a key is sent to another host. WARNING: one step is missing for
that (another Hermes command, a failed request, a user's input). NOTE: information for the operator. The checks are in
`environment_hazards`, `config_hazards` and `side_hazards`, one subject each. No text contains values from the files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import Severity

if TYPE_CHECKING:
    from provision.hermes.home import HermesFiles, HomeFiles
    from provision.hermes.routing.environment import Environment
    from provision.hermes.routing.layers import Layers
    from provision.hermes.routing.runtime import ResolvedEndpoint, ResolverInput


@dataclass(frozen=True, slots=True)
class Hazard:
    """One danger to the route. `id` is stable, `where` is file and line or setting, `cure` is the remediation."""

    id: str
    where: str
    why: str
    cure: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Expected:
    """The provisioned route. `base_url` is in the form for Hermes. `key_fingerprint` is None if unknown.

    `managed`: installed in the managed scope, not in the home.
    """

    provider: str
    base_url: str
    model: str
    api_mode: str
    key_env: str
    key_fingerprint: str | None = None
    managed: bool = False


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The input of the hazard checks. `runtime` is None if Hermes stops or the route is not modelled. `requested` is normalized.

    `managed` is the managed scope that applies. It may be None although `files` has one.
    """

    files: HermesFiles
    home: HomeFiles
    environment: Environment
    managed: HomeFiles | None
    layers: Layers
    asked: ResolverInput
    requested: str
    runtime: ResolvedEndpoint | None
    expected: Expected | None
    base_url: str = field(default="", repr=False)
    """The endpoint's URL as resolved, else empty."""
    key: str = field(default="", repr=False)
    """The key as sent, or empty."""


def error(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.ERROR)


def warning(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.WARNING)


def note(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.NOTE)
