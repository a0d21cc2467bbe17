"""Templates for other systems: their scripts are run as those systems would, with the program under test."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import seeded
import yaml

from provision.fleet.settings import read_settings
from provision.keys.key_command import KeyCommandError, run_key_command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrations" / "README.md").read_text("utf-8")
RECIPES = re.findall(r"^\| ([^|]+) \| `([^`]*\{user\}[^`]*)` \|$", PAGE, re.MULTILINE)


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "deploy.sh").write_text("curl https://api.aisa.one/v1/models\n")
    real = f'#!/bin/sh\nexec {sys.executable} -m provision "$@"\n'
    program(tmp_path / "runner" / "provision" / "bin", "provision", real)
    program(tmp_path / "bin", "provision", real)
    program(tmp_path / "bin", "apt-get", "#!/bin/sh\n")
    program(tmp_path / "bin", "pip", "#!/bin/sh\n")
    return tmp_path


def scripted(checkout: Path, script: str, **environ: str) -> int:
    """Run as a runner does: bash -e, in the checkout."""
    environ |= {
        "PATH": f"{checkout / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "RUNNER_TEMP": str(checkout / "runner"),
        "HOME": str(checkout),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=checkout / "repository",
        env=environ,
        check=False,
    )
    return done.returncode


def test_the_action_fails_on_a_new_key_only(checkout: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    audit = next(step for step in action["runs"]["steps"] if step["name"] == "Audit")
    inputs = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
    environ = {name: inputs[value.split(".")[1].split(" ")[0]] for name, value in audit["env"].items()}
    assert scripted(checkout, audit["run"], **environ) == 0
    (checkout / "repository" / "deploy.sh").write_text(f"export AISA_API_KEY=sk-aisa-{seeded.token_urlsafe(32)}\n")
    assert scripted(checkout, audit["run"], **environ) == 10
    assert '"ruleId": "aisa-key"' in (checkout / "repository" / "provision.sarif").read_text()
    baseline = "--baseline accepted.json --update-baseline --reason example"
    assert scripted(checkout, f"provision audit deploy.sh {baseline}") == 0
    assert scripted(checkout, audit["run"], **environ | {"BASELINE": "accepted.json", "PATHS": "deploy.sh"}) == 0
    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"]), (
        "inputs reach scripts in variables only"
    )


def test_the_gitlab_job_fails_on_a_key(checkout: Path) -> None:
    job = yaml.safe_load((ROOT / "docs/integrations/gitlab-ci.yml").read_text("utf-8"))["provision-audit"]
    script = "\n".join(job["script"])
    assert scripted(checkout, script, WHEEL="x.whl") == 0
    (checkout / "repository" / "deploy.sh").write_text(f"export AISA_API_KEY=sk-aisa-{seeded.token_urlsafe(32)}\n")
    assert scripted(checkout, script, WHEEL="x.whl") == 10


@pytest.mark.parametrize(("source", "command"), RECIPES, ids=[source for source, _ in RECIPES])
def test_a_source_of_keys(source: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub prints a key for exactly the arguments of the recipe, with the user in place of {user}."""
    name, *arguments = shlex.split(command.replace("{user}", "ada"))
    key = f"sk-aisa-{seeded.token_urlsafe(32)}"
    program(tmp_path, name, f'#!/bin/sh\n[ "$*" = {shlex.quote(" ".join(arguments))} ] && echo {key}\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    settings, problems, _ = read_settings(
        f"key_command = {json.dumps(shlex.split(command))}".encode(), "provision.toml"
    )
    assert problems == []
    assert run_key_command(settings.key_command, "ada", 10).reveal() == key
    with pytest.raises(KeyCommandError):
        run_key_command(settings.key_command, "bob", 10)


def test_all_recipes_are_read() -> None:
    assert len(RECIPES) == 11
