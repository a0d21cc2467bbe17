"""Parse a `.env` as Hermes does, with each of its two parsers. Pure functions of the file's bytes.

Hermes repairs the file when it starts, then loads it twice: python-dotenv (override, UTF-8, else Latin-1) fills the
process environment; Hermes' own small parser serves screens and some credential pools. The two disagree on quotes,
escapes, `${…}` and comments.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream
from dotenv.variables import parse_variables

from provision.errors import ProvisionError
from provision.hermes.env.startup_repair import decode_env, repair_env, repair_lines
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.hermes.facts.release import HermesFacts

_BOM_STAND_IN = "\ue000"
"""Stands for a BOM while python-dotenv parses: from 1.2.4 on it removes one, but the version that Hermes needs does not."""
_TRUTHY = {"1", "true", "t", "yes", "y"}


class EnvFileError(ProvisionError):
    """A `.env` line or file cannot be written in a way that Hermes reads as intended."""


def read_env(data: bytes, environ: Mapping[str, str], hermes: HermesFacts = NEWEST_VERIFIED) -> dict[str, str]:
    """Return what a release of Hermes loads from this `.env` into its process environment, given the environment it starts in.

    Steps as in Hermes: start-up repair (`hermes_cli/env_loader.py`), python-dotenv with override and interpolation,
    removal of non-ASCII characters from credentials. A name whose last line has no `=` is absent. If no repair removes a
    BOM, it stays part of the first name on releases where it hides that variable. Raises EnvFileError where Hermes crashes.
    """
    if environ.get(facts.DOTENV_DISABLED_ENV, "").casefold() in _TRUTHY:
        return {}
    values: dict[str, str | None] = {}
    for name, raw in _bindings(data, hermes):
        if raw is None:
            values[name] = None
            continue
        known: dict[str, str | None] = {**environ, **values} if "${" in raw else {}
        values[name] = "".join(atom.resolve(known) for atom in parse_variables(raw))
    loaded = {name: value for name, value in values.items() if value is not None}
    for name, value in loaded.items():
        if "\0" in name or "\0" in value or "=" in name:
            raise EnvFileError(
                "Hermes cannot start with this .env: no environment can contain one of its names or values",
                hint="save the file as plain UTF-8 text with one NAME=value per line",
            )
        if name.endswith(facts.CREDENTIAL_SUFFIXES) and not value.isascii():
            loaded[name] = value.encode("ascii", "ignore").decode()
    return loaded


def read_env_raw(data: bytes, hermes: HermesFacts = NEWEST_VERIFIED) -> dict[str, str | None]:
    """Like `read_env`, but with `${…}` not resolved and with None for names without `=`."""
    return dict(_bindings(data, hermes))


def read_env_lines(data: bytes) -> dict[str, str]:
    """Return what Hermes' own line parser (`hermes_cli/config.py`, `load_env`) reads from the same file."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    found = {}
    for full in repair_lines(list(io.StringIO(text, newline=None))):
        line = full.strip()
        if line and not line.startswith("#") and "=" in line:
            name, _, value = line.removeprefix("export ").partition("=")
            found[name.strip()] = _unquoted(value.strip())
    return found


def _bindings(data: bytes, hermes: HermesFacts) -> list[tuple[str, str | None]]:
    text = repair_env(data, hermes.known_env)
    if not hermes.env_bom_hides_first:
        text = text.removeprefix(codecs.BOM_UTF8)
    decoded = decode_env(text)[0]
    if decoded.startswith("\ufeff"):
        decoded = _BOM_STAND_IN + decoded[1:]
    bindings = parse_stream(io.StringIO(decoded, newline=None))
    return [(b.key.replace(_BOM_STAND_IN, "\ufeff"), b.value) for b in bindings if b.key is not None]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    return value
