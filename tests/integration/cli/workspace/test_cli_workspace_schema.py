"""`provision schema` and the example workspace that it describes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from provision.cli.main import run
from provision.cli.workspace.example import example_workspace
from provision.cli.workspace.schema import SchemaFile


@pytest.mark.parametrize("file", SchemaFile)
def test_the_schema_accepts_the_examples_and_refuses_unknown_keys(
    file: SchemaFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema", file.value]) == 0
    schema = json.loads(capsys.readouterr().out)
    folder = example_workspace()
    paths = (
        [folder / "inventory.example.yaml"]
        if file is SchemaFile.INVENTORY
        else list((folder / "profiles").glob("*.yaml"))
    )
    for path in paths:
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"modle": "gpt-5.2"}, schema)
