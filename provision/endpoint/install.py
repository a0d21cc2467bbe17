"""Install a bundle: verify it, open it, update the Hermes home, and check where requests go now.

The steps are in other modules: `fetch`, `verify`, `plan`, `apply`, `route_check`. This one defines their order: nothing is
decrypted before the bundle is verified against what is installed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provision.bundle.manifest import PAGE
from provision.endpoint.apply import USER_FILES, linked_files, modes_of
from provision.endpoint.desktop import with_desktop
from provision.endpoint.machine_hermes import hermes_on_machine
from provision.endpoint.overall import OverallState, overall_state
from provision.endpoint.plan import PRIVATE, HomeBefore, InstallPlan, plan_install
from provision.endpoint.privileges import as_owner
from provision.endpoint.processes import RunningHermes, running_hermes
from provision.endpoint.route_check import RouteCheck, check_route, managed_dir_in_force, run_environment
from provision.endpoint.state import FOLDER, InstalledBundle, kept_paths, key_in_place_since, read_installed
from provision.endpoint.verify import (
    AcceptanceRules,
    OpenedBundle,
    OtherUserError,
    env_values,
    open_bundle,
    verify_bundle,
)
from provision.errors import Severity
from provision.fleet.desired import SecretDelivery
from provision.hermes.facts import names as facts
from provision.hermes.home import (
    default_home,
    effective_home,
    expand_home,
    given_home,
    home_or_profile_files,
    read_home,
)
from provision.hermes.rendering.welcome_page import contact_in
from provision.keys.age import NoIdentityError, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from provision.bundle.manifest import Manifest
    from provision.endpoint.apply import HomeWriter
    from provision.endpoint.trust_store import TrustInForce
    from provision.fleet.desired import Platform
    from provision.hermes.home import HermesFiles, HomeFiles
    from provision.keys.age import Identity
    from provision.signing.allowed_signers import AllowedSigner


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """The options of an install. `home` None means the bundle's, else the platform's default."""

    signers: Sequence[AllowedSigner]
    identities: Sequence[Identity] = field(repr=False)
    platform: Platform
    home: Path | None = None
    user: str | None = None
    managed_dir: Path | None = None
    force: TrustInForce | None = None
    """The machine's trust list, whose signers `signers` are; None without one."""


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What an install changed, or would change, and where requests go afterwards."""

    manifest: Manifest
    home: Path
    plan: InstallPlan
    check: RouteCheck
    recovered: bool
    running: tuple[RunningHermes, ...] | None
    key_since: float | None = None
    """When the installed key was written (Unix time): older processes hold another key."""
    managed_dir: Path | None = None
    contact: str = ""
    """Where IT is reached, as the bundle's page says."""

    @property
    def state(self) -> OverallState:
        """The overall state of the route: a problem if the next request goes elsewhere, or with a hazard that is an error."""
        dangers = any(h.severity is Severity.ERROR for h in self.check.hazards)
        known = self.check.route.unknown is None
        problem = dangers or (known and not self.check.as_expected) or bool(self.check.leaving)
        doubt = not known or bool(self.check.doubtful)
        return overall_state(problem=problem, unknown=doubt, verified=self.check.hermes.verified)

    @property
    def ok(self) -> bool:
        """Whether the next request goes where the bundle says, as far as known."""
        return self.state.good


def install_bundle(
    files: Mapping[str, bytes],
    request: InstallRequest,
    writer: HomeWriter,
    *,
    environ: Mapping[str, str],
    now: datetime,
) -> InstallReport:
    """Install a fetched bundle. Raises the errors of `verify` and `plan`, LockedError and FileProblemError.

    After an error the home is unchanged, or the next run completes the change.
    """
    force, policy = request.force, rules_for(request, now)
    manifest = verify_bundle(files, policy).manifest
    root = home_root(request.home, manifest, request.platform, environ)
    home = effective_home(root, manifest.hermes_profile)
    managed_dir = (request.managed_dir or Path(facts.MANAGED_DIR)) if manifest.managed else None
    scope = managed_dir or managed_dir_in_force(environ)
    with writer.opened(home) as recovered:
        installed = read_installed(home)
        verified = verify_bundle(
            files,
            dataclasses.replace(
                policy,
                installed=installed.manifest if installed else None,
                forget_generation=force is not None
                and installed is not None
                and force.forgets(installed.kept.signature, now),
            ),
        )
        opened = open_bundle(verified, lambda sealed: _unseal(sealed, request.identities, verified.manifest))
        before = read_home(root, managed_dir=scope)
        plan = plan_install(
            opened, _before(before, home, manifest, installed), stamp=f"{now:%Y%m%dT%H%M%SZ}-{manifest.generation}"
        )
        writer.apply(home, plan.home)
        writer.reset_conversations(home, plan.conversations)
    if managed_dir is not None and plan.managed:
        writer.apply_managed(managed_dir, plan.managed)
    with as_owner(home):
        after = writer.after(before, plan, manifest.hermes_profile) or read_home(root, managed_dir=scope)
        key_since = key_in_place_since(home)
    seen = _seen_by_hermes(environ, opened, managed_dir)
    check = check_route(
        after,
        manifest,
        environ=seen,
        now=now.timestamp(),
        hermes=hermes_on_machine(home, environ),
        rendering=opened.verified.config,
    )
    with as_owner(home):
        check = dataclasses.replace(check, route=with_desktop(check.route, seen))
    return InstallReport(
        manifest=manifest,
        home=home,
        plan=plan,
        check=check,
        recovered=recovered,
        running=running_hermes(home),
        key_since=key_since,
        managed_dir=managed_dir,
        contact=contact_in(verified.files.get(PAGE, b"")),
    )


def rules_for(request: InstallRequest, now: datetime) -> AcceptanceRules:
    """What a bundle must fulfil before anything is known of the home."""
    own = [identity.recipient for identity in request.identities]
    only = request.force.workspace_id if request.force else None
    return AcceptanceRules(request.signers, now, request.user, None, own if all(own) else (), only)


def home_root(chosen: Path | None, manifest: Manifest, platform: Platform, environ: Mapping[str, str]) -> Path:
    """The root of the Hermes home: as chosen, else as the bundle says, else the platform's default."""
    if chosen is not None:
        return given_home(chosen, platform, environ)
    if manifest.hermes_home is None:
        return Path(default_home(platform, environ)).absolute()
    return expand_home(manifest.hermes_home, platform, environ).absolute()


def _before(files: HermesFiles, home: Path, manifest: Manifest, installed: InstalledBundle | None) -> HomeBefore:
    modes = modes_of(home)
    loose = modes.get(facts.ENV_NAME, PRIVATE) & ~PRIVATE
    return HomeBefore(
        files=home_or_profile_files(files, manifest.hermes_profile, home),
        managed=files.managed if manifest.managed else None,
        installed=installed,
        names=kept_paths(home),
        profiles=_profiles_of(files, home, manifest),
        linked=linked_files(home),
        loose=frozenset({facts.ENV_NAME} if loose else ()),
        modes=modes,
    )


def _profiles_of(files: HermesFiles, home: Path, manifest: Manifest) -> dict[str, HomeFiles]:
    """The Hermes profiles in which copies of a replaced key are updated; none for a bundle that is for a profile.

    Without those that have an installation of their own, are behind a symbolic link, or are unreadable.
    """
    if manifest.hermes_profile not in (None, "default"):
        return {}
    folder = home / facts.PROFILES_FOLDER
    return {
        name: profile
        for name, profile in files.profiles.items()
        if not profile.unreadable
        and not (folder / name / FOLDER).exists()
        and not any((folder / name / part).is_symlink() for part in ("", *USER_FILES))
        and not folder.is_symlink()
    }


def _unseal(sealed: bytes, identities: Sequence[Identity], manifest: Manifest) -> bytes:
    try:
        return unseal(sealed, identities)
    except NoIdentityError as e:
        raise OtherUserError(
            f"the bundle is sealed for another machine of {manifest.user!r}: no identity here opens it",
            hint="send IT the output of `provision enroll` on this machine, or use --identity FILE",
        ) from e


def _seen_by_hermes(environ: Mapping[str, str], opened: OpenedBundle, managed_dir: Path | None) -> dict[str, str]:
    """The environment in which Hermes is started: that of `provision run`, if the key is delivered that way."""
    seen = dict(environ)
    if opened.manifest.secret_delivery is SecretDelivery.RUN:
        seen = run_environment(environ, env_values(opened.env))[0]
    if managed_dir is not None and str(managed_dir) != facts.MANAGED_DIR:
        seen[facts.MANAGED_DIR_ENV] = str(managed_dir)
    return seen
