"""The command tree. A new command is one module with a function, and one line in the table here.

The table lets `--help` list every command without imports. A command starts without building the others: its module is
imported when it is called.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

import provision
from provision.cli.plain_values import make_plain, take_plain_values

SECTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "Try it out": {
        "demo": ("Run the whole workflow against a gateway simulator.", "demo.command"),
        "simulator": ("Rehearse with a simulated gateway: revoke keys, make models fail.", "demo.simulator"),
    },
    "Workspace (IT)": {
        "init": ("Create a workspace and your operator keys.", "workspace.init"),
        "check": ("Check all workspace files (offline).", "workspace.check"),
        "doctor": ("Find what is wrong with this workspace or machine.", "workspace.doctor"),
        "show": ("Show the desired state of one user.", "workspace.show"),
        "profiles": ("Team profiles.", "workspace.profiles_new", "workspace.profiles_set"),
        "schema": ("Print the JSON Schema of a profile or inventory.", "workspace.schema"),
        "models": ("List models with their kind, API modes and users.", "workspace.models"),
        "validate": ("Validate every user's key and model against the gateway.", "workspace.validate"),
        "report": ("Write a report on the whole fleet.", "workspace.report"),
        "notify": ("Send a test message to each target of `notify` in provision.toml.", "workspace.notify"),
    },
    "People and machines (IT)": {
        "adopt": ("Take keys that users pasted into their Hermes homes into the vault.", "users.adopt"),
        "machines": ("Machines of users.", "machines.enroll", "machines.lost", "machines.set"),
        "users": (
            "Users who join, move and leave.",
            *("users.list", "users.change", "users.import_users", "users.leave"),
        ),
    },
    "API keys (IT)": {
        "keys": (
            "Manage the vault of API keys.",
            *("keys.list", "keys.merge", "keys.import_keys", "keys.policy", "keys.demo", "keys.log"),
            "keys.whose",
        ),
        "usage": ("Show who spends what, against budgets and caps.", "keys.usage"),
    },
    "Operators (IT)": {
        "operators": (
            "Manage operators and the trust list.",
            "operators.members",
            "operators.changes",
            "operators.approve",
        ),
        "recovery": ("Test or use the recovery key.", "operators.recovery"),
    },
    "Key rotation (IT)": {
        "rotate": (
            "Replace API keys in bulk, without an outage.",
            *("rotate.start", "rotate.resume", "rotate.status", "rotate.leaked", "rotate.rollback", "rotate.finish"),
            "rotate.retire",
        ),
    },
    "Delivery to machines (IT)": {
        "render": ("Build a signed, encrypted bundle per user in dist/.", "delivery.render"),
        "diff": ("Show what render would change.", "delivery.diff"),
        "deploy": ("Install bundles on many machines through Ansible.", "delivery.deploy"),
        "publish": ("Publish dist/ as a signed feed of static files.", "delivery.publish"),
        "package": ("Build packages for Intune, Jamf, Munki, pkg, deb, rpm.", "delivery.package"),
        "build-zipapp": ("Build provision as one file that any Python runs.", "delivery.build_zipapp"),
        "reconcile": ("Bring everything up to date, once: for cron and CI.", "delivery.reconcile"),
        "halt": ("Order machines to stop Hermes until a time.", "delivery.orders"),
        "resume": ("End a halt before its time.", "delivery.orders"),
        "receipts": ("Import and list the signed receipts of endpoints.", "delivery.receipts"),
    },
    "On a user's machine": {
        "enroll": ("Create this machine's keys and print what IT needs.", "endpoint.enroll"),
        "install": ("Install a bundle and keep the user's own settings.", "endpoint.install"),
        "pull": ("Install the newest bundle from IT's feed.", "endpoint.pull"),
        "status": ("Show where Hermes sends its requests.", "endpoint.status"),
        "run": ("Run a command with the API key in memory only.", "endpoint.run"),
        "uninstall": ("Take out of this machine's Hermes what provision set.", "endpoint.uninstall"),
    },
    "Leak protection": {
        "audit": ("Find leaked keys and hijacked routes.", "leaks.audit.command"),
        "redact": ("Mask secrets in text, streams, recordings, files.", "leaks.redact"),
        "checklist": ("Check files for secrets before they are published.", "leaks.checklist"),
    },
    "Help": {
        "help": ("Explain a command or a topic.", "reference.command"),
        "completion": ("Print the completion script of a shell.", "reference.command"),
    },
}
"""Commands in the groups of `--help`: the help line of each, and its modules in `provision.cli`."""

COMMANDS = {name: entry for commands in SECTIONS.values() for name, entry in commands.items()}


class Sections(TyperGroup):
    """The commands of the table, listed by section. Each is built when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._complete: set[str] = set()

    def get_params(self, ctx: Any) -> Any:
        """The options before the command's name, which convert plain values themselves."""
        params = super().get_params(ctx)
        make_plain(params)
        return params

    def list_commands(self, ctx: Any) -> list[str]:  # click's types, or those of typer's own copy of it
        """All names of commands; a mistyped name is compared with them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, whose modules are imported now; None for an unknown name."""
        if cmd_name in COMMANDS and cmd_name not in self._complete:
            for module in COMMANDS[cmd_name][1:]:
                import_module(f"provision.cli.{module}")
            built = _with_global_options(get_group(app).commands[cmd_name], self.params)
            take_plain_values(built, ctx)
            self.commands[cmd_name] = _with_examples(built, cmd_name)
            self._complete.add(cmd_name)
        return self.commands.get(cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Ctrl-C aborts it with our exit code; typer alone would exit silently with 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as e:
            raise typer.Abort from e

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Like click's method, but suggestions come from the table."""
        if args[0] in COMMANDS:
            return super().resolve_command(ctx, args)
        built = self.commands
        self.commands = {**dict.fromkeys(COMMANDS, self), **built}
        try:
            return super().resolve_command(ctx, args)
        finally:
            self.commands = built

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one list per section for `--help`."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry[0]) for name, entry in commands.items()])


def _with_global_options(command: Any, options: list[Any]) -> Any:
    """The command, and those below it, with the options of `provision` itself: `check -q` means `-q check`."""
    for below in getattr(command, "commands", {}).values():
        _with_global_options(below, options)
    taken = {name for param in command.params for name in param.opts}
    for option in options:
        if not taken & set(option.opts):
            behind = copy(option)
            behind.name, behind.hidden, behind.expose_value = f"global_{option.name}", True, False
            if option.callback is None:
                behind.callback = partial(_set_global_option, option.name)
            command.params.append(behind)
    return command


def _with_examples(command: Any, name: str) -> Any:
    """The command, and those below it, with examples at the end of their help."""
    from provision.cli.reference.examples import EXAMPLES

    for word, below in getattr(command, "commands", {}).items():
        _with_examples(below, f"{name} {word}")
    examples = EXAMPLES.get(name, ())
    if examples:
        note = "All commands also take -w, -q and -v: provision --help"
        command.epilog = "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples), "", "\b", note])
    return command


def _set_global_option(name: str, ctx: Any, _param: Any, value: Any) -> None:
    if value is None or value is False:
        return
    each = ctx
    while each is not None:  # the commands above share the value
        each.obj = replace(each.obj, **{name: value}) if each.obj else each.obj
        each = each.parent


# without rich: importing it for --help would triple the start-up time
app = typer.Typer(
    name="provision",
    cls=Sections,
    help="Roll the Hermes agent out to many machines on the AIsa gateway.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"provision {provision.__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", help="Folder with provision.toml. Default: this folder or one above."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print more details on stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Roll the Hermes agent out to many machines on the AIsa gateway."""
    from provision.cli.context import Run

    ctx.obj = Run(workspace=workspace, quiet=quiet, verbose=verbose)
