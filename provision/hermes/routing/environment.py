"""The environment Hermes ends up with: the process', the home's `.env`, `.op.env`, then the managed `.env`, in that order.

Modelled on `env_loader.load_hermes_dotenv`. Values stay inside `Environment`, whose repr shows names only; every value
knows the place that set it, for the report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.hermes.env.parsers import EnvFileError, read_env
from provision.hermes.facts.v0_19 import DROPPED_KEYS, ENV_NAME, MIN_KEY_CHARS, ONEPASSWORD_ENV_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.hermes.home import HomeFiles

PROCESS = "process environment"


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables and where each was set. `crash` says why Hermes would not even start with these files."""

    values: Mapping[str, str] = field(repr=False)
    places: Mapping[str, str] = field(default_factory=dict)
    crash: str | None = None

    def get(self, name: str) -> str:
        """The value as Hermes compares it: stripped, empty when unset."""
        return self.values.get(name, "").strip()

    def usable(self, name: str) -> str:
        """The value if Hermes would use it as a key (`auth.has_usable_secret`), else the empty string."""
        value = self.get(name)
        return value if is_usable(value) else ""

    def place(self, name: str) -> str:
        """Where the value comes from: a file with its line, or the process environment."""
        return self.places.get(name, PROCESS)

    def from_file(self, name: str) -> bool:
        """Whether a file, rather than the process environment, set the variable."""
        return name in self.places


def is_usable(value: object) -> bool:
    """Whether Hermes takes a value for a key: at least four characters and no placeholder of its short list."""
    return isinstance(value, str) and len(value.strip()) >= MIN_KEY_CHARS and value.strip().lower() not in DROPPED_KEYS


def load_environment(home: HomeFiles, environ: Mapping[str, str], managed: HomeFiles | None) -> Environment:
    """What `load_hermes_dotenv` makes of the process environment and the files; never raises."""
    values, places = dict(environ), {}
    crash = None
    layers = [(home.env, home.where(ENV_NAME), True)]
    if not values.get("OP_SERVICE_ACCOUNT_TOKEN"):
        layers.append((home.onepassword_env, home.where(ONEPASSWORD_ENV_NAME), False))
    if managed is not None:
        layers.append((managed.env, managed.where(ENV_NAME), True))
    for data, path, override in layers:
        if data is None:
            continue
        try:
            loaded = read_env(data, values)
        except EnvFileError as e:
            crash = crash or f"{path}: {e.message}"
            continue
        for name, value in loaded.items():
            if override or name not in values:
                values[name] = value
                places[name] = f"{path}{_line(data, name)} {name}"
    return Environment(values, places, crash)


def _line(data: bytes, name: str) -> str:
    """`:12` for the last line that sets `name`; empty when it cannot be found."""
    pattern = re.compile(
        rb"^[ \t]*(?:export[ \t]+)?['\"]?" + re.escape(name.encode("utf-8", "replace")) + rb"['\"]?[ \t]*="
    )
    number = 0
    for count, line in enumerate(data.splitlines(), 1):
        if pattern.match(line.removeprefix(b"\xef\xbb\xbf")):
            number = count
    return f":{number}" if number else ""
