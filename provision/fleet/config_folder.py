"""Where the user's own files of provision are: identity, signing key, approvals. Not in a workspace, which is committed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the user's config folder for provision: `PROVISION_CONFIG_DIR`, else the platform's default."""
    import platformdirs  # noqa: PLC0415  slow to import, and rarely needed

    named = environ.get("PROVISION_CONFIG_DIR")
    return Path(named).expanduser().absolute() if named else platformdirs.user_config_path("provision")
