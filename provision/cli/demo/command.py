"""`provision demo`: run all steps, then print a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.report.output import write_output


@app.command("demo")
def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder of the demo.")] = False,
) -> None:
    """Run the whole workflow against a gateway simulator.

    Commands, files, cryptography and HTTP are real. Runs in a temporary folder; needs no account and no network.
    """
    import tempfile
    from contextlib import ExitStack

    from provision.aisa.simulator import Simulator
    from provision.cli.demo import acts, problems
    from provision.cli.demo.stage import DemoStage
    from provision.cli.demo.summary import demo_summary
    from provision.cli.demo.users import DEMO_USERS
    from provision.scratch import Scratch, scratch_folder

    run: Run = ctx.obj
    with ExitStack() as stack:
        folder = (
            Path(tempfile.mkdtemp(prefix="provision-kept-"))
            if keep
            else stack.enter_context(scratch_folder(Scratch.DEMO))
        )
        if keep:
            stack.callback(run.say, f"all files are in {folder}")
        stage = DemoStage(folder, _say, brief=run.quiet)
        with Simulator(keys={user.key: "valid" for user in DEMO_USERS}) as sim:
            acts.set_up(stage, sim)
            acts.enrol(stage)
            acts.check(stage)
            acts.keys(stage)
            acts.render(stage)
            verdicts = acts.validate(stage)
            problems.validate_problems(stage, sim)
            acts.install(stage, sim)
            acts.refusals(stage)
            statuses = acts.status(stage)
            leaks = acts.search_for_keys(stage)
            hermes = acts.ask_hermes(stage, sim)
        run.result(demo_summary(verdicts, statuses, leaks, hermes))


def _say(line: str) -> None:
    write_output((line + "\n",), None)
