"""Build the environment that Hermes ends up with: the process, the home's `.env`, `.op.env`, then the managed `.env`.

Models `env_loader.load_hermes_dotenv`. The repr of `Environment` contains no values. For the report, each value has the
place that set it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.hermes.env.parsers import EnvFileError, read_env
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.hermes.facts.release import HermesFacts
    from provision.hermes.home import HomeFiles

PROCESS = "process environment"


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables and the place of each, for a release of Hermes. `crash` says why it cannot start with these files."""

    values: Mapping[str, str] = field(repr=False)
    places: Mapping[str, str] = field(default_factory=dict)
    crash: str | None = None
    hermes: HermesFacts = NEWEST_VERIFIED

    def get(self, name: str) -> str:
        """Return the value as Hermes compares it: stripped, empty if unset."""
        return self.values.get(name, "").strip()

    def usable(self, name: str) -> str:
        """Return the value if Hermes accepts it as a key (`auth.has_usable_secret`), else the empty string."""
        value = self.get(name)
        return value if is_usable(value) else ""

    def place(self, name: str) -> str:
        """Return the place that set the value: a file with its line, or the process environment."""
        return self.places.get(name, PROCESS)

    def from_file(self, name: str) -> bool:
        """Return whether a file set the variable, not the process environment."""
        return name in self.places


def is_usable(value: object) -> bool:
    """Return whether Hermes accepts a value as a key: at least four characters and not a placeholder of its short list."""
    return (
        isinstance(value, str)
        and len(value.strip()) >= facts.MIN_KEY_CHARS
        and value.strip().lower() not in facts.DROPPED_KEYS
    )


def load_environment(
    home: HomeFiles, environ: Mapping[str, str], managed: HomeFiles | None, hermes: HermesFacts = NEWEST_VERIFIED
) -> Environment:
    """Load the files over the process environment, as `load_hermes_dotenv` does. Never raises."""
    values, places = dict(environ), {}
    crash = None
    layers = [(home.env, home.where(facts.ENV_NAME), True)]
    if hermes.onepassword_env and not values.get(facts.ONEPASSWORD_TOKEN_ENV):
        layers.append((home.onepassword_env, home.where(facts.ONEPASSWORD_ENV_NAME), False))
    if managed is not None:
        layers.append((managed.env, managed.where(facts.ENV_NAME), True))
    for data, path, override in layers:
        if data is None:
            continue
        try:
            loaded = read_env(data, values, hermes)
        except EnvFileError as e:
            crash = crash or f"{path}: {e.message}"
            continue
        for name, value in loaded.items():
            if override or name not in values:
                values[name] = value
                places[name] = f"{path}{_line(data, name)} {name}"
    return Environment(values, places, crash, hermes)


def _line(data: bytes, name: str) -> str:
    """Return `:12` for the last line that sets `name`, or the empty string."""
    pattern = re.compile(
        rb"^[ \t]*(?:export[ \t]+)?['\"]?" + re.escape(name.encode("utf-8", "replace")) + rb"['\"]?[ \t]*="
    )
    number = 0
    for count, line in enumerate(data.splitlines(), 1):
        if pattern.match(line.removeprefix(b"\xef\xbb\xbf")):
            number = count
    return f":{number}" if number else ""
