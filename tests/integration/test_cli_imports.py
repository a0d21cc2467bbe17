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
    "zipfile", "tarfile", "ssl", "dotenv", "argparse", "tomllib",
}  # fmt: skip
ROOMS = {
    f"provision.{name}"
    for name in (
        "fleet.workspace",
        "bundle.manifest",
        "bundle.render",
        "endpoint.state",
        "endpoint.plan",
        "aisa.catalogue",
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
MODELS = {"pydantic", "importlib.metadata", "email", "zipfile"}
"""What validates, and what it imports: pydantic looks for its plug-ins."""
HOME = MODELS | {
    *("yaml", "dotenv", "logging", "cryptography", "pyrage"),
    *("provision.bundle.manifest", "provision.endpoint.state", "provision.trust"),
}
"""What a machine's home needs: manifests, configuration, `.env`, signatures, age."""
WORKSPACE = MODELS | {
    *("pydantic_settings", "asyncio", "logging", "ssl", "argparse", "dotenv", "tomllib"),
    *("provision.fleet.workspace", "yaml"),
}
"""Settings and the files of the fleet. pydantic-settings brings the first row."""
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
    """A text, a workspace with one user, and a home that the user's bundle is installed in."""
    found = tmp_path_factory.mktemp("imports")
    environ = {**os.environ, "HOME": str(found), "PROVISION_CONFIG_DIR": str(found / "operator")}

    def run(*arguments: str, data: str = "") -> None:
        subprocess.run(
            [sys.executable, "-m", "provision", "-q", *arguments], cwd=found, check=True, capture_output=True, env=environ,
            input=data, text=True,
        )  # fmt: skip

    (found / "text.txt").write_text("hello\n")
    run("init", "ws")
    identity = (found / "operator" / "identity.txt").read_text()
    recipient = identity.partition("public key: ")[2].split()[0]
    (found / "ws" / "inventory.yaml").write_text(
        f"users:\n  - {{id: ada, profile: engineering, recipients: [{recipient}]}}\n"
    )
    run("-w", "ws", "keys", "import", "-", data="user,key\nada,sk-aisa-TEST-00000001\n")
    run("-w", "ws", "render")
    run("install", "ws/dist/ada", *MACHINE)
    return found


MACHINE = ("--home", "home", "--allowed-signers", "ws/allowed_signers", "--identity", "operator/identity.txt")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--help",), set()),
        (("audit", "--help"), set()),
        (("completion", "bash"), set()),
        (("audit", "text.txt"), set()),
        (("-q", "audit", "--min-confidence", "medium", "--allow-unread", "text.txt"), set()),  # the pre-commit hook
        (("redact", "text.txt"), set()),
        (("status", *MACHINE), HOME),
        (("install", "--dry-run", "ws/dist/ada", *MACHINE), HOME | {"ruamel", "tarfile", "provision.endpoint.plan"}),
        (("-w", "ws", "check"), WORKSPACE | {"cryptography", "pyrage", "tarfile", "provision.trust", "provision.aisa.catalogue"}),
        (("-w", "ws", "show", "ada"), WORKSPACE),
    ],
)  # fmt: skip
def test_a_command_imports_no_library_that_it_does_not_need(
    folder: Path, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    assert loaded(folder, *arguments) <= allowed
