"""`provision package`: wrap a bundle or a feed address for Intune, Jamf, Munki, dpkg and rpm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun
from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.fleet.workspace import Workspace
    from provision.packaging.payload import Files, Payload

Target = Literal["intune", "jamf", "munki", "deb", "rpm"]
_MAX_ZIPAPP_BYTES = 256 << 20
_MAX_SIGNERS_BYTES = 1 << 20


@app.command("package")
def package(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(help="User whose settings the package installs.")],
    kind: Annotated[Target, typer.Option("--for", help="Tool that installs the package.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write the package to.")],
    pull: Annotated[
        str | None,
        typer.Option(
            "--pull", metavar="URL", help="Set up pulling from the feed at URL instead of including the bundle."
        ),
    ] = None,
    every: Annotated[str, typer.Option("--every", metavar="1h", help="With --pull: interval between pulls.")] = "1h",
    account: Annotated[
        str | None,
        typer.Option(
            "--account",
            help="Account on the machine. Default: the user's id for deb and rpm, else the logged-in user.",
        ),
    ] = None,
    zipapp: Annotated[
        Path | None,
        typer.Option("--zipapp", metavar="FILE", help="Include provision itself: a file from build-zipapp."),
    ] = None,
    dry_run: DryRun = False,
    package_version: Annotated[
        str, typer.Option("--package-version", metavar="1.4", help="Version. Default: the bundle's generation.")
    ] = "",
) -> None:
    """Build packages for Intune, Jamf, Munki, deb, rpm.

    A package carries the user's bundle, or with --pull sets up a timer that pulls from a feed.
    """
    from provision.files import read_bounded, write_atomic
    from provision.packaging.payload import Payload

    run: Run = ctx.obj
    workspace = run.open_workspace()
    _require_in_inventory(workspace, user)
    if zipapp is not None and not zipapp.is_file():
        raise UsageError(f"file not found: {zipapp}", hint="`provision build-zipapp` makes one")
    payload = Payload(
        user=user,
        signers=_signers(workspace),
        bundle=None if pull else _bundle(workspace, user),
        chain=None if pull else _chain(workspace),
        address=_address(workspace, user, pull, dry_run=dry_run) if pull else None,
        account=account if account is not None else user if kind in ("deb", "rpm") else "",
        every=every,
        version=package_version,
        zipapp=read_bounded(zipapp, _MAX_ZIPAPP_BYTES) if zipapp else None,
    )
    for name, file in makers()[kind](payload).items():
        path = output / name
        if dry_run:
            run.result(f"{path}  {len(file.data):,} bytes, {'replaced' if path.exists() else 'new'}\n")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, file.data, mode=file.mode, durable=False)
        run.result(f"{path}\n")
    if dry_run:
        run.say("dry run: nothing was written")
    elif pull:
        run.say(f"the package holds the feed address of {user}: give it to {user}'s machine only")


def makers() -> dict[str, Callable[[Payload], Files]]:
    """Return the function that makes the files for each target."""
    from provision.packaging import deb, intune, mac, rpm

    return {"intune": intune.intune, "jamf": mac.jamf, "munki": mac.munki, "deb": deb.deb, "rpm": rpm.rpm}


def _require_in_inventory(workspace: Workspace, user: str) -> None:
    from provision.cli.delivery.receipts import fleet_states
    from provision.fleet.limit import no_match_error

    known = [state.user for state in fleet_states(workspace)]
    if user not in known:
        raise no_match_error(f"{user} is not in the inventory", user, known)


def _bundle(workspace: Workspace, user: str) -> Mapping[str, bytes]:
    """The files of the user's bundle, verified as an endpoint verifies them."""
    from datetime import UTC, datetime

    from provision.bundle.dist import Dist
    from provision.endpoint.verify import AcceptanceRules, verify_bundle
    from provision.errors import NothingMatchedError
    from provision.keys.vault.file import read_workspace_id
    from provision.trust.workspace import workspace_trust

    files = Dist(workspace.dist, None).read(user)
    if not files:
        raise NothingMatchedError(
            f"{user} has no bundle in {workspace.name_of(workspace.dist)}", hint="provision render"
        )
    workspace_id, now = read_workspace_id(workspace.vault), datetime.now(UTC)
    signers = workspace_trust(workspace, workspace_id, now).signers
    return verify_bundle(files, AcceptanceRules(signers, now, user, workspace_id=workspace_id)).files


def _chain(workspace: Workspace) -> bytes | None:
    """The workspace's trust lists as a tar; None without any."""
    from datetime import UTC, datetime

    from provision.keys.vault.file import read_workspace_id
    from provision.trust.files import chain_tar
    from provision.trust.workspace import workspace_trust

    chain = workspace_trust(workspace, read_workspace_id(workspace.vault), datetime.now(UTC)).chain
    return chain_tar(chain) if chain else None


def _signers(workspace: Workspace) -> str:
    from provision.files import read_optional

    return (read_optional(workspace.allowed_signers, _MAX_SIGNERS_BYTES) or b"").decode()


def _address(workspace: Workspace, user: str, url: str, *, dry_run: bool) -> str:
    """The user's address in the feed at `url`; `url` may also be that complete address."""
    from provision.cli.delivery.publish import open_secret, parse_base_url
    from provision.feed.http import require_safe
    from provision.feed.index import Subscription, address_of

    address = address_of(open_secret(workspace, create=True, dry_run=dry_run), user)
    base = parse_base_url(url.removesuffix(f"/e/{address}"))
    require_safe(base)
    return str(Subscription(base, address))
