"""Names whose values are always secrets, and names whose values are not."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from provision.detect.shapes import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_ALONE = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "apitoken", "authorization",
     "credential", "credentials", "cookie", "bearer", "accesstoken", "refreshtoken", "authtoken", "secretkey",
     "privatekey", "clientsecret", "accesskey"}
)  # fmt: skip
_KEYS_OF = frozenset(
    {"api", "secret", "private", "access", "auth", "account", "encryption", "signing", "master", "license", "storage",
     "service", "session", "webhook", "x", "shared", "deploy", "ssh", "subscription"}
)  # fmt: skip
_NAMES_A_SECRET = frozenset(
    {"env", "name", "file", "path", "url", "uri", "type", "count", "counts", "limit", "limits", "max", "min", "id",
     "fingerprint", "length", "usage", "budget", "expires", "expiry", "ttl", "policy", "prefix", "hint", "rotation",
     "source", "command", "cmd", "enabled", "required", "mode", "window", "total", "used", "ref", "mgr", "manager",
     "endpoint", "scheme", "format", "algorithm", "version", "created", "at", "age", "days", "seconds", "timeout"}
)  # fmt: skip
"""`key_env`, `token_url`, `max_tokens`, `secret_name`: properties of a secret, not the secret itself."""
_PLAIN_VALUE = re.compile(
    r"""(?ix) true|false|yes|no|on|off|null|none|~|\d{1,5}(?:\.\d{1,4})? | \$\{[A-Z_][A-Z0-9_]*\} | \$[A-Z_][A-Z0-9_]* | op://\S+"""
)
PLAIN_VARIABLES = (
    "HOME", "USER", "SHELL", "LANG", "LC_*", "PATH", "TERM", "TZ", "EDITOR", "PWD", "HOSTNAME", "HOST", "PORT", "DEBUG",
    "LOG_LEVEL", "*_LOG_LEVEL", "NODE_ENV", "PYTHON*", "VIRTUAL_ENV", "*_TIMEOUT", "*_TIMEOUT_S*", "*_RETRIES", "*_MODEL",
    "*_MODELS", "*_PROVIDER", "*_REGION", "AWS_DEFAULT_REGION", "*_ENABLED", "*_DISABLED", "*_MODE", "*_LANGUAGE",
    "*_BASE_URL", "*_ENDPOINT", "*_API_VERSION", "*_HOST", "*_PORT", "*_DIR", "*_FILE", "*_PATH", "HERMES_HOME",
    "HERMES_YOLO_MODE", "HERMES_REDACT_SECRETS", "HERMES_MANAGED_DIR",
    "HERMES_IGNORE_USER_CONFIG", "HERMES_MAX_ITERATIONS", "NO_PROXY", "no_proxy",
)  # fmt: skip
"""Variables of a `.env` whose values stay. The detectors still search them: a password in a URL is masked."""


def names_secret(name: str) -> bool:
    """Whether a value with this name (`api_key`, `clientSecret`, `X-Api-Key`) is a secret by its name alone."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _NAMES_A_SECRET:
        return False
    if words[-1] in _ALONE or "".join(words[-2:]) in _ALONE:
        return True
    return words[-1] in {"key", "keys"} and len(words) > 1 and words[-2] in _KEYS_OF


def plain_variable(name: str, allowed: Iterable[str]) -> bool:
    """Whether the value of this `.env` variable may stay. `allowed`: more names or globs."""
    return any(fnmatchcase(name, pattern) for pattern in (*PLAIN_VARIABLES, *allowed))


def plain_value(value: str) -> bool:
    """Whether a value cannot be a secret: empty, a switch, a small number, a reference, a placeholder."""
    value = value.strip()
    return not value or bool(_PLAIN_VALUE.fullmatch(value)) or is_placeholder(value)


def path_chosen(path: tuple[str, ...], patterns: Iterable[str]) -> bool:
    """Whether a key path (`providers`, `aisa`, `note`) matches one of the patterns; `*` matches one step."""
    return any(
        len(steps := pattern.split(".")) == len(path) and all(map(fnmatchcase, path, steps)) for pattern in patterns
    )
