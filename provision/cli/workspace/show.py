"""`provision show USER`: the desired state of one user, and the place that set each value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output, TableOrJson
from provision.errors import InvalidFilesError, Severity
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import DesiredState
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace

_SECRET_NAME = re.compile(r"(?i)(key|token|secret|passw(or)?d|credential|authorization)s?$")
_PROFILE_FIELDS = (
    *("description", "model", "base_url", "api_mode", "context_length", "provider", "key_env", "fallback_models"),
    *("hermes", "env", "secret_delivery", "capabilities", "language", "managed", "key_max_age_days", "hermes_version"),
    *("side_routes", "allowed_hosts", "budget_usd_month", "policy"),
)
_NOT_SECRET = frozenset({"key_env", "endpoint_key"})


@app.command("show")
def show(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    origin: Annotated[
        bool, typer.Option("--origin", help="Show the file, line and column that set each value.")
    ] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show the desired state of one user.

    All settings after inheritance and overrides, and the config.yaml that Hermes gets. Secrets are masked.
    """
    from provision.fleet.load import load_fleet
    from provision.report.document import document
    from provision.report.terminal import plural, printable, table

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    state = _state_of(fleet, user)
    errors = sum(p.severity is Severity.ERROR for p in fleet.problems)
    if errors:
        run.say(f"note: {plural(errors, 'error')} in other workspace files; see: provision check")
    rendering, failure = _rendering(state, workspace)
    values = [(path, _masked(path, value)) for path, value in _values(state)]
    if format_ is Format.JSON:
        settings = {path: {"value": value, "origin": _origin(state, path, "", unset=None)} for path, value in values}
        text = document(
            "show/v1",
            user=state.user,
            settings=settings,
            rules=[dict(zip(("rule", "enforced_by", "way_around"), rule, strict=True)) for rule in _rules(state)],
            rendering=rendering,
            rendering_error=failure,
        )
        run.data(text, output)
        return
    prefix = run.path_prefix(workspace.root)
    headers = ("SETTING", "VALUE", "SET BY") if origin else ("SETTING", "VALUE")
    rules = _rules(state)
    rows = [(path, _text(value), _origin(state, path, prefix))[: len(headers)] for path, value in values]
    text = table(headers, rows) + "\n"
    if rules:
        text += table(("RULE", "ENFORCED BY", "A USER GETS AROUND IT BY"), rules) + "\n"
    if failure:
        text += printable(f"config.yaml cannot be rendered: {failure}") + "\n"
    else:
        text += "config.yaml\n" + "".join(
            f"  {printable(line)}".rstrip() + "\n" for line in (rendering or "").splitlines()
        )
    run.data(text, output)


def _state_of(fleet: Fleet, user: str) -> DesiredState:
    from provision.fleet.limit import no_match_error

    found = next((state for state in fleet.states if state.user == user), None)
    if found:
        return found
    if user in fleet.refused:
        raise InvalidFilesError(p for p in fleet.problems if p.severity is Severity.ERROR)
    raise no_match_error(f"unknown user {user!r}", user, [*(state.user for state in fleet.states), *fleet.refused])


def _values(state: DesiredState) -> Iterator[tuple[str, Any]]:
    """Every value of a desired state by its dotted path, in the order of the file formats."""
    yield "id", state.user
    for name in ("platform", "hermes_home", "hermes_profile", "host", "tags", "recipients", "endpoint_key"):
        yield from _flat(name, getattr(state, name))
    profile = state.profile
    yield "profile", profile.name
    for name in _PROFILE_FIELDS:
        yield from _flat(name, getattr(profile, name))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(f"{path}.{key}", item)
    elif isinstance(value, (list, tuple)) and value:
        for index, item in enumerate(value):
            yield from _flat(f"{path}.{index}", item)
    elif hasattr(value, "fields"):  # a policy
        yield from _flat(path, value.fields())
    elif value is None or isinstance(value, (bool, int, float, dict)):
        yield path, value
    else:
        yield path, str(value) if isinstance(value, str) else []


def _rules(state: DesiredState) -> list[tuple[str, str, str]]:
    """The rules of the policy: by what each is enforced, and how a user gets around it."""
    from provision.hermes.guardrails.settings import RULES

    rules = state.profile.policy.fields() if state.profile.policy else {}
    return [(name, RULES[name].enforced_by, RULES[name].way_around) for name in rules]


def _masked(path: str, value: Any) -> Any:
    from provision.detect.shapes import mask_secrets, masked

    if not isinstance(value, str):
        return value
    if path.partition(".")[0] in {"hermes", "env"} and _SECRET_NAME.search(path) and path not in _NOT_SECRET:
        return masked(value)
    return mask_secrets(value)


def _text(value: Any) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in ([], {}, "") else "(none)"


def _origin(state: DesiredState, path: str, prefix: str, *, unset: str | None = "default") -> str | None:
    """The place that set a value; `unset` when no file sets it."""
    known = path in state.origins or path.rpartition(".")[0] in state.origins
    place = state.origin(path)
    if not known or not place.line:
        return place.file if known and place.file.startswith("environment") else unset
    return f"{prefix}{place}"


def _rendering(state: DesiredState, workspace: Workspace) -> tuple[str | None, str | None]:
    """The `config.yaml` with secrets masked, or why it cannot be rendered."""
    from provision.aisa.base_url import with_normalised_base_url
    from provision.detect.shapes import mask_secrets
    from provision.errors import ProvisionError
    from provision.hermes.rendering.render import render_config
    from provision.hermes.rendering.templates import Templates

    try:
        text = render_config(
            with_normalised_base_url(state.profile), Templates.load(workspace.templates_dir)
        ).text.decode()
    except ProvisionError as e:
        return None, str(e)
    for path, value in _values(state):
        if isinstance(value, str) and len(value) > 3 and _masked(path, value) != value:
            text = text.replace(value, _masked(path, value))
    return mask_secrets(text), None
