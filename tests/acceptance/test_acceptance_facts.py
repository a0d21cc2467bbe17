"""The facts of a release against the installed release: its numbers and lists, read from its own modules."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hermes_runner import HERMES, environment
from hermes_venvs import hermes_release

from provision.hermes.facts.selection import NEWEST_VERIFIED, RELEASES, facts_for
from provision.hermes.routing.providers import resolve_alias

pytestmark = [pytest.mark.acceptance, pytest.mark.fast_acceptance]
_ASK = """
import importlib.metadata, json, pathlib, sys
import agent.secret_sources
from hermes_cli import auth, config
def resolved(name):
    try:
        return auth.resolve_provider(name)
    except Exception:
        return None
folder = pathlib.Path(agent.secret_sources.__file__).parent
modules = {p.stem for p in folder.glob("*.py")} - {"__init__", "base", "registry", "_cache"}
tasks = [name for name, value in config.DEFAULT_CONFIG["auxiliary"].items() if isinstance(value, dict)]
print(json.dumps({
    "version": importlib.metadata.version("hermes-agent"),
    "config_version": config.DEFAULT_CONFIG["_config_version"],
    "known_env": sorted(set(config.OPTIONAL_ENV_VARS) | set(config._EXTRA_ENV_KEYS)),
    "auxiliary_tasks": sorted(tasks),
    "secret_sources": sorted(modules),
    "registry": sorted(auth.PROVIDER_REGISTRY),
    "resolved": {name: resolved(name) for name in json.loads(sys.argv[1])},
}))
"""


def test_the_facts_are_those_of_the_installed_release(tmp_path: Path) -> None:
    facts = facts_for(hermes_release())
    names = sorted({n for release in RELEASES for n in (*release.built_in_providers, *release.provider_aliases)})
    home = tmp_path / "home"
    home.mkdir()
    ran = subprocess.run(
        [HERMES.with_name("python"), "-c", _ASK, json.dumps(names)],
        env={**environment(tmp_path, None), "HERMES_HOME": str(home)},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["version"] == hermes_release() == facts.version
    assert found["config_version"] == facts.config_version
    assert set(found["known_env"]) == facts.known_env
    assert found["auxiliary_tasks"] == sorted(facts.auxiliary_tasks)
    assert found["secret_sources"] == sorted(facts.secret_sources)
    assert set(found["registry"]) <= facts.built_in_providers
    assert {name: resolve_alias(name, facts) for name in names} == found["resolved"]


def test_ci_runs_the_newest_verified_release() -> None:
    """Without `--hermes-version`, the release of this venv is the one that the cases are written for."""
    assert hermes_release() in {release.version for release in RELEASES if release.verified}
    assert NEWEST_VERIFIED.version == "0.19.0"
