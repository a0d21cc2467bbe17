"""`provision package`: wrap a bundle or a feed address for Intune, Jamf, Munki, macOS installers, dpkg and rpm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Limit
from provision.errors import Exit, ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provision.fleet.workspace import Workspace
    from provision.packaging.payload import Files, Payload

Target = Literal["intune", "jamf", "munki", "pkg", "deb", "rpm"]
_MAX_ZIPAPP_BYTES = 256 << 20
_MAX_SIGNERS_BYTES = 1 << 20


@app.command("package")
def package(
    ctx: typer.Context,
    kind: Annotated[Target, typer.Option("--for", help="Tool that installs the package.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write the package to.")],
    user: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="User whose settings the package installs; or use --limit.")
    ] = None,
    limit: Limit = None,
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
            help="Account on the machine, such as ada or CORP\\{user}. Default: the id for deb and rpm, else who is logged in.",
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
    """Build packages for Intune, Jamf, Munki, pkg, deb, rpm.

    A package carries the user's bundle, or with --pull sets up a timer that pulls from a feed. With --limit each user has a
    folder in DIR. Exits with 4 if some packages could not be built.
    """
    from provision.files import read_bounded
    from provision.packaging.payload import Payload
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    users = _chosen(workspace, user, limit)
    if zipapp is not None and not zipapp.is_file():
        raise UsageError(f"file not found: {zipapp}", hint="`provision build-zipapp` makes one")
    signers, chain = _signers(workspace), None if pull else _chain(workspace)
    program = read_bounded(zipapp, _MAX_ZIPAPP_BYTES) if zipapp else None

    def package_of(each: str) -> Payload:
        default = each if kind in ("deb", "rpm") else ""
        return Payload(
            user=each,
            signers=signers,
            bundle=None if pull else _bundle(workspace, each),
            chain=chain,
            address=_address(workspace, each, pull, dry_run=dry_run) if pull else None,
            account=account.replace("{user}", each) if account is not None else default,
            every=every,
            version=package_version,
            zipapp=program,
        )

    failed = 0
    for each in users:
        try:
            files = makers()[kind](package_of(each))
        except ProvisionError as e:
            if limit is None or isinstance(e, UsageError):
                raise
            failed += 1
            run.say(f"{each}: no package: {e.message}" + (f" ({e.hint})" if e.hint else ""))
            continue
        _write(run, files, output if limit is None else output / each, dry_run=dry_run)
    if limit is not None:
        run.say(f"{plural(len(users) - failed, 'package')}, {failed} failed")
    if dry_run:
        run.say("dry run: nothing was written")
    elif pull:
        whose = users[0] if len(users) == 1 else "its user"
        run.say(f"a package holds the feed address of {whose}: give it to {whose}'s machine only")
    if failed:
        raise typer.Exit(Exit.PARTIAL)


def _write(run: Run, files: Files, folder: Path, *, dry_run: bool) -> None:
    from provision.files import write_atomic

    for name, file in files.items():
        path = folder / name
        if dry_run:
            run.result(f"{path}  {len(file.data):,} bytes, {'replaced' if path.exists() else 'new'}\n")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, file.data, mode=file.mode, durable=False)
        run.result(f"{path}\n")


def makers() -> dict[str, Callable[[Payload], Files]]:
    """Return the function that makes the files for each target."""
    from provision.packaging import deb, intune, mac, pkg, rpm

    return {
        "intune": intune.intune,
        "jamf": mac.jamf,
        "munki": mac.munki,
        "pkg": pkg.pkg,
        "deb": deb.deb,
        "rpm": rpm.rpm,
    }


def _chosen(workspace: Workspace, user: str | None, limit: list[str] | None) -> list[str]:
    from provision.cli.delivery.receipts import fleet_states
    from provision.fleet.limit import no_match_error, select_users

    if (user is None) == (limit is None):
        raise UsageError(
            "name one user, or choose several with --limit", hint="provision package -l tag:pilot --for deb -o DIR"
        )
    states = fleet_states(workspace)
    if limit is not None:
        return [state.user for state in select_users(states, limit)]
    known = [state.user for state in states]
    if user is None or user not in known:
        raise no_match_error(f"{user} is not in the inventory", user or "", known)
    return [user]


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
