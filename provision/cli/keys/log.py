"""`provision keys log`: the event log beside the vault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Output, format_option
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.fleet.workspace import Workspace
    from provision.keys.events.log import KnownEnd, RecordedEvent, Verified
    from provision.keys.vault.text import SealedVault


@keys_app.command("log")
def log(
    ctx: typer.Context,
    about: Annotated[
        list[str] | None,
        typer.Argument(metavar="USER|FINGERPRINT", help="Only events about these users or keys. Default: all."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify the hash chain of the whole log, and its end against the vault.")
    ] = False,
    feed: Annotated[
        Path | None,
        typer.Option(
            "--feed", metavar="DIR", help="With --verify: compare with what this published feed recorded, too."
        ),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", "-n", metavar="N", min=0, help="Number of newest events to show; 0 shows all.")
    ] = 50,
    format_: Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.ECS)] = Format.TABLE,
    output: Output = None,
) -> None:
    """Show the event log of keys: who, what, when. Needs no identity.

    With --verify, exits with 10 when the log was changed by something other than provision, and with 4 when a part of the feed
    could not be read.
    """
    from collections import deque
    from dataclasses import replace

    from provision.errors import UsageError
    from provision.keys.events.log import LogFault, log_path, read_events, verify_log
    from provision.keys.vault.file import read_vault
    from provision.rotate.against_vault import contradictions
    from provision.rotate.store import RotationStore

    run: Run = ctx.obj
    workspace = run.open_workspace()
    path = log_path(workspace.vault)
    verified, unread = None, list[str]()
    if feed is not None and not verify:
        raise UsageError("--feed needs --verify")
    if verify:
        sealed = read_vault(workspace.vault)
        published, unread = _published_ends(workspace, feed) if feed else ([], [])
        verified = verify_log(path, sealed.generation, [*_known_ends(workspace, sealed), *published])
        found = contradictions(RotationStore(workspace.root).unfinished(), sealed)
        verified = replace(verified, faults=(*verified.faults, *(LogFault(0, what) for what in found)))
    names = set(about or ())
    matching = (each for each in read_events(path) if not names or names & {each.event.user, each.event.fingerprint})
    shown = list(deque(matching, maxlen=last or None))
    if format_ is Format.JSON:
        run.result(_log_json(shown, verified), output)
    elif format_ is Format.ECS:
        from provision.report.siem.ecs import events_as_ecs

        run.result("".join(events_as_ecs(each.event for each in shown)), output)
    elif verified is None or names:
        run.result(_log_table(shown), output)
        if last and len(shown) == last:
            run.say(f"showing the newest {last} events; --last 0 shows all")
    if not shown and names:
        run.say("no event about these")
    if verified is not None:
        _say_verified(run, workspace.name_of(path), verified, as_result=format_ is Format.TABLE)
        for problem in unread:
            run.say(problem)
        if verified.faults or unread:
            raise typer.Exit(Exit.FINDINGS if verified.faults else Exit.PARTIAL)
    if names and not shown:
        raise typer.Exit(Exit.NO_MATCH)


def _known_ends(workspace: Workspace, sealed: SealedVault) -> Iterator[KnownEnd]:
    """The log's ends that the vault and the bundles in dist/ recorded."""
    from provision.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, parse_manifest
    from provision.errors import ProvisionError
    from provision.files import read_optional
    from provision.keys.events.log import KnownEnd, LogEnd

    if sealed.header.log_head is not None:
        yield KnownEnd(workspace.name_of(workspace.vault), LogEnd(*sealed.header.log_head))
    for path in sorted(workspace.dist.glob(f"*/{MANIFEST}")):
        try:
            head = parse_manifest(read_optional(path, MAX_MANIFEST_BYTES) or b"").log_head
        except ProvisionError:
            continue  # `status` and `diff` report damaged bundles
        if head is not None:
            yield KnownEnd(workspace.name_of(path), LogEnd(head.count, head.sha256))


def _published_ends(workspace: Workspace, feed: Path) -> tuple[list[KnownEnd], list[str]]:
    """The log's ends that the parts of a feed's index recorded, and a line for each part that cannot be trusted."""
    from datetime import UTC, datetime

    from provision.endpoint.identity import load_signers
    from provision.errors import NothingMatchedError
    from provision.feed.index import Index
    from provision.feed.published_parts import published_parts
    from provision.keys.events.log import KnownEnd, LogEnd
    from provision.keys.vault.file import read_workspace_id

    signers = load_signers(workspace.allowed_signers)
    parts = list(published_parts(feed, read_workspace_id(workspace.vault), signers, datetime.now(UTC)))
    if not parts:
        raise NothingMatchedError(
            f"{feed} has no published index", hint="name the folder that `provision publish` wrote"
        )
    heads = [(path, part.log_head) for path, part in parts if isinstance(part, Index)]
    ends = [KnownEnd(str(path), LogEnd(head.count, head.sha256)) for path, head in heads if head is not None]
    return ends, [f"{path}: not read: {part.message}" for path, part in parts if not isinstance(part, Index)]


def _say_verified(run: Run, name: str, found: Verified, *, as_result: bool) -> None:
    from provision.report.terminal import plural, printable

    lines = [f"{name}:{fault.line}: {fault.what}" if fault.line else f"{name}: {fault.what}" for fault in found.faults]
    if found.torn_bytes:
        lines.append(
            f"{name}: {found.torn_bytes} bytes of an incomplete last line (a crash); the next change removes and records it"
        )
    if not found.faults:
        since = f" since {found.first:%Y-%m-%d}" if found.first else ""
        anchor = "" if found.generation is None else f", up to the vault's generation {found.generation}"
        lines.append(f"the chain is intact: {plural(found.count, 'event')}{since}{anchor}")
    if (found.begins or 1) > 1:
        lines.append(f"the log starts at generation {found.begins} of the vault; earlier events are not in it")
    lines.append(f"head {found.head or '-'}")
    if as_result:
        run.result("".join(printable(line) + "\n" for line in lines))
    else:
        for line in lines:
            run.say(line)


def _log_json(shown: Sequence[RecordedEvent], verified: Verified | None) -> str:
    from provision.report.document import document

    rows = [
        {
            "number": each.number,
            "at": each.event.at.isoformat(),
            "who": each.event.who,
            "what": each.event.what,
            "user": each.event.user or None,
            "fingerprint": each.event.fingerprint or None,
            "generation": each.event.generation,
            "detail": dict(each.event.detail),
            "sha256": each.sha256,
        }
        for each in shown
    ]
    checked = None
    if verified is not None:
        checked = {
            "intact": not verified.faults,
            "events": verified.count,
            "head": verified.head,
            "generation": verified.generation,
            "begins": verified.begins,
            "torn_bytes": verified.torn_bytes,
            "faults": [{"line": fault.line or None, "what": fault.what} for fault in verified.faults],
        }
    return document("keys-log/v1", verified=checked, events=rows)


def _log_table(shown: Sequence[RecordedEvent]) -> str:
    from provision.report.terminal import table

    return table(
        ("WHEN (UTC)", "WHO", "WHAT", "USER", "KEY", "MORE"),
        (
            (
                f"{each.event.at:%Y-%m-%d %H:%M:%S}",
                each.event.who,
                each.event.what,
                each.event.user,
                each.event.fingerprint,
                " ".join(f"{name}={value}" for name, value in each.event.detail.items()),
            )
            for each in shown
        ),
    )
