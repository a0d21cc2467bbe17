"""What Hermes 0.19 reads from a `.env`, by each of its two parsers, as pure functions of the file's bytes.

Hermes repairs the file when it starts, then loads it twice: python-dotenv (override, UTF-8, else Latin-1) fills the
process environment, and a small parser of its own serves screens and some credential pools. They disagree on quotes,
escapes, `${…}` and comments. Nothing here touches `os.environ` or the disk.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream
from dotenv.variables import parse_variables

from provision.errors import ProvisionError
from provision.hermes.env.startup_repair import decode_env, repair_env, repair_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

_CREDENTIAL_SUFFIXES = ("_API_KEY", "_TOKEN", "_SECRET", "_KEY")
_TRUTHY = {"1", "true", "t", "yes", "y"}


class EnvFileError(ProvisionError):
    """A `.env` line cannot be written, or a `.env` file cannot be changed, so that Hermes reads what is meant."""


def read_env(data: bytes, environ: Mapping[str, str]) -> dict[str, str]:
    """What loading this `.env` puts into the process environment of Hermes 0.19, given the environment it starts in.

    As Hermes does it: start-up repair (`hermes_cli/env_loader.py`), then python-dotenv with override and interpolation,
    then non-ASCII characters dropped from credentials. A name whose last line has no `=` is absent; a first name behind
    a BOM that no repair removed keeps it (and so is lost to Hermes). Raises EnvFileError where Hermes would crash.
    """
    if environ.get("PYTHON_DOTENV_DISABLED", "").casefold() in _TRUTHY:
        return {}
    values: dict[str, str | None] = {}
    for name, raw in _bindings(data):
        if raw is None:
            values[name] = None
            continue
        known: dict[str, str | None] = {**environ, **values} if "${" in raw else {}
        values[name] = "".join(atom.resolve(known) for atom in parse_variables(raw))
    loaded = {name: value for name, value in values.items() if value is not None}
    for name, value in loaded.items():
        if "\0" in name or "\0" in value or "=" in name:
            raise EnvFileError(
                "this .env stops Hermes when it starts: a name or value no environment can hold",
                hint="write the file again as plain UTF-8 text, one NAME=value a line",
            )
        if name.endswith(_CREDENTIAL_SUFFIXES) and not value.isascii():
            loaded[name] = value.encode("ascii", "ignore").decode()
    return loaded


def read_env_raw(data: bytes) -> dict[str, str | None]:
    """As `read_env`, but with `${…}` unresolved and names without `=` as None: what the file itself says."""
    return dict(_bindings(data))


def read_env_lines(data: bytes) -> dict[str, str]:
    """What Hermes' own line parser (`hermes_cli/config.py`, `load_env`) reads from the same file."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    found = {}
    for full in repair_lines(list(io.StringIO(text, newline=None))):
        line = full.strip()
        if line and not line.startswith("#") and "=" in line:
            name, _, value = line.removeprefix("export ").partition("=")
            found[name.strip()] = _unquoted(value.strip())
    return found


def _bindings(data: bytes) -> list[tuple[str, str | None]]:
    opened = io.StringIO(decode_env(repair_env(data))[0], newline=None)
    return [(b.key, b.value) for b in parse_stream(opened) if b.key is not None]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    return value
