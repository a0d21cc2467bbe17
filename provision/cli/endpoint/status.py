"""`provision status`: what is installed here, and where Hermes really sends its requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    chosen_home,
    own_identities,
    trusted_signers,
)
from provision.cli.options import Limit, Output
from provision.errors import Exit, ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.endpoint.probe_hermes import Answer
    from provision.endpoint.processes import RunningHermes
    from provision.endpoint.status import Status


@app.command("status")
def status_command(
    ctx: typer.Context,
    home: Home = None,
    hermes_profile: HermesProfile = None,
    hermes: Annotated[bool, typer.Option("--hermes", help="Also ask the real Hermes one question.")] = False,
    allowed_signers: Signers = None,
    identity: IdentityFile = None,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Print the signed receipt instead, to send to IT.")
    ] = False,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="IT, in a workspace: who is current, from the receipts collected.")
    ] = False,
    silent_after: Annotated[
        str, typer.Option("--silent-after", metavar="7d", help="With --fleet: how old a receipt may be.")
    ] = "7d",
    limit: Limit = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Show where Hermes really sends its requests.

    Also what is installed and what has drifted. Ends with 10 when anything is not as it should be.
    """
    if fleet:
        _fleet(ctx.obj, limit, silent_after, format_, output, alone=home is None and not (hermes or receipt))
        return
    if limit:
        raise UsageError("--limit goes with --fleet")
    from datetime import UTC, datetime

    from provision.cli.endpoint.receipt import sign_receipt
    from provision.endpoint.probe_hermes import ask_hermes
    from provision.endpoint.processes import holding_old_key
    from provision.endpoint.status import as_json, status
    from provision.report.document import document

    run: Run = ctx.obj
    root, profile = chosen_home(home, hermes_profile)
    now = datetime.now(UTC)
    environ = hermes_environment(run, root, profile, allowed_signers, identity, now)
    found = status(root, signers=trusted_signers(allowed_signers), environ=environ, now=now, hermes_profile=profile)
    signed = sign_receipt(run, found.home, found.installed, found.check, found.drift, now)
    if receipt:
        if signed is None:
            raise NoReceiptError(
                f"there is no receipt for {found.home}", hint="`provision enroll`, then `provision install BUNDLE`"
            )
        run.result(signed.data.decode(), output)
        return
    answer = ask_hermes(root, profile, environ) if hermes else None
    stale = holding_old_key(found.home)
    if format_ == "json":
        said = {"hermes": {"ok": answer.ok, "said": answer.said, "exit_code": answer.exit_code}} if answer else {}
        restart = None if stale is None else [{"pid": p.pid, "what": p.what} for p in stale]
        text = document("status/v1", **as_json(found), restart=restart, **said)
    else:
        text = _text(found, answer, stale)
    run.result(text, output)
    if not found.ok or (answer is not None and not answer.ok):
        raise typer.Exit(Exit.FINDINGS)


class NoReceiptError(ProvisionError):
    """No receipt can be made: nothing is installed, or nobody enrolled here."""


def _fleet(
    run: Run, limit: list[str] | None, silent_after: str, format_: str, output: Path | None, *, alone: bool
) -> None:
    from provision.cli.delivery.status_fleet import fleet_status

    if not alone:
        raise UsageError("--fleet goes without --home, --hermes and --receipt: those are about one machine")
    if not fleet_status(run, limit, silent_after, format_, output):
        raise typer.Exit(Exit.FINDINGS)


def hermes_environment(
    run: Run, root: Path, profile: str | None, signers: Path | None, identity: Path | None, now: datetime
) -> Mapping[str, str]:
    """The environment Hermes runs in: with the key, when that only comes through `provision run`."""
    from provision.endpoint.run import NotForRunError, prepare_run

    try:
        prepared = prepare_run(
            root,
            hermes_profile=profile,
            signers=trusted_signers(signers),
            identities=lambda: own_identities(identity),
            environ=os.environ,
            now=now,
        )
    except NotForRunError:
        return os.environ
    except ProvisionError as e:
        run.detail(f"without the environment of `provision run`: {e}")
        return os.environ
    run.say("the key is delivered through `provision run`: this is the route of `provision run -- hermes`")
    return prepared.environ


def _text(found: Status, answer: Answer | None, stale: Sequence[RunningHermes] | None) -> str:
    from provision.cli.endpoint.install import restart_lines
    from provision.endpoint.state import key_in_place_since
    from provision.report.terminal import printable

    route = found.route
    lines = [f"home       {found.home}"]
    if found.installed:
        m = found.installed.manifest
        lines.append(f"installed  {m.user} ({m.profile}), generation {m.generation}, expires {m.expires}")
    else:
        lines.append("installed  nothing: this home was not set up by provision")
    lines.append(f"route      {route.url or 'none'}")
    lines.append(f"model      {route.model or 'none'} ({route.api_mode or 'no API mode'})")
    lines.append(f"key        {route.key_fingerprint or 'none'} from {route.key_source}")
    if route.refusal:
        lines.append(f"hermes stops: {route.refusal}")
    if route.unknown:
        lines.append(f"cannot tell: {route.unknown}")
    for name, check in (found.check.checks if found.check else {}).items():
        verdict = "ok" if check.ok else f"WRONG: expected {check.expected}; is {check.actual}"
        lines.append(f"check      {name}: {verdict}")
    lines += [f"drift      {d.file}: {d.what}" for d in found.drift]
    lines += [f"{h.severity:<9}  [{h.id}] {h.where}: {h.why}; {h.cure}" for h in route.hazards]
    if answer is not None:
        verdict = {True: "answered", False: "failed", None: "cannot tell"}[answer.ok]
        lines.append(f"hermes     {verdict}: {answer.said}")
    said = restart_lines(stale or (), key_in_place_since(found.home), everyone=False)
    lines += [f"restart    {line.removeprefix('restart ')}" for line in said]
    return "".join(printable(line) + "\n" for line in lines)
