"""Check that a home's next request goes where its bundle says, on the route that Hermes takes.

Three checks: the installed model, the exact base URL, and the custom provider with the installed key and no other route. An
unknown value fails its check.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.endpoint.side_policy import STRICTEST, SidePolicy, installed_policy
from provision.errors import Severity
from provision.fleet.desired import ApiMode
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import UNKNOWN_HERMES, HermesInUse
from provision.hermes.guardrails.effective import policy_hazards
from provision.hermes.routing.destinations import is_of_destination
from provision.hermes.routing.hazards import Expected, Hazard
from provision.hermes.routing.route import Route, resolve_route
from provision.hermes.routing.wire import model_on_wire, request_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.bundle.manifest import Manifest
    from provision.hermes.home import HermesFiles
    from provision.hermes.routing.destination import Destination

STRIPPED = (*facts.HIJACKING_ENV, *facts.MODEL_ENV_ELSEWHERE)
"""Variables that `provision run` removes from a command's environment, because they would change its route."""


@dataclass(frozen=True, slots=True)
class RouteExpectation:
    """One check of the route; the texts hold no secret."""

    ok: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """A home's route compared with its manifest, for one Hermes. `checks` are `model`, `base_url` and `provider`."""

    route: Route
    checks: Mapping[str, RouteExpectation]
    hermes: HermesInUse = UNKNOWN_HERMES
    policy: SidePolicy = STRICTEST

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        return self.route.hazards

    @property
    def leaving(self) -> tuple[Destination, ...]:
        """Destinations that get the key, or content that the team's profile does not let go there."""
        return self.policy.leaving(self.route.destinations)

    @property
    def doubtful(self) -> tuple[Destination, ...]:
        """Destinations that are not known well enough to say so."""
        return self.policy.doubtful(self.route.destinations)

    @property
    def as_expected(self) -> bool:
        """Whether all three checks hold and the route is known."""
        return self.route.refusal is None and self.route.unknown is None and all(c.ok for c in self.checks.values())


def check_route(
    files: HermesFiles,
    manifest: Manifest,
    *,
    environ: Mapping[str, str],
    now: float | None = None,
    hermes: HermesInUse = UNKNOWN_HERMES,
    rendering: bytes | None = None,
) -> RouteCheck:
    """Resolve the route of a home and compare it with the manifest. Pure."""
    mode = ApiMode.CHAT_COMPLETIONS if manifest.api_mode is ApiMode.AUTO else manifest.api_mode
    model = model_on_wire(manifest.model, mode)
    route = resolve_route(
        files,
        environ=environ,
        fingerprint=lambda key: fingerprint(key, manifest.salt),
        hermes_profile=manifest.hermes_profile,
        expected=Expected(
            provider=manifest.provider,
            base_url=manifest.base_url,
            model=model,
            api_mode=manifest.api_mode,
            key_env=manifest.key_env,
            key_fingerprint=manifest.key_fingerprint,
            managed=manifest.managed,
        ),
        now=now,
        hermes=hermes.facts,
    )
    url = request_url(manifest.base_url, mode)[0]
    provider = f"custom:{manifest.provider}"
    named_elsewhere = {"wrong-model", "wrong-mode", "wrong-url"}  # the other two checks report these
    dangers = [h.id for h in route.hazards if h.severity is Severity.ERROR]
    errors = [d for d in dangers if d not in named_elsewhere and not is_of_destination(d)]
    keyed = route.key_fingerprint == manifest.key_fingerprint
    named = route.provider.removeprefix("custom:").lower() == manifest.provider.lower()
    actual = f"{route.provider or 'none'}, key {route.key_fingerprint or 'none'} from {route.key_source}"
    checks = {
        "model": RouteExpectation(route.model == model, model, _actual(route, route.model)),
        "base_url": RouteExpectation(route.url == url, url, _actual(route, route.url)),
        "provider": RouteExpectation(
            named and keyed and not errors,
            f"{provider}, key {manifest.key_fingerprint}",
            actual + (f"; {', '.join(dict.fromkeys(errors))}" if errors else ""),
        ),
    }
    guarded = guardrail_hazards(rendering, route)
    route = dataclasses.replace(route, hazards=(*route.hazards, *guarded))
    return RouteCheck(route, checks, hermes, SidePolicy.of(rendering))


def guardrail_hazards(rendering: bytes | None, route: Route) -> tuple[Hazard, ...]:
    """What of the policy in the installed rendering is not in force. They are no part of the route's own checks."""
    policy = installed_policy(rendering)
    if policy is None:
        return ()
    if route.guardrails is None:
        why = "whether the policy is in force is unknown: the files of the home could not be read"
        return (Hazard("policy-unknown", route.home, why, "make the files readable", Severity.ERROR),)
    return tuple(policy_hazards(policy, route.guardrails, facts.CONFIG_NAME, route.model, route.provider))


def _actual(route: Route, value: str | None) -> str:
    if value is not None:
        return value
    if route.refusal:
        return f"none: Hermes stops: {route.refusal}"
    return f"unknown: {route.unknown}" if route.unknown else "none"


def managed_dir_in_force(environ: Mapping[str, str]) -> Path | None:
    """The managed scope that Hermes reads: `HERMES_MANAGED_DIR` if it is a folder, /etc/hermes if it is unset.

    Hermes has no check of the platform here (`managed_scope.get_managed_dir` of 0.19): on Windows /etc/hermes is a folder of
    the current drive.
    """
    named = environ.get(facts.MANAGED_DIR_ENV, "").strip()
    path = Path(named or facts.MANAGED_DIR)
    return path if path.is_dir() else None


def run_environment(environ: Mapping[str, str], values: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The environment for `provision run`, with `values` added and redirecting variables removed, and the names of those."""
    stripped = tuple(name for name in STRIPPED if name in environ and name != facts.HOME_ENV)
    return {k: v for k, v in environ.items() if k not in stripped} | dict(values), stripped
