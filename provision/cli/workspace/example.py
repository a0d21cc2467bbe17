"""Locate the example workspace: inside the wheel, or the repository itself when run from source."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from provision.errors import ProvisionError


class NoExampleError(ProvisionError):
    """The installation is incomplete."""


def example_workspace() -> Path:
    """The folder with `profiles/`, `templates/` and `inventory.example.yaml`. Raises NoExampleError."""
    package = Path(str(files("provision")))
    for folder in (package / "example", package.parent):
        if (folder / "inventory.example.yaml").is_file() and (folder / "profiles").is_dir():
            return folder
    raise NoExampleError(
        "the example workspace is missing from this installation", hint="install hermes-provision again"
    )
