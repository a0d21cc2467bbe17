"""Names that the operator or a format decides: variables whose values stay, key paths whose values go."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN_VARIABLES = (
    "HOME", "USER", "SHELL", "LANG", "LC_*", "PATH", "TERM", "TZ", "EDITOR", "PWD", "HOSTNAME", "HOST", "PORT", "DEBUG",
    "LOG_LEVEL", "*_LOG_LEVEL", "NODE_ENV", "PYTHON*", "VIRTUAL_ENV", "*_TIMEOUT", "*_TIMEOUT_S*", "*_RETRIES", "*_MODEL",
    "*_MODELS", "*_PROVIDER", "*_REGION", "AWS_DEFAULT_REGION", "*_ENABLED", "*_DISABLED", "*_MODE", "*_LANGUAGE",
    "*_BASE_URL", "*_ENDPOINT", "*_API_VERSION", "*_HOST", "*_PORT", "*_DIR", "*_FILE", "*_PATH", "HERMES_HOME",
    "HERMES_YOLO_MODE", "HERMES_REDACT_SECRETS", "HERMES_MANAGED_DIR",
    "HERMES_IGNORE_USER_CONFIG", "HERMES_MAX_ITERATIONS", "NO_PROXY", "no_proxy",
)  # fmt: skip
"""Variables of a `.env` whose values stay. The detectors still search them: a password in a URL is masked."""


def plain_variable(name: str, allowed: Iterable[str]) -> bool:
    """Whether the value of this `.env` variable may stay. `allowed`: more names or globs."""
    return any(fnmatchcase(name, pattern) for pattern in (*PLAIN_VARIABLES, *allowed))


def path_chosen(path: tuple[str, ...], patterns: Iterable[str]) -> bool:
    """Whether a key path (`providers`, `aisa`, `note`) matches one of the patterns; `*` matches one step."""
    return any(
        len(steps := pattern.split(".")) == len(path) and all(map(fnmatchcase, path, steps)) for pattern in patterns
    )
