"""`demo`: play the story, then show what a manager wants to see."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run


@app.command("demo")
def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder behind, to look around in it.")] = False,
) -> None:
    """Run the whole workflow against a gateway simulator.

    Everything else is real: commands, files, cryptography, HTTP. In a temporary folder; no account, no network.
    """
    import shutil
    import tempfile

    from provision.aisa.simulator import Simulator
    from provision.cli.demo import acts, troubles
    from provision.cli.demo.people import PEOPLE
    from provision.cli.demo.stage import DemoStage
    from provision.cli.demo.summary import summary

    run: Run = ctx.obj
    folder = Path(tempfile.mkdtemp(prefix="provision-demo-"))
    stage = DemoStage(folder, _say, brief=run.quiet)
    try:
        with Simulator(keys={person.key: "valid" for person in PEOPLE}) as sim:
            acts.set_up(stage, sim)
            acts.enrol(stage)
            acts.check(stage)
            acts.keys(stage)
            acts.render(stage)
            verdicts = acts.validate(stage)
            troubles.play(stage, sim)
            acts.install(stage, sim)
            acts.refusals(stage)
            statuses = acts.status(stage)
            found = acts.search_for_keys(stage)
            asked = acts.ask_hermes(stage, sim)
        run.result(summary(verdicts, statuses, found, asked))
    finally:
        if keep:
            run.say(f"everything is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
