"""`provision schema`: JSON Schema of the files that people write."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output


class File(StrEnum):
    PROFILE = "profile"
    INVENTORY = "inventory"


@app.command("schema")
def schema(
    ctx: typer.Context,
    file: Annotated[File, typer.Argument(help="Which file to describe.")],
    output: Output = None,
) -> None:
    """Print the JSON Schema of a profile or inventory.

    For editors, which then complete and check as one types.
    """
    import json

    from provision.fleet.schema import json_schema

    run: Run = ctx.obj
    run.result(json.dumps(json_schema(file), indent=2, ensure_ascii=False) + "\n", output)
