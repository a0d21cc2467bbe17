"""What the endpoint's commands share: this machine, its folder, its trust anchors, and which home is meant."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.endpoint.identity import EndpointFolder
    from provision.fleet.desired import Platform
    from provision.keys.age import Identity
    from provision.signing.allowed_signers import AllowedSigner


class TooOldError(ProvisionError):
    """This provision is older than the sender of a bundle asks for."""


HomeOption = Annotated[
    Path | None,
    typer.Option("--home", readable=False, help="The Hermes home; default: $HERMES_HOME, else the platform's."),
]
HermesProfileOption = Annotated[
    str | None, typer.Option("--hermes-profile", help="A Hermes profile inside the home; default: the home itself.")
]
SignersOption = Annotated[
    Path | None, typer.Option("--allowed-signers", help="Trust the signers in this file instead of the enrolled ones.")
]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", help="Open with this age identity or SSH key instead of the enrolled one.")
]


def this_platform(name: str = sys.platform) -> Platform:
    """The platform for a `sys.platform`; what is neither Windows nor macOS counts as Linux."""
    from provision.fleet.desired import Platform

    if name in {"win32", "cygwin"}:
        return Platform.WINDOWS
    return Platform.MACOS if name == "darwin" else Platform.LINUX


def endpoint_folder() -> EndpointFolder:
    """This user's folder of identities and trust anchors."""
    from provision.endpoint.identity import EndpointFolder
    from provision.fleet.settings import config_dir

    return EndpointFolder(config_dir(os.environ))


def trusted_signers(chosen: Path | None) -> Sequence[AllowedSigner]:
    """Whom this machine trusts, or whom the given file names; a file that was asked for must be there."""
    from provision.endpoint.identity import load_signers
    from provision.errors import UsageError

    if chosen is not None and not chosen.is_file():
        raise UsageError(f"there is no file {chosen}", hint="--allowed-signers names a file as ssh-keygen reads it")
    return load_signers(chosen or endpoint_folder().allowed_signers)


def own_identities(chosen: Path | None) -> Sequence[Identity]:
    """The private keys that open this endpoint's bundles."""
    from provision.endpoint.identity import load_own_identities

    return load_own_identities(chosen or endpoint_folder().identity)


def chosen_home(home: Path | None, hermes_profile: str | None) -> tuple[Path, str | None]:
    """The root home that is meant, and the Hermes profile in it.

    Without a name for the profile it is the home itself, unless only one profile inside it was set up by us.
    """
    from provision.endpoint.state import kept_paths
    from provision.hermes.home import default_home

    root = (home or Path(default_home(this_platform(), os.environ))).absolute()
    if hermes_profile is not None or (root / kept_paths(root).manifest).is_file():
        return root, hermes_profile
    found = [path for path in root.glob("profiles/*") if (path / kept_paths(path).manifest).is_file()]
    return root, found[0].name if len(found) == 1 else None


def require_version(wanted: str | None) -> None:
    """Raise TooOldError when this provision is older than `wanted`, such as `0.2.0`; only the numbers count."""
    import provision
    from provision.errors import UsageError

    if wanted is None:
        return
    try:
        least, have = (tuple(map(int, text.split(".")[:3])) for text in (wanted, provision.__version__))
    except ValueError as e:
        raise UsageError(f"{wanted!r} is no version", hint="such as 0.2.0") from e
    if have < least:
        raise TooOldError(
            f"this is provision {provision.__version__}, and at least {wanted} is needed",
            hint="update it: `pip install -U hermes-provision`, or the role hermes_endpoint",
        )
