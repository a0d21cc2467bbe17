"""`provision build-zipapp`: build provision as a single file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run


@app.command("build-zipapp")
def build_zipapp_command(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("provision.pyz"),
    python: Annotated[
        list[str] | None,
        typer.Option("--python", help="Python version to build for, such as 3.12; repeatable. Default: this one."),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option("--platform", metavar="TAG", help="Wheel platform tag to build for. Default: this one."),
    ] = None,
    interpreter: Annotated[
        str, typer.Option("--interpreter", help="Interpreter for the file's first line.")
    ] = "/usr/bin/env python3",
) -> None:
    """Build provision as one file that any Python runs.

    The file unpacks itself into ~/.cache/hermes-provision on its first run. Without options it is built for this Python
    and this kind of system, without network; otherwise pip downloads the same versions as wheels. Prints the file's
    SHA-256 as `sha256sum` does: give it to users over another channel than the file.
    """
    import hashlib

    from provision.packaging.zipapp import build_zipapp

    run: Run = ctx.obj
    packages = build_zipapp(output, pythons=tuple(python or ()), platform=platform, interpreter=interpreter)
    for name in packages:
        run.detail(name)
    run.say(f"wrote {output}: {output.stat().st_size / 1e6:.1f} MB, {len(packages)} packages")
    with output.open("rb") as file:
        run.data(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {output}\n")
