"""What the endpoint commands share: options, this machine's folder and keys, trusted signers, and the chosen home."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.endpoint.identity import EndpointFolder
    from provision.endpoint.trust_store import TrustInForce
    from provision.fleet.desired import Platform
    from provision.keys.age import Identity
    from provision.signing.allowed_signers import AllowedSigner


class TooOldError(ProvisionError):
    """This provision is older than --requires asks for."""


HomeOption = Annotated[
    Path | None,
    typer.Option("--home", readable=False, help="Hermes home. Default: $HERMES_HOME, else the platform's."),
]
HermesProfileOption = Annotated[
    str | None, typer.Option("--hermes-profile", help="Hermes profile inside the home. Default: the home itself.")
]
SignersOption = Annotated[
    Path | None, typer.Option("--allowed-signers", help="Trust the signers in this file instead of the enrolled ones.")
]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", help="Decrypt with this age identity or SSH key, not the enrolled one.")
]
UserOption = Annotated[str | None, typer.Option("--user", help="Accept only this user's bundle.")]
ManagedDirOption = Annotated[
    Path | None, typer.Option("--managed-dir", help="Folder of Hermes' managed scope. Default: /etc/hermes.")
]


def this_platform(name: str = sys.platform) -> Platform:
    """The platform for a `sys.platform`; all but Windows and macOS count as Linux."""
    from provision.fleet.desired import Platform

    if name in {"win32", "cygwin"}:
        return Platform.WINDOWS
    return Platform.MACOS if name == "darwin" else Platform.LINUX


def endpoint_folder() -> EndpointFolder:
    """This user's folder of identities and trusted signers."""
    from provision.endpoint.identity import EndpointFolder
    from provision.fleet.config_folder import config_dir

    return EndpointFolder(config_dir(os.environ))


def trusted_signers(chosen: Path | None) -> Sequence[AllowedSigner]:
    """The signers that this machine trusts, or those in the file `chosen`. Raises as `machine_trust`."""
    return machine_trust(chosen).signers


def machine_trust(chosen: Path | None) -> TrustInForce:
    """Whose signatures count here: by the machine's trust list, else by the file `chosen` or the enrolled signers.

    Raises UsageError if `chosen` is missing, TrustOverrideError if it is given on a machine that has a trust list.
    """
    from provision.endpoint.trust_store import trust_in_force

    require_signers_file(chosen)
    return trust_in_force(endpoint_folder(), chosen)


def trust_beside(bundle: str, chosen: Path | None, now: datetime, *, keep: bool) -> TrustInForce:
    """Whose signatures count for a bundle, after the walk over the trust lists beside it. Raises ExpiredListError too.

    `keep` False writes nothing.
    """
    from provision.endpoint.fetch import fetch_chain
    from provision.endpoint.trust_store import update_trust
    from provision.trust.files import TAR_NAME, tar_source

    require_signers_file(chosen)
    source = fetch_chain(bundle) if "://" in bundle else tar_source(Path(bundle).absolute().parent / TAR_NAME)
    force = (
        machine_trust(chosen)
        if source is None
        else update_trust(endpoint_folder(), source, now, chosen=chosen, keep=keep)
    )
    force.require_current(now)
    return force


def require_signers_file(chosen: Path | None) -> None:
    """Raise UsageError if the file of `--allowed-signers` is missing."""
    from provision.errors import UsageError

    if chosen is not None and not chosen.is_file():
        raise UsageError(f"file not found: {chosen}", hint="--allowed-signers takes a file in ssh-keygen's format")


def own_identities(chosen: Path | None) -> Sequence[Identity]:
    """Load the private keys that open this endpoint's bundles."""
    from provision.endpoint.identity import load_own_identities

    return load_own_identities(chosen or endpoint_folder().identity)


def chosen_home(home: Path | None, hermes_profile: str | None) -> tuple[Path, str | None]:
    """The root home, and the Hermes profile in it.

    Without a named profile it is the home itself, unless provision set up exactly one profile inside it and not the home.
    """
    from provision.hermes.home import HomePaths, default_home, given_home

    root = given_home(home or Path(default_home(this_platform(), os.environ)), this_platform(), os.environ)
    if hermes_profile is not None or HomePaths(root).manifest.is_file():
        return root, hermes_profile
    found = [path for path in root.glob("profiles/*") if HomePaths(path).manifest.is_file()]
    return root, found[0].name if len(found) == 1 else None


def require_version(wanted: str | None) -> None:
    """Raise TooOldError if this provision is older than `wanted`, such as `0.2.0`; suffixes are ignored."""
    import provision
    from provision.errors import UsageError

    if wanted is None:
        return
    try:
        least, have = (tuple(map(int, text.split(".")[:3])) for text in (wanted, provision.__version__))
    except ValueError as e:
        raise UsageError(f"invalid version {wanted!r}", hint="use three numbers, such as 0.2.0") from e
    if have < least:
        raise TooOldError(
            f"this is provision {provision.__version__}, but at least {wanted} is required",
            hint="update it with the newer wheel or zipapp that IT built (docs/releases.md), or the role hermes_endpoint",
        )
