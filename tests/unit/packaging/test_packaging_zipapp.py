"""What goes into the single file, as far as that can be told without building one."""

from __future__ import annotations

import pytest

from provision.errors import UsageError
from provision.packaging.zipapp import _closure, _version


def test_everything_that_provision_imports_is_in() -> None:
    names = {d.name.lower().replace("_", "-") for d in _closure()}
    assert names >= {"pydantic", "pydantic-core", "pyrage", "cryptography", "ruamel.yaml", "typer", "httpx", "certifi"}
    assert not names & {"pytest", "ansible-core", "shiv", "hermes-provision", "hermes-agent", "pip"}


def test_pythons_that_provision_runs_on() -> None:
    assert _version("3.12") == (3, 12)
    for text in ("3.10", "2.7", "3", "3.12.1", "x"):
        with pytest.raises(UsageError):
            _version(text)
