"""`provision simulator …`: a simulated gateway for rehearsals, and orders to it, from the folder of a workspace.

`start` serves in the foreground and leaves its port and token in `.provision/simulator.json`, readable by its owner only. The
other commands read that file. Keys are named as everywhere: by user, or by fingerprint.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output, TableOrJson
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from provision.aisa.simulator.control import ControlClient
    from provision.fleet.workspace import Workspace
    from provision.keys.vault.vault import Vault

simulator_app = typer.Typer(
    help="Rehearse with a simulated gateway: revoke keys, make models fail.", no_args_is_help=True
)
app.add_typer(simulator_app, name="simulator")

Keys = Annotated[
    list[str], typer.Argument(metavar="USER|FINGERPRINT...", help="Users (see --stage), or fingerprints of keys.")
]
KeyStage = Annotated[str, typer.Option("--stage", help="Which key of a user: current, previous, pending or retired.")]


@simulator_app.command("start")
def start(
    ctx: typer.Context,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 chooses a free one.")] = 0,
) -> None:
    """Serve a simulated gateway on this machine until Ctrl-C. It accepts every key."""
    from provision.aisa.simulator import Simulator
    from provision.aisa.simulator.control import ControlDesk, SimulatorControlError
    from provision.files import write_atomic

    run: Run = ctx.obj
    workspace = run.open_workspace()
    token = secrets.token_urlsafe(32)
    simulator = Simulator(desk=ControlDesk(token), port=port, record=10_000)
    file = _file(workspace)

    def ready(running: Simulator) -> None:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if not (file.parent / ".gitignore").exists():
            write_atomic(file.parent / ".gitignore", b"*\n", mode=0o644, durable=False)
        state = {"port": running.port, "token": token, "pid": os.getpid()}
        write_atomic(file, json.dumps(state).encode(), mode=0o600, durable=False)
        run.result(f"{running.base_url}\n")
        if workspace.settings.gateway.rstrip("/") != running.base_url:
            run.say(
                f'this workspace uses {workspace.settings.gateway}; to rehearse: gateway = "{running.base_url}" in provision.toml'
            )
        run.say("serving until Ctrl-C; in another terminal: provision simulator status")

    try:
        with contextlib.suppress(KeyboardInterrupt):
            simulator.serve_forever(ready)
    except OSError as e:
        raise SimulatorControlError(
            f"cannot serve on port {port}: {e.strerror or e}",
            hint="choose another one: provision simulator start --port 0",
        ) from e
    finally:
        if (_read(workspace) or {}).get("pid") == os.getpid():
            file.unlink(missing_ok=True)


@simulator_app.command("revoke")
def revoke(ctx: typer.Context, keys: Keys, stage: KeyStage = "current") -> None:
    """Revoke keys, as in the console: the next request with them is a 401."""
    _set_keys(ctx, keys, stage, "revoked")


@simulator_app.command("disable")
def disable(ctx: typer.Context, keys: Keys, stage: KeyStage = "current") -> None:
    """Disable keys, as in the console. `restore` enables them again."""
    _set_keys(ctx, keys, stage, "disabled")


@simulator_app.command("unfund")
def unfund(ctx: typer.Context, keys: Keys, stage: KeyStage = "current") -> None:
    """Take the money from keys: calls with them get a 402."""
    _set_keys(ctx, keys, stage, "unfunded")


@simulator_app.command("restore")
def restore(ctx: typer.Context, keys: Keys, stage: KeyStage = "current") -> None:
    """Make keys valid and funded again."""
    _set_keys(ctx, keys, stage, "valid")


@simulator_app.command("slow")
def slow(
    ctx: typer.Context,
    seconds: Annotated[float, typer.Argument(min=0.0, max=600.0, help="Seconds before each answer; 0 for none.")],
) -> None:
    """Delay every answer."""
    run: Run = ctx.obj
    _client(run.open_workspace()).send(order="slow", seconds=seconds)
    run.say(f"answers after {seconds:g} s" if seconds else "answers at once")


@simulator_app.command("fail")
def fail(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Model id.")],
    with_: Annotated[
        str,
        typer.Option(
            "--with", metavar="FAULT", help="How: bad_gateway (502), or another fault; a wrong name lists all."
        ),
    ] = "bad_gateway",
    times: Annotated[
        int | None, typer.Option("--times", min=1, help="How many calls. Default: all, until recover.")
    ] = None,
) -> None:
    """Make calls of one model fail."""
    from provision.aisa.simulator import ModelFault

    run: Run = ctx.obj
    if with_ not in set(ModelFault):
        raise UsageError(f"unknown fault '{with_}'", hint=f"use one of: {', '.join(ModelFault)}")
    _client(run.open_workspace()).send(order="fail", model=model, fault=with_, times=times)
    run.say(f"calls of {model} fail with {with_}")


@simulator_app.command("recover")
def recover(ctx: typer.Context) -> None:
    """End all faults of models. Keys keep their states."""
    run: Run = ctx.obj
    _client(run.open_workspace()).send(order="recover")
    run.say("all models answer")


@simulator_app.command("status")
def status(ctx: typer.Context, format_: TableOrJson = Format.TABLE, output: Output = None) -> None:
    """Show the keys that the simulator knows, with their states, and the faults."""
    from provision.report.document import document

    run: Run = ctx.obj
    workspace = run.open_workspace()
    client = _client(workspace)
    found = client.send(order="status")
    rows = _key_rows(found["keys"], _vault(workspace), client.token)
    shown = {name: found[name] for name in ("requests", "paid", "delay_s", "faults")}
    run.result(document("simulator/v1", keys=rows, **shown) if format_ is Format.JSON else _text(rows, shown), output)


def _key_rows(entries: Sequence[dict[str, Any]], vault: Vault, token: str) -> list[dict[str, Any]]:
    """The simulator's keys, with what the vault knows about them."""
    from provision.aisa.simulator.control import key_name

    versions = [(user, known) for user in vault.users for known in vault.versions(user)]
    names = {key_name(token, vault.value(user, known.version).reveal()): (user, known) for user, known in versions}
    rows = []
    for entry in entries:
        user, known = names.get(entry["key"], ("", None))
        of_vault = (known.stage.value, known.fingerprint) if known else ("not in the vault", "")
        row = (user, *of_vault, entry["state"], entry["requests"])
        rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return rows


_COLUMNS = ("user", "stage", "fingerprint", "state", "requests")


def _text(rows: Sequence[dict[str, Any]], shown: dict[str, Any]) -> str:
    from provision.report.terminal import plural, printable, table

    lines = [table(("USER", "STAGE", "KEY", "STATE", "REQUESTS"), [tuple(row.values()) for row in rows])]
    for fault in shown["faults"]:
        times = f", {fault['times']} times" if fault["times"] else ""
        lines.append(printable(f"{fault['model']} fails with {fault['fault']}{times}") + "\n")
    requests, paid = plural(shown["requests"], "request"), plural(shown["paid"], "paid call")
    lines.append(f"{requests}, {paid}; delay {shown['delay_s']:g} s\n")
    return "".join(lines)


def _set_keys(ctx: typer.Context, keys: Sequence[str], stage: str, state: str) -> None:
    from provision.aisa.simulator.control import key_name

    run: Run = ctx.obj
    workspace = run.open_workspace()
    client, vault = _client(workspace), _vault(workspace)
    for user, version in [found for name in keys for found in _named(vault, name, stage)]:
        client.send(order="key", key=key_name(client.token, vault.value(user, version).reveal()), state=state)
        run.say(f"{user}, version {version}: {state}")


def _named(vault: Vault, name: str, stage: str) -> list[tuple[str, int]]:
    """The versions that a user or a fingerprint names. Raises UsageError if there are none."""
    from provision.keys.vault.ledger import Stage

    if stage not in set(Stage):
        raise UsageError(f"unknown stage '{stage}'", hint=f"use one of: {', '.join(Stage)}")
    by_user = [known for known in vault.versions(name) if known.stage == stage] if name in vault.users else []
    found = by_user or list(vault.find(name))[:1]
    if not found:
        hint = "list them: provision keys list --all"
        raise UsageError(f"no {stage} key of this user, or unknown fingerprint", hint=hint)
    return [(known.user, known.version) for known in found]


def _vault(workspace: Workspace) -> Vault:
    from provision.keys.identities import load_identities
    from provision.keys.vault.file import open_vault

    return open_vault(workspace.vault, load_identities(workspace.identity))


def _file(workspace: Workspace) -> Path:
    return workspace.root / ".provision" / "simulator.json"


def _read(workspace: Workspace) -> dict[str, Any] | None:
    """The port and token of the running simulator. None without a valid file."""
    from provision.files import read_optional

    try:
        state = json.loads(read_optional(_file(workspace), 4096) or b"")
        return {"port": int(state["port"]), "token": str(state["token"]), "pid": int(state["pid"])}
    except (ValueError, KeyError, TypeError):
        return None


def _client(workspace: Workspace) -> ControlClient:
    from provision.aisa.simulator.control import ControlClient, SimulatorControlError

    state = _read(workspace)
    if state is None:
        raise SimulatorControlError(
            "no simulator runs for this workspace", hint="start it in another terminal: provision simulator start"
        )
    return ControlClient(state["port"], state["token"])
