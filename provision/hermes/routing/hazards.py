"""What makes, or could make, a Hermes home send requests or keys elsewhere than meant; and the order they are looked for in.

A hazard is a value with a stable id. ERROR means that the route is wrong now or that a key leaves for another address;
WARNING that it is one step away from that (another command of Hermes, a failed request, a user's keystroke); NOTE that an
operator may want to know. The checks stand in `environment_hazards`, `config_hazards` and `side_hazards`; each looks at one
subject. None of them puts a value of the files into its text.
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
    """One danger to the route: `id` is stable, `where` names file and line or setting, `cure` what to do about it."""

    id: str
    where: str
    why: str
    cure: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Expected:
    """What the route ought to be; `base_url` as Hermes is given it, `key_fingerprint` None when not known.

    `managed`: whether it was installed in the managed scope, or in the home.
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
    """Everything a check may look at. `runtime` is None when Hermes stops or goes elsewhere; `requested` is normalised.

    `managed` is the managed scope that applies, which may be none although `files` has one.
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
    """The endpoint's URL: as resolved, else as expected, else empty."""
    key: str = field(default="", repr=False)
    """The key as it would be sent; empty when there is none."""


def error(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.ERROR)


def warning(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.WARNING)


def note(id_: str, where: str, why: str, cure: str) -> Hazard:
    return Hazard(id_, where, why, cure, Severity.NOTE)
