"""`provision pull`: fetch this machine's bundle from IT's feed, and install it if it is new."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    HomeOption,
    IdentityOption,
    ManagedDirOption,
    SignersOption,
    UserOption,
    endpoint_folder,
    machine_trust,
    own_identities,
    require_signers_file,
    this_platform,
)
from provision.cli.options import DryRun, Output, TableOrJson
from provision.errors import Exit, ProvisionError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from datetime import datetime

    from provision.endpoint.install import InstallReport
    from provision.endpoint.trust_store import TrustInForce
    from provision.feed.index import Subscription
    from provision.feed.pull import PullResult
    from provision.feed.state import PullState
    from provision.receipts.receipt import SignedReceipt
    from provision.trust.walk import Fetch


@app.command("pull")
def pull_command(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[ADDRESS]", help="Your feed address from IT, or - for standard input. Remembered."),
    ] = None,
    home: HomeOption = None,
    upload_receipt: Annotated[
        str | None,
        typer.Option(
            "--upload-receipt", metavar="URL|COMMAND", help="Send the receipt: PUT to URL, or run COMMAND on {path}."
        ),
    ] = None,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="For the timer: back off after failures, print only news.")
    ] = False,
    install_timer: Annotated[
        bool, typer.Option("--install-timer", help="Also install a timer of this user that pulls regularly.")
    ] = False,
    remove_timer: Annotated[bool, typer.Option("--remove-timer", help="Remove the timer; pull nothing.")] = False,
    every: Annotated[str, typer.Option("--every", metavar="1h", help="Interval of the timer.")] = "1h",
    platform: Annotated[
        Literal["linux", "macos", "windows"] | None,
        typer.Option("--platform", help="With --timer-dir: platform to write the timer for."),
    ] = None,
    timer_dir: Annotated[
        Path | None, typer.Option("--timer-dir", help="Only write the timer's files to this folder; pull nothing.")
    ] = None,
    environ: Annotated[
        list[str] | None, typer.Option("--environ", metavar="NAME=VALUE", hidden=True, help="Written by the timer.")
    ] = None,
    allowed_signers: SignersOption = None,
    identity: IdentityOption = None,
    user: UserOption = None,
    managed_dir: ManagedDirOption = None,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Install the newest bundle from IT's feed.

    Does nothing if it is already installed. Exits with 10 if Hermes would not use the bundle's route.
    """
    from datetime import UTC, datetime

    from provision.cli.endpoint import pull_timer
    from provision.cli.endpoint.obey import end_service, is_uninstalled, uninstalled_receipt
    from provision.feed.receipt import check_target

    run: Run = ctx.obj
    pull_timer.apply_environ(environ or ())
    if upload_receipt is not None:
        check_target(upload_receipt)
    if platform is not None and timer_dir is None:
        raise UsageError("--platform needs --timer-dir: a timer can only be switched on on its own platform")
    if dry_run and (install_timer or remove_timer or timer_dir is not None):
        raise UsageError("--dry-run shows what would be installed; it does not go with options about the timer")
    options = pull_timer.pull_arguments(
        {
            "--home": home,
            "--allowed-signers": allowed_signers,
            "--identity": identity,
            "--managed-dir": managed_dir,
            "--user": user,
            "--upload-receipt": upload_receipt,
        }
    )
    if remove_timer:
        pull_timer.remove_timer(run)
        return
    if timer_dir is not None:
        pull_timer.write_timer_files(run, timer_dir, platform, every, options)
        return
    now = datetime.now(UTC)
    subscription = _subscription(url)
    if install_timer:
        pull_timer.install_timer(run, subscription, every, options)
    if scheduled and (left := _backoff_left(subscription, now)):
        run.detail(f"backing off for {left} after failures")
        return
    installer = _Installer((home, allowed_signers, identity, user, managed_dir), now, dry_run=dry_run)
    pulled = _pull(subscription, installer, allowed_signers, now)
    if dry_run:
        _print_result(run, pulled, None, format_, output, now, dry_run=True)
        return
    ended = is_uninstalled(pulled, now)
    signed = uninstalled_receipt() if ended else _receipt(run, pulled, allowed_signers, identity, now)
    if not scheduled or pulled.report is not None or pulled.order.done or pulled.order.note:
        _print_result(run, pulled, signed, format_, output, now)
    sent = (ended and signed is None) or _send_receipt(run, upload_receipt, pulled, signed, now)
    if sent and ended:
        end_service(run)
    raise typer.Exit(_exit_code(pulled, sent=sent))


def _exit_code(pulled: PullResult, *, sent: bool) -> Exit:
    """10 if Hermes would not use the route of what was installed, else 4 if the receipt could not be sent."""
    if pulled.report is not None and not pulled.report.ok:
        return Exit.FINDINGS
    return Exit.OK if sent else Exit.PARTIAL


def _print_result(
    run: Run,
    pulled: PullResult,
    signed: SignedReceipt | None,
    format_: Format,
    output: Path | None,
    now: datetime,
    *,
    dry_run: bool = False,
) -> None:
    from provision.report import install as report

    if format_ is Format.JSON:
        text = report.pull_as_json(pulled, signed, dry_run=dry_run)
    else:
        text = report.pull_as_table(pulled, now, dry_run=dry_run, verbose=run.verbose)
    run.result(text, output)


class _Installer:
    """Installs a bundle as `provision install` does, with the options of this command line."""

    def __init__(
        self,
        options: tuple[Path | None, Path | None, Path | None, str | None, Path | None],
        now: datetime,
        *,
        dry_run: bool,
    ) -> None:
        """`options`: home, allowed signers, identity, user, folder of the managed scope."""
        self._options = options
        self.home = options[0]
        self._now = now
        self.dry_run = dry_run
        self.force: TrustInForce | None = None
        """Whose signatures count, once the walk over the feed's trust lists is done."""

    def __call__(self, files: Mapping[str, bytes]) -> InstallReport:
        from provision.endpoint.apply import DiskWriter, DryRunWriter
        from provision.endpoint.install import InstallRequest, install_bundle

        home, signers, identity, user, managed_dir = self._options
        force = self.force or machine_trust(signers)
        request = InstallRequest(
            signers=force.signers,
            force=force,
            identities=own_identities(identity),
            platform=this_platform(),
            home=home,
            user=user,
            managed_dir=managed_dir,
        )
        writer = (DryRunWriter if self.dry_run else DiskWriter)(Path.home())
        return install_bundle(files, request, writer, environ=os.environ, now=self._now)


def _subscription(url: str | None) -> Subscription:
    from provision.feed.http import require_safe
    from provision.feed.index import parse_subscription
    from provision.feed.pull import NoSubscriptionError
    from provision.feed.state import read_state
    from provision.formats.shell_output import shell_bytes

    if url == "-":  # from a script: then the address is in no process list
        line = sys.stdin.buffer.readline(4096)
        odd = len(line) % 2 and line.startswith(
            codecs.BOM_UTF16_LE
        )  # the line was read up to the first half of its end
        url = shell_bytes(line + b"\0" if odd else line).decode("utf-8", "replace")
    if url is None:
        state = read_state(endpoint_folder().root)
        if state is None:
            raise NoSubscriptionError(
                "no feed address is known here", hint="run `provision pull ADDRESS` once, with the address from IT"
            )
        url = state.url
    subscription = parse_subscription(url)
    require_safe(subscription.base)
    return subscription


def _backoff_left(subscription: Subscription, now: datetime) -> str | None:
    from provision.feed.pull import remembered_state

    left = remembered_state(endpoint_folder().root, subscription).wait(now)
    return str(left).partition(".")[0] if left else None


def _pull(subscription: Subscription, installer: _Installer, signers: Path | None, now: datetime) -> PullResult:
    import random
    import time

    from provision.cli.endpoint.obey import order_handlers
    from provision.endpoint.trust_store import update_trust
    from provision.feed.http import http_get
    from provision.feed.pull import PullEnvironment, preview_pull, pull_once

    chance = random.SystemRandom()
    world = PullEnvironment(
        lambda url, limit, deadline, validators: http_get(url, limit, deadline, validators=validators),
        chance.uniform,
        time.sleep,
    )
    require_signers_file(signers)

    def walk_trust(source: Fetch) -> TrustInForce:
        installer.force = update_trust(endpoint_folder(), source, now, chosen=signers, keep=not installer.dry_run)
        return installer.force

    pull = preview_pull if installer.dry_run else pull_once
    folder = endpoint_folder().root
    orders = order_handlers(installer.home, now)
    return pull(subscription, folder, installer, walk_trust=walk_trust, orders=orders, world=world, now=now)


def _receipt(
    run: Run, pulled: PullResult, signers: Path | None, identity: Path | None, now: datetime
) -> SignedReceipt | None:
    """The receipt for what is installed now, whether this pull installed it or an earlier one."""
    from provision.cli.endpoint.receipt import sign_install_receipt
    from provision.cli.endpoint.status import sign_status_receipt

    if pulled.report is not None:
        return sign_install_receipt(run, pulled.report, now)
    return sign_status_receipt(run, Path(pulled.state.home or ""), (signers, identity), now)


def _send_receipt(
    run: Run, target: str | None, pulled: PullResult, signed: SignedReceipt | None, now: datetime
) -> bool:
    """Send the receipt to `target` if it is due; returns False if it could not be sent."""
    from provision.feed.receipt import is_due, receipt_digest, send_receipt
    from provision.feed.state import write_state
    from provision.files import write_atomic

    if target is None:
        return True
    if signed is None:
        run.say("no receipt to send: `provision enroll` creates the key that signs receipts")
        return False
    if not is_due(pulled.state, signed, now):
        return True
    folder = endpoint_folder().root
    path = folder / f"{signed.receipt.user}.receipt"
    try:
        write_atomic(path, signed.data, durable=False)
        send_receipt(target, signed, path)
    except ProvisionError as e:
        run.say(f"{e}" + (f" ({e.hint})" if e.hint else ""))
        return False
    sent = {"receipt_sent": now.timestamp(), "receipt_digest": receipt_digest(signed)}
    state: PullState = pulled.state.model_copy(update=sent)
    write_state(folder, state)
    return True
