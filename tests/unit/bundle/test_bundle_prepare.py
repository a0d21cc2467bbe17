"""From a workspace to the inputs of a render: whose recipients bundles are sealed to, and which workspace they name."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from bundlecraft import TEMPLATES
from keysmith import identity, vault

from provision.bundle.plan import RenderInputs
from provision.bundle.prepare import render_inputs
from provision.fleet.workspace import load_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def inputs(root: Path, settings: str) -> RenderInputs:
    (root / "provision.toml").write_text(settings)
    (root / "inventory.yaml").write_text("users: []\n")
    shutil.copytree(TEMPLATES, root / "templates", dirs_exist_ok=True)
    return render_inputs(load_workspace(root), vault(ada="one"), NOW, {})


def test_the_vault_names_the_workspace_and_gives_the_keys(tmp_path: Path) -> None:
    found = inputs(tmp_path, "bundle_days = 7\n")
    made = vault(ada="one")
    assert len(found.workspace_id) == len(made.workspace_id) == 32
    assert found.workspace_id != made.workspace_id
    assert (found.bundle_days, found.operators) == (7, ())
    key = found.keys.key_for("ada")
    assert key is not None
    assert key.reveal() == "one"
    assert found.keys.key_for("bob") is None


def test_bundles_are_sealed_to_the_operators_of_the_vault_on_request(tmp_path: Path) -> None:
    assert inputs(tmp_path, "seal_to_operators = true\n").operators == (identity(0)[1],)
