"""`provision build-zipapp`: provision as a single file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run


@app.command("build-zipapp")
def build_zipapp_command(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")] = Path("provision.pyz"),
    python: Annotated[
        list[str] | None, typer.Option("--python", help="For this Python, such as 3.12; repeatable. Default: this one.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", metavar="TAG", help="For another system, by its wheels' tag.")
    ] = None,
    interpreter: Annotated[
        str, typer.Option("--interpreter", help="What the file's first line names.")
    ] = "/usr/bin/env python3",
) -> None:
    """Build provision as a single file for any Python.

    It unpacks itself into ~/.cache/hermes-provision on its first run. Without options it is for this Python on this kind of
    system and needs no network; otherwise pip fetches the same versions as wheels.
    """
    from provision.packaging.zipapp import build_zipapp

    run: Run = ctx.obj
    inside = build_zipapp(output, pythons=tuple(python or ()), platform=platform, interpreter=interpreter)
    for name in inside:
        run.detail(name)
    run.say(f"wrote {output}: {output.stat().st_size / 1e6:.1f} MB, {len(inside)} packages")
