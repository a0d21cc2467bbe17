"""What is installed in a home, whether its files are still as installed, and where its next request would go.

Read-only. Without an installation, the route and its hazards are reported, with nothing to compare them with.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.bundle.manifest import CONFIG, SEALED_ENV
from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.endpoint.desktop import with_desktop
from provision.endpoint.halt import NOTE, is_halted
from provision.endpoint.overall import OverallState, overall_state
from provision.endpoint.privileges import as_owner
from provision.endpoint.route_check import RouteCheck, check_route, managed_dir_in_force
from provision.endpoint.side_policy import STRICTEST, SidePolicy
from provision.endpoint.state import InstalledBundle, read_installed
from provision.endpoint.verify import AcceptanceRules, UntrustedSignerError, verified_manifest
from provision.errors import ProvisionError, Severity
from provision.fleet.desired import SecretDelivery
from provision.hermes.config.flat import flat_settings
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import UNKNOWN_HERMES, HermesInUse
from provision.hermes.home import effective_home, home_or_profile_files, read_home
from provision.hermes.routing.route import Route, resolve_route
from provision.signing.sshsig import signature_key
from provision.trust.trust_list import key_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.hermes.facts.release import HermesFacts
    from provision.hermes.home import HomeFiles
    from provision.hermes.routing.destination import Destination
    from provision.hermes.routing.hazards import Hazard
    from provision.signing.allowed_signers import AllowedSigner


_SHOWN = {
    *("workspace", "user", "machine", "profile", "platform", "generation", "created", "expires"),
    *("provider", "base_url", "api_mode", "model", "key_env", "key_fingerprint"),
    *("secret_delivery", "managed", "hermes_profile"),
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between a file and its installed state; `what` holds no value that may be a secret."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class HomeStatus:
    """The state of a home. `check` is None when nothing is installed."""

    home: Path
    installed: InstalledBundle | None
    route: Route
    check: RouteCheck | None
    drift: tuple[Drift, ...]
    hermes: HermesInUse = UNKNOWN_HERMES

    @property
    def state(self) -> OverallState:
        """The overall state: a problem without an installation, or with drift, a failed check or a hazard that is an error."""
        dangers = any(h.severity is Severity.ERROR for h in self.route.hazards)
        known = self.route.unknown is None
        failed = self.check is None or (known and not self.check.as_expected)
        leaving = bool(self.check and self.check.leaving)
        doubt = not known or bool(self.check and self.check.doubtful)
        problem = failed or bool(self.drift) or dangers or leaving
        return overall_state(problem=problem, unknown=doubt, verified=self.hermes.verified)

    @property
    def ok(self) -> bool:
        """Whether the home is in order, as far as known."""
        return self.state.good


def home_status(
    root: Path,
    *,
    signers: Sequence[AllowedSigner],
    environ: Mapping[str, str],
    now: datetime,
    hermes_profile: str | None = None,
    hermes: HermesInUse = UNKNOWN_HERMES,
) -> HomeStatus:
    """The state of the home below `root` (the root home, or its Hermes profile), for this Hermes, started in `environ`.

    For a home with `secret_delivery: run`, `environ` is the environment that `run` would make.
    """
    home = effective_home(root, hermes_profile)
    with as_owner(home):  # root reads another user's home with that user's rights, as it does when it installs
        installed = read_installed(home)
        files = read_home(root, managed_dir=managed_dir_in_force(environ))
    if installed is None:
        route = resolve_route(
            files,
            environ=environ,
            fingerprint=lambda key: fingerprint(key, UNPROVISIONED_SALT),
            hermes_profile=hermes_profile,
            now=now.timestamp(),
            hermes=hermes.facts,
        )
        with as_owner(home):
            return HomeStatus(home, None, with_desktop(route, environ), None, (), hermes)
    manifest = installed.manifest
    check = check_route(
        files,
        manifest,
        environ=environ,
        now=now.timestamp(),
        hermes=hermes,
        rendering=installed.kept.rendering,
    )
    with as_owner(home):
        check = dataclasses.replace(check, route=with_desktop(check.route, environ))
    folder = home_or_profile_files(files, manifest.hermes_profile, home)
    with as_owner(home):
        halted = (Drift(NOTE, "Hermes is halted by an order of IT"),) if is_halted(home) else ()
    drift = (
        *halted,
        *_bundle_drift(installed, signers, now),
        *_file_drift(installed, folder, files.managed, hermes.facts),
    )
    return HomeStatus(home, installed, check.route, check, drift, hermes)


def _bundle_drift(installed: InstalledBundle, signers: Sequence[AllowedSigner], now: datetime) -> Iterator[Drift]:
    """Check the kept files: signature, trust, expiry and digests."""
    kept, manifest = installed.kept, installed.manifest
    folder = ".provision"
    try:
        verified_manifest(kept.manifest or b"", kept.signature or b"", AcceptanceRules(signers, now))
    except UntrustedSignerError as e:
        signer = key_text(signature_key(kept.signature or b""))
        revoked = any(each.revoked is not None and key_text(each.blob) == signer for each in signers)
        yield Drift(f"{folder}/manifest.json", f"installed by a revoked signer: {e.message}" if revoked else e.message)
    except ProvisionError as e:
        yield Drift(f"{folder}/manifest.json", e.message)
    if now >= manifest.expires_at:
        yield Drift(f"{folder}/manifest.json", f"the bundle expired on {manifest.expires}: ask IT for a new one")
    if kept.rendering is None or _sha256(kept.rendering) != manifest.files[CONFIG]:
        yield Drift(f"{folder}/rendering.yaml", "the copy of the last rendering is missing or altered")
    if manifest.secret_delivery is SecretDelivery.RUN and (
        kept.sealed_env is None or _sha256(kept.sealed_env) != manifest.files[SEALED_ENV]
    ):
        yield Drift(f"{folder}/env.age", "the sealed .env is missing or altered: `provision run` cannot open it")


def _sha256(data: bytes) -> str:
    import hashlib  # noqa: PLC0415  only for its one use

    return hashlib.sha256(data).hexdigest()


def _file_drift(
    installed: InstalledBundle, folder: HomeFiles, managed: HomeFiles | None, hermes: HermesFacts
) -> Iterator[Drift]:
    """Check the user's files: they must have the settings of the rendering and the lines that the install set."""
    manifest = installed.manifest
    holder = managed if manifest.managed else folder
    name = facts.CONFIG_NAME if holder is folder or holder is None else holder.where(facts.CONFIG_NAME)
    have = flat_settings((holder.config if holder else None) or b"")
    for path, installed_value in flat_settings(installed.kept.rendering or b"").items():
        if path != facts.VERSION_KEY and have.get(path) != installed_value:
            what = "was changed" if path in have else "is missing"
            yield Drift(name, f"{path} {what} (installed: {installed_value})")
    lines = read_env_raw(folder.env or b"", hermes)
    run = manifest.secret_delivery is SecretDelivery.RUN
    for key, mark in installed.marks.items():
        if run and key == manifest.key_env:
            if key in lines:
                yield Drift(facts.ENV_NAME, f"{key} is set in it, and overrides `provision run`")
            continue
        value = lines.get(key)
        if value is None:
            yield Drift(facts.ENV_NAME, f"{key} is missing")
        elif fingerprint(value, manifest.salt) != mark:
            yield Drift(
                facts.ENV_NAME, f"{key} was changed (now {fingerprint(value, manifest.salt)}, installed {mark})"
            )


def home_status_json(found: HomeStatus) -> dict[str, Any]:
    """The fields of `provision/status/v2`: those of v1, and every destination in `routes`."""
    manifest = found.installed.manifest if found.installed else None
    route = found.route
    checks = found.check.checks if found.check else {}
    policy = found.check.policy if found.check else STRICTEST
    return {
        "home": str(found.home),
        "ok": found.ok,
        "state": found.state.value,
        "hermes_version": found.hermes.version,
        "hermes_verified": found.hermes.verified,
        "as_hermes": found.hermes.statement,
        "installed": manifest.model_dump(mode="json", include=_SHOWN) if manifest else None,
        "route": {
            "url": route.url,
            "path": route.path,
            "model": route.model,
            "api_mode": route.api_mode,
            "provider": route.provider,
            "key_fingerprint": route.key_fingerprint,
            "key_source": route.key_source,
            "refusal": route.refusal,
            "unknown": route.unknown,
        },
        "checks": {n: {"ok": c.ok, "expected": c.expected, "actual": c.actual} for n, c in checks.items()},
        "hazards": [hazard_json(h) for h in route.hazards],
        "routes": [destination_json(d, policy) for d in route.destinations],
        "guardrails": route.guardrails.fields() if route.guardrails else None,
        "drift": [{"file": d.file, "what": d.what} for d in found.drift],
    }


def destination_json(each: Destination, policy: SidePolicy) -> dict[str, Any]:
    """A destination for a JSON document. `allowed`: the team's profile lets it be so."""
    return {
        "kind": each.kind,
        "name": each.name,
        "where": each.where,
        "host": each.host or None,
        "trigger": each.trigger,
        "content": each.content,
        "key_fingerprint": each.key_fingerprint,
        "key_source": each.key_source,
        "verdict": each.verdict.value,
        "allowed": policy.allows(each),
        "why": each.why,
        "cure": each.cure,
    }


def hazard_json(hazard: Hazard) -> dict[str, str]:
    """A hazard for a JSON document."""
    return {"id": hazard.id, "severity": hazard.severity, "where": hazard.where, "why": hazard.why, "cure": hazard.cure}
