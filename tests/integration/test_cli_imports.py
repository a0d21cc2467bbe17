"""Which libraries each command imports: what a command does not need must not make its start longer. Nothing is timed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = {
    "pydantic", "pydantic_settings", "httpx", "cryptography", "ruamel", "yaml", "jinja2", "rich", "pyrage", "filelock", "asyncio",
    "email", "http", "urllib.request", "importlib.metadata", "logging", "ansible", "numpy", "PIL", "multiprocessing", "sqlite3",
    "zipfile", "tarfile",
}  # fmt: skip
ROOMS = {
    f"provision.{name}"
    for name in (
        "fleet.workspace",
        "bundle",
        "endpoint.state",
        "trust",
        "report.html",
        "report.junit",
        "audit.sources.git",
        "audit.workers",
        "containers.walk",
        "containers.rewrite",
        "containers.formats.registry",
        "redact.structured.yaml_text",
    )
}
MODELS = {"pydantic", "importlib.metadata", "email", "logging"}
"""Settings and manifests: pydantic and what it imports. pydantic-settings brings asyncio."""
WORKSPACE = MODELS | {"pydantic_settings", "asyncio", "provision.fleet.workspace", "yaml"}
PROBE = """
import sys
from provision.cli.main import run
code = run(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The libraries and rooms that a command line imported, of those that count here."""
    environ = {**os.environ, "HOME": str(folder), "PROVISION_CONFIG_DIR": str(folder / "config"), "TZ": "UTC"}
    environ.pop("HERMES_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, cwd=folder, env=environ, check=True
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    assert code in {"0", "10"}, done.stderr
    heavy = LIBRARIES | ROOMS
    return {name for name in heavy if any(each == name or each.startswith(f"{name}.") for each in modules)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without Hermes and without a workspace, with a text and a workspace beside it."""
    found = tmp_path_factory.mktemp("imports")
    (found / "text.txt").write_text("hello\n")
    subprocess.run(
        [sys.executable, "-m", "provision", "-q", "init", "ws"], cwd=found, check=True, capture_output=True,
        env={**os.environ, "HOME": str(found), "PROVISION_CONFIG_DIR": str(found / "ws-config")},
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--help",), set()),
        (("audit", "--help"), set()),
        (("completion", "bash"), set()),
        (("audit", "text.txt"), set()),
        (("-q", "audit", "--min-confidence", "medium", "--allow-unread", "text.txt"), set()),  # the pre-commit hook
        (("redact", "text.txt"), set()),
    ],
)  # fmt: skip
def test_a_command_imports_no_library_that_it_does_not_need(
    folder: Path, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    assert loaded(folder, *arguments) <= allowed
