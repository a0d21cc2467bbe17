"""Read from an installed release of Hermes its toolsets and their tools, and write the table that policies are checked with.

`python tests/craft/hermes_toolsets.py VENV…` writes `provision/hermes/facts/toolsets.json` from the releases in these venvs, the
oldest first. `tests/acceptance/test_acceptance_policy.py` compares the table with the release that the acceptance tests run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "provision/hermes/facts/toolsets.json"
_ASK = """
import contextlib, importlib.metadata, io, json
with contextlib.redirect_stdout(io.StringIO()):
    from toolsets import TOOLSETS
    from hermes_cli.tools_config import CONFIGURABLE_TOOLSETS
    from model_tools import _LEGACY_TOOLSET_MAP
plain = {n: t["tools"] for n, t in TOOLSETS.items()
         if t["tools"] and not t.get("includes") and not t.get("posture") and not n.startswith("hermes-")}
configurable = {key for key, *_ in CONFIGURABLE_TOOLSETS}
own = {tool for name in configurable for tool in plain.get(name, ())}
switches = {n: " ".join(sorted(tools)) for n, tools in plain.items() if n in configurable or not set(tools) <= own}
singles = {n: tools[0] for n, tools in (*_LEGACY_TOOLSET_MAP.items(), *plain.items()) if len(tools) == 1}
print(json.dumps({
    "version": importlib.metadata.version("hermes-agent"),
    "switches": switches,
    "singles": {n: tool for n, tool in singles.items() if n not in switches},
    "others": " ".join(sorted(set(TOOLSETS) - set(switches) - set(singles))),
}))
"""


def read_toolsets(python: Path, home: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What one release says of its toolsets. `switches` own their tools, `singles` name one tool, `others` share theirs."""
    ran = subprocess.run(
        [python, "-c", _ASK], env={**environ, "HERMES_HOME": str(home)}, cwd=home, capture_output=True, text=True, check=True
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Write the table from the venvs of the command line."""
    with tempfile.TemporaryDirectory() as home:
        found = [read_toolsets(Path(venv) / "bin/python", Path(home), dict(os.environ)) for venv in sys.argv[1:]]
    TABLE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
