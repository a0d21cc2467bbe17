"""What is known of Hermes 0.21, which is not on PyPI and was not run: its facts are not verified.

Where a source names a file, it was read in the upstream source at commit 00067189, which calls itself 0.21.3. The release of
2026-09-14 itself is commit 345cd2b, whose files could not be read. Everything else is from homes and tests of other projects that
name 0.21. As in 0.19, by the same reading: HERMES_MANAGED_DIR counts, `/etc/hermes` is the only default, and a managed file that
cannot be parsed is ignored.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from provision.hermes.facts.newer_env import NEWER_DECIDING_ENV
from provision.hermes.facts.v0_19 import FACTS as EARLIER

_COMMIT = "read at upstream commit 00067189, not run"

FACTS = replace(
    EARLIER,
    version="0.21.3",
    verified=False,
    config_version=45,
    auxiliary_tasks=tuple(sorted({*EARLIER.auxiliary_tasks, "review"} - {"web_extract"})),
    secret_sources=(*EARLIER.secret_sources, "command"),
    env_bom_hides_first=False,
    managed_model_text=True,
    plain_custom_key_env=True,
    cron_model=True,
    deciding_env=frozenset(NEWER_DECIDING_ENV),
    sources=MappingProxyType(
        {
            "*": "assumed to be as in 0.19.0; not read and not run",
            "config_version": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG: {_COMMIT}; 0.21.1 has 41 (a pull request "
            "of another project that follows its releases), tests of later versions use 46 to 51",
            "auxiliary_tasks": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG: {_COMMIT}",
            "built_in_providers": "assumed to be as in 0.19.0, but release notes name more built-in providers; not read",
            "secret_sources": f"agent/secret_sources/registry.py, _BUILTIN_SOURCES: {_COMMIT}",
            "env_bom_hides_first": "hermes_cli/env_loader.py, _load_dotenv_with_fallback, and managed_scope.py: read at upstream "
            "commits after pull request 65124, not run",
            "managed_model_text": f"hermes_cli/managed_scope.py, apply_managed_overlay: {_COMMIT}",
            "managed_scope": f"hermes_cli/managed_scope.py, get_managed_dir: {_COMMIT}",
            "plain_custom_key_env": "upstream pull request 115791, commit 709e7adcc4ed of main, landed by 2026-09-19: so in "
            "releases after that of 2026-09-14, which itself still sends no key then (issues 43586 and 74561)",
            "cron_model": f"hermes_cli/config_defaults.py, DEFAULT_CONFIG, and the documentation page Scheduled Tasks: {_COMMIT}",
            "deciding_env": "documentation page Remote Config and hermes_cli/config_backend.py (an early build stops with "
            f"`remote`); hermes_constants.py, _get_platform_default_hermes_home: {_COMMIT}",
        }
    ),
)
