"""`provision check`: judge every file of the workspace, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output, TableOrJson
from provision.errors import Exit, Problem, Severity
from provision.report.formats import Format
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from provision.cli.workspace.validation import Judgement

_OF_ONE_RULE = 10


@app.command("check")
def check(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every problem, also the hundredth of one kind.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Check all workspace files (offline).

    Profiles, inventory, base URL, API mode, model, recipients, keys' ages, and what Hermes would refuse.

    Ends with 0 when nothing is wrong (warnings and notes allowed), with 10 when there are errors.
    """
    from datetime import UTC, datetime

    from provision.cli.workspace.validation import judge_workspace

    run: Run = ctx.obj
    workspace, found = run.look_at_workspace()
    judgement = judge_workspace(workspace, found, now=datetime.now(UTC))
    if format_ is Format.JSON:
        run.result(_json(judgement, str(workspace.root)), output)
    else:
        run.result(_table(judgement, run.seen_from_here(workspace.root), everything=everything), output)
    wrong = judgement.count(Severity.ERROR) + (judgement.count(Severity.WARNING) if strict else 0)
    raise typer.Exit(Exit.FINDINGS if wrong else Exit.OK)


def _json(judgement: Judgement, workspace: str) -> str:
    from provision.report.document import document

    return document(
        "check/v1",
        workspace=workspace,
        users=len(judgement.fleet.states),
        refused=list(judgement.fleet.refused),
        profiles=sorted(judgement.fleet.profiles),
        configurations=len({id(state.profile) for state in judgement.fleet.states}),
        counts={f"{severity}s": judgement.count(severity) for severity in Severity},
        problems=[
            {
                "rule": p.rule,
                "severity": str(p.severity),
                "message": p.message,
                "hint": p.hint,
                "file": p.place.file if p.place else None,
                "line": p.place.line if p.place and p.place.line else None,
                "column": p.place.column if p.place and p.place.column else None,
            }
            for p in judgement.problems
        ],
    )


def _table(judgement: Judgement, prefix: str, *, everything: bool) -> str:
    lines: list[str] = []
    counted: dict[tuple[str, Severity], int] = {}
    last = None
    for problem in judgement.problems:
        kind = (problem.rule, problem.severity)
        counted[kind] = counted.get(kind, 0) + 1
        if counted[kind] > _OF_ONE_RULE and not everything:
            continue
        file = problem.place.file if problem.place else ""
        if lines and file != last:
            lines.append("")
        last = file
        lines += _lines(problem, prefix)
    for (rule, severity), count in counted.items():
        if count > _OF_ONE_RULE and not everything:
            lines += ["", f"… and {count - _OF_ONE_RULE:,} more {severity}s [{rule}]: --all shows them"]
    if lines:
        lines.append("")
    lines.append(_summary(judgement))
    return "".join(printable(line) + "\n" for line in lines)


def _lines(problem: Problem, prefix: str) -> list[str]:
    where = f"{prefix}{problem.place}" if problem.place else "(workspace)"
    first = f"{where}: {problem.severity}: {problem.message} [{problem.rule}]"
    return [first, f"    {problem.hint}"] if problem.hint else [first]


def _summary(judgement: Judgement) -> str:
    states = judgement.fleet.states
    counts = [(judgement.count(severity), str(severity)) for severity in Severity]
    told = ", ".join(plural(n, word) for n, word in counts if n) or "nothing to complain of"
    people = plural(len(states), "user")
    if judgement.fleet.refused:
        people = f"{people} of {len(states) + len(judgement.fleet.refused):,} usable"
    distinct = plural(len({id(state.profile) for state in states}), "distinct configuration")
    return f"{people}, {distinct}: {told}"
