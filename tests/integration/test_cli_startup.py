"""`provision --help` must not pay for what a command may need later, and still say the truth about every command."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_group

from provision.cli.app import COMMANDS, app

HEAVY = ("pydantic", "httpx", "cryptography", "ruamel", "yaml", "jinja2", "rich", "pyrage", "filelock", "asyncio")


def _loaded(code: str) -> list[str]:
    probe = (
        f"import sys; {code}; "
        f"print(*[m for m in sys.modules if m.split('.')[0] in {HEAVY!r} or m.startswith('provision.cli.')])"
    )
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()


def test_help_imports_no_command_and_nothing_heavy() -> None:
    quietly = "sys.stdout, out = sys.stderr, sys.stdout; run(['--help']); sys.stdout = out"
    assert set(_loaded(f"from provision.cli.main import run; {quietly}")) == {
        "provision.cli.app",
        "provision.cli.console",
        "provision.cli.main",
        "provision.cli.plain_values",
    }


def test_ctrl_c_while_it_loads_is_no_traceback() -> None:
    code = """
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from provision.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "interrupted\n")


def test_no_command_module_imports_anything_heavy() -> None:
    modules = [module for entry in COMMANDS.values() for module in entry[1:]]
    loaded = _loaded(f"import {', '.join('provision.cli.' + module for module in modules)}")
    assert not [name for name in loaded if not name.startswith("provision.cli.")]
    assert {f"provision.cli.{module}" for module in modules} <= set(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    command = get_group(app).get_command(None, name)  # type: ignore[arg-type]  # it asks nothing of the context
    assert command is not None
    assert command.get_short_help_str(200) == COMMANDS[name][0]
