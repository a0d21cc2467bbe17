"""`provision pull`: fetch this machine's bundle from IT's feed and install it, when there is something new."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    endpoint_folder,
    own_identities,
    this_platform,
    trusted_signers,
)
from provision.cli.options import Output
from provision.errors import Exit, ProvisionError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from provision.endpoint.install import Report
    from provision.feed.index import Subscription
    from provision.feed.pull import Pulled
    from provision.feed.state import PullState
    from provision.receipts.receipt import SignedReceipt


@app.command("pull")
def pull_command(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[ADDRESS]", help="Your feed address from IT, or - to read it; it is remembered."),
    ] = None,
    home: Home = None,
    upload_receipt: Annotated[
        str | None,
        typer.Option(
            "--upload-receipt", metavar="URL|COMMAND", help="Send the receipt: PUT there, or run this on {path}."
        ),
    ] = None,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="As the timer runs it: waits after failures, says nothing without news.")
    ] = False,
    install_timer: Annotated[
        bool, typer.Option("--install-timer", help="Also set up a timer of this user that pulls from now on.")
    ] = False,
    remove_timer: Annotated[bool, typer.Option("--remove-timer", help="Take the timer away; pull nothing.")] = False,
    every: Annotated[str, typer.Option("--every", metavar="1h", help="How often the timer pulls.")] = "1h",
    platform: Annotated[
        Literal["linux", "macos", "windows"] | None,
        typer.Option("--platform", help="With --timer-dir: the platform to write the timer for."),
    ] = None,
    timer_dir: Annotated[
        Path | None, typer.Option("--timer-dir", help="Only write the timer's files, into this folder; pull nothing.")
    ] = None,
    allowed_signers: Signers = None,
    identity: IdentityFile = None,
    user: Annotated[str | None, typer.Option("--user", help="Accept only this user's bundle.")] = None,
    managed_dir: Annotated[
        Path | None, typer.Option("--managed-dir", help="Where Hermes' managed scope is; default: /etc/hermes.")
    ] = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Fetch what is new from IT's feed and install it."""
    from datetime import UTC, datetime

    from provision.cli.endpoint import pull_timer
    from provision.feed.receipt import check_target

    run: Run = ctx.obj
    if upload_receipt is not None:
        check_target(upload_receipt)
    if platform is not None and timer_dir is None:
        raise UsageError("--platform goes with --timer-dir: timers are switched on only on their own platform")
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
    if scheduled and (left := _wait(subscription, now)):
        run.detail(f"waiting {left} after failures")
        return
    installer = _Installer(home, allowed_signers, identity, user, managed_dir, now)
    pulled = _pull(subscription, installer, allowed_signers, now)
    signed = _receipt(run, pulled, allowed_signers, identity, now)
    if not (scheduled and pulled.report is None):
        run.result(_json(pulled, signed) if format_ == "json" else _text(pulled), output)
    sent = _sent(run, upload_receipt, pulled, signed, now) if upload_receipt else True
    if pulled.report is not None and not pulled.report.ok:
        raise typer.Exit(Exit.FINDINGS)
    if not sent:
        raise typer.Exit(Exit.PARTIAL)


class _Installer:
    """The same install as `provision install`, with the options of this command line."""

    def __init__(
        self,
        home: Path | None,
        signers: Path | None,
        identity: Path | None,
        user: str | None,
        managed_dir: Path | None,
        now: datetime,
    ) -> None:
        self._options = (home, signers, identity, user, managed_dir)
        self._now = now

    def __call__(self, files: Mapping[str, bytes]) -> Report:
        from provision.endpoint.apply import Disk
        from provision.endpoint.install import Request, install

        home, signers, identity, user, managed_dir = self._options
        request = Request(
            signers=trusted_signers(signers),
            identities=own_identities(identity),
            platform=this_platform(),
            home=home,
            user=user,
            managed_dir=managed_dir,
        )
        return install(files, request, Disk(Path.home()), environ=os.environ, now=self._now)


def _subscription(url: str | None) -> Subscription:
    from provision.feed.http import require_safe
    from provision.feed.index import parse_subscription
    from provision.feed.pull import NoSubscriptionError
    from provision.feed.state import read_state

    if url == "-":  # from a script, so that the address stands in no process list
        url = sys.stdin.readline(4096)
    if url is None:
        state = read_state(endpoint_folder().root)
        if state is None:
            raise NoSubscriptionError(
                "no feed address is known here", hint="give it once: provision pull ADDRESS, as IT printed it for you"
            )
        url = state.url
    subscription = parse_subscription(url)
    require_safe(subscription.base)
    return subscription


def _wait(subscription: Subscription, now: datetime) -> str | None:
    from provision.feed.pull import remembered

    left = remembered(endpoint_folder().root, subscription).wait(now)
    return str(left).partition(".")[0] if left else None


def _pull(subscription: Subscription, installer: _Installer, signers: Path | None, now: datetime) -> Pulled:
    import random
    import time

    from provision.feed.http import get
    from provision.feed.pull import World, pull

    chance = random.SystemRandom()
    world = World(
        lambda url, limit, deadline, validators: get(url, limit, deadline, validators=validators, verify=True),
        chance.uniform,
        time.sleep,
    )
    trusted = trusted_signers(signers)
    return pull(subscription, endpoint_folder().root, installer, signers=trusted, world=world, now=now)


def _receipt(
    run: Run, pulled: Pulled, signers: Path | None, identity: Path | None, now: datetime
) -> SignedReceipt | None:
    """The receipt for what is installed now, whether this pull installed it or an earlier one."""
    from provision.cli.endpoint.receipt import sign_install_receipt, sign_receipt
    from provision.cli.endpoint.status import hermes_environment
    from provision.endpoint.status import status

    if pulled.report is not None:
        return sign_install_receipt(run, pulled.report, now)
    home = Path(pulled.state.home or "")
    inside = home.parent.name == "profiles"
    root, profile = (home.parent.parent, home.name) if inside else (home, None)
    quiet = Run(quiet=True)
    try:
        environ = hermes_environment(quiet, root, profile, signers, identity, now)
        found = status(root, signers=trusted_signers(signers), environ=environ, now=now, hermes_profile=profile)
    except ProvisionError as e:
        run.say(f"no receipt was written: {e}")
        return None
    return sign_receipt(run, found.home, found.installed, found.check, found.drift, now)


def _sent(run: Run, target: str, pulled: Pulled, signed: SignedReceipt | None, now: datetime) -> bool:
    """Whether the receipt is with IT, or need not be sent again yet."""
    from provision.feed.receipt import is_due, said_digest, send
    from provision.feed.state import write_state
    from provision.files import write_atomic

    if signed is None:
        run.say("no receipt to send: `provision enroll` makes the key that signs them")
        return False
    if not is_due(pulled.state, signed, now):
        return True
    folder = endpoint_folder().root
    path = folder / f"{signed.receipt.user}.receipt"
    try:
        write_atomic(path, signed.data, durable=False)
        send(target, signed, path, verify=True)
    except ProvisionError as e:
        run.say(f"{e}" + (f" ({e.hint})" if e.hint else ""))
        return False
    told = {"receipt_sent": now.timestamp(), "receipt_digest": said_digest(signed)}
    state: PullState = pulled.state.model_copy(update=told)
    write_state(folder, state)
    return True


def _text(pulled: Pulled) -> str:
    from provision.cli.endpoint.install import install_text

    if pulled.report is None:
        entry = pulled.state.entry
        return f"nothing new: generation {entry.generation if entry else '?'} is installed in {pulled.state.home}\n"
    return install_text(pulled.report)


def _json(pulled: Pulled, signed: SignedReceipt | None) -> str:
    from provision.report.document import document

    report, entry = pulled.report, pulled.state.entry
    return document(
        "pull/v1",
        ok=report.ok if report else True,
        installed=report is not None,
        not_modified=pulled.not_modified,
        user=report.manifest.user if report else signed.receipt.user if signed else None,
        generation=entry.generation if entry else None,
        home=pulled.state.home,
        feed_version=pulled.state.version,
        feed_expires=pulled.state.expires_at.isoformat(),
        receipt=signed.data.decode() if signed else None,
    )
