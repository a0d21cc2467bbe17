"""`provision models`: all models, their kind, API modes and users."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit, ProvisionError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from provision.aisa.answers import Listing
    from provision.aisa.catalogue import Catalogue
    from provision.detect.secret import Secret
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace

_MAX_KEYS = 5


class NoLiveListError(ProvisionError):
    """The gateway returned no list of models."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model. `live` is None when the gateway was not asked."""

    model: str
    kind: str
    modes: tuple[str, ...] | None
    status: str
    live: bool | None
    users: int


@app.command("models")
def models(
    ctx: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Ask the gateway which models it serves now.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Ask the gateway and save the answer as the workspace's catalogue.")
    ] = False,
    used: Annotated[bool, typer.Option("--used", help="List only models in use.")] = False,
    limit: Limit = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """List models with their kind, API modes and users.

    With --live, also report models in use that the gateway no longer serves. Exits with 10 when there is one, with 4
    when that is unknown.
    """
    from datetime import UTC, datetime

    from provision.cli.workspace.gateway import open_catalogue
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    today = datetime.now(UTC).date()
    catalogue = open_catalogue(workspace)
    listed = _live(workspace, states, today) if live or update else None
    rows = model_rows(states, catalogue, listed)
    gone = [row.model for row in rows if row.users and row.live is False]
    shown = [row for row in rows if row.users or not used]
    text = _json(shown, catalogue, gone) if format_ is Format.JSON else _table(shown, catalogue, gone)
    run.result(text, output)
    if update and listed is not None:
        _update(run, workspace, catalogue, listed, today)
    if listed is not None and listed.partial:
        run.say("the gateway's list has more pages, which were not read: models without `yes` may be served or not")
        unread = any(row.users and row.live is None for row in rows)
        raise typer.Exit(Exit.PARTIAL if unread else Exit.OK)
    raise typer.Exit(Exit.FINDINGS if gone else Exit.OK)


def _live(workspace: Workspace, states: Sequence[DesiredState], today: date) -> Listing:
    """The models that the gateway serves to up to five different keys, together."""
    import asyncio

    from provision.aisa.base_url import gateway_root, is_allowed
    from provision.aisa.client import Client
    from provision.aisa.live_list import fetch_live_list
    from provision.cli.workspace.gateway import build_subjects, network_settings, open_keys

    settings = workspace.settings
    place = gateway_root(settings.gateway)
    keys, salt = open_keys(workspace, today)
    chosen: dict[str, Secret] = {}
    for subject in build_subjects(states[: 4 * _MAX_KEYS], keys, salt, settings.gateway_hosts):
        if subject.key is not None and len(chosen) < _MAX_KEYS and gateway_root(subject.base_url) == place:
            chosen.setdefault(subject.fingerprint, subject.key)
    if not is_allowed(place + "/", settings.gateway_hosts):
        raise NoLiveListError(
            f"gateway {place} is not in gateway_hosts", hint="set gateway or gateway_hosts in provision.toml"
        )

    async def ask() -> Listing:
        async with Client(settings.gateway_hosts, concurrency=1, network=network_settings(workspace)) as client:
            found, answers = await fetch_live_list(client, place, list(chosen.values()) or [None])
        if found is None:
            said = ", ".join(sorted({str(a.status or a.failure) for a in answers}))
            raise NoLiveListError(f"the gateway returned no list of models ({said})", hint="provision validate")
        return found

    return asyncio.run(ask())


def model_rows(states: Sequence[DesiredState], catalogue: Catalogue, live: Listing | None) -> list[ModelRow]:
    """One row per model of the catalogue, of the live list, or in use."""
    users = Counter(s.profile.model for s in states)
    ids = dict.fromkeys([*catalogue.models, *sorted(live.models if live else ()), *sorted(users)])
    rows = []
    for model in ids:
        types = live.models.get(model) if live else None
        found = catalogue.classify(model, types)
        entry = catalogue.models.get(model)
        modes = None if found.modes is None else tuple(sorted(found.modes))
        status = entry.status if entry else "not in the catalogue"
        rows.append(ModelRow(model, found.kind, modes, status, _served(model, live), users[model]))
    return rows


def _served(model: str, live: Listing | None) -> bool | None:
    """Whether the gateway lists the model. None without a list, or if further pages of the list were not read."""
    if live is None:
        return None
    return True if model in live.models else None if live.partial else False


def _json(rows: Sequence[ModelRow], catalogue: Catalogue, gone: Sequence[str]) -> str:
    from provision.report.document import document

    return document(
        "models/v1",
        catalogue={"as_of": catalogue.as_of, "source": catalogue.source},
        models=[
            {
                "id": r.model,
                "kind": r.kind,
                "api_modes": None if r.modes is None else list(r.modes),
                "status": r.status,
                "live": r.live,
                "users": r.users,
            }
            for r in rows
        ],
        gone_but_used=list(gone),
    )


def _table(rows: Sequence[ModelRow], catalogue: Catalogue, gone: Sequence[str]) -> str:
    from provision.report.terminal import plural, printable, table

    live = {None: "", True: "yes", False: "no"}
    lines = [
        (r.model, r.kind, "?" if r.modes is None else ", ".join(r.modes) or "-", r.status, live[r.live], r.users or "")
        for r in rows
    ]
    text = table(("MODEL", "KIND", "API MODES", "STATUS", "LIVE", "USERS"), lines)
    text += f"\ncatalogue of {catalogue.as_of}: {plural(len(rows), 'model')}\n"
    for model in gone:
        near = ", ".join(catalogue.nearest(model))
        text += (
            printable(f"in use, but not served by the gateway: {model}" + (f" (nearest: {near})" if near else ""))
            + "\n"
        )
    return text


def _update(run: Run, workspace: Workspace, catalogue: Catalogue, live: Listing, today: date) -> None:
    from provision.aisa.catalogue import serialise_catalogue
    from provision.aisa.live_list import updated_catalogue
    from provision.files import write_atomic
    from provision.report.terminal import plural

    newer = updated_catalogue(catalogue, live, today.isoformat())
    write_atomic(workspace.catalogue, serialise_catalogue(newer), mode=0o644)
    run.say(f"wrote {workspace.name_of(workspace.catalogue)}: {plural(len(live.models), 'model')} served")
