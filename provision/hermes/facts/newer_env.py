"""Variables of newer releases of Hermes that make a home's files irrelevant.

Hermes 0.19.0 and older read none of them, but a machine may be updated at any time. So they are hazards on every version.
From the documentation of Hermes ("Remote Config") and its source, `hermes_cli/config_backend.py` and `hermes_constants.py`,
read at upstream commits after 0.21.3; not run.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_BACKEND_ENV: Final = "HERMES_CONFIG_BACKEND"
"""`remote`: a config plane replaces config.yaml, and the managed config.yaml is not read either. `file` is the default."""
FILE_BACKEND: Final = "file"
DATA_DIR_SUFFIX_ENV: Final = "HERMES_DATA_DIR_SUFFIX"
"""Appended to the name of the default home and of Desktop's userData. Without effect beside HERMES_HOME."""
NEWER_DECIDING_ENV: Final[Mapping[str, str]] = MappingProxyType(
    {
        CONFIG_BACKEND_ENV: "the settings come from another place (Remote Config), and config.yaml is not read",
        DATA_DIR_SUFFIX_ENV: "Hermes uses another folder than this home",
    }
)
"""Variables that decide about the route, and how."""
