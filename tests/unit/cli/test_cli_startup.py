"""`provision --help` must not pay for what a command may need later."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pydantic", "httpx", "cryptography", "ruamel", "yaml", "jinja2", "rich", "pyrage", "filelock", "asyncio")


def test_the_command_tree_imports_nothing_heavy() -> None:
    code = f"import sys, provision.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
