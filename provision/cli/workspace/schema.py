"""`provision schema`: JSON Schema of profiles and inventory."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Output


class SchemaFile(StrEnum):
    PROFILE = "profile"
    INVENTORY = "inventory"


@app.command("schema")
def schema(
    ctx: typer.Context,
    file: Annotated[SchemaFile, typer.Argument(help="Kind of file.")],
    output: Output = None,
) -> None:
    """Print the JSON Schema of a profile or inventory.

    Editors use it to complete and check these files.
    """
    import json

    from provision.fleet.schema import json_schema

    run: Run = ctx.obj
    run.data(json.dumps(json_schema(file), indent=2, ensure_ascii=False) + "\n", output)
