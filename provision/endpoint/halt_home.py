"""Take the route and the key out of a home, as an order to halt says. What that means for Hermes: `endpoint.halt`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.endpoint.apply import modes_of
from provision.endpoint.halt import NOTE, PROVIDER
from provision.endpoint.plan import PRIVATE, FileChange
from provision.endpoint.state import require_installed
from provision.hermes.config.merge import change_config
from provision.hermes.env.dotenv import edit_env
from provision.hermes.facts import names as facts
from provision.hermes.home import effective_home, home_or_profile_files, read_home

if TYPE_CHECKING:
    from pathlib import Path

    from provision.endpoint.apply import HomeWriter
    from provision.hermes.config.draft import Draft


def halt_home(root: Path, hermes_profile: str | None, writer: HomeWriter, *, reason: str, until: str) -> None:
    """Take the route and the key out of a home, in one transaction; a repeated run changes nothing. Raises NotInstalledError."""
    home = effective_home(root, hermes_profile)
    with writer.opened(home):
        installed = require_installed(home)
        files = home_or_profile_files(read_home(root, managed_dir=None), hermes_profile, home)
        note = json.dumps({"schema": "provision/halted/v1", "reason": reason, "until": until}).encode() + b"\n"
        changes = [FileChange(NOTE, note, PRIVATE)]
        if files.env is not None:
            env = edit_env(files.env, {}, (installed.manifest.key_env,)).data
            changes.append(FileChange(facts.ENV_NAME, env, PRIVATE))
        if files.config is not None:
            config = change_config(files.config, _without_route).data
            changes.append(FileChange(facts.CONFIG_NAME, config, modes_of(home).get(facts.CONFIG_NAME, PRIVATE)))
        writer.apply(home, changes)


def _without_route(draft: Draft) -> None:
    if not isinstance(draft.get("model"), dict):
        draft.set(("model",), {})
    draft.set(("model", "provider"), PROVIDER)
