"""Read `provision.toml`: the settings of a workspace, overridden by environment variables `PROVISION_…`.

Relative paths are relative to the workspace. The operator's identity and signing key are in the user's config folder, not
in the workspace, because a workspace is committed. The defaults of all settings are in `Settings`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from provision.errors import Place, Problem
from provision.fleet.config_folder import config_dir
from provision.fleet.nearest import spelling_hint
from provision.fleet.notify_target import NotifyTarget
from provision.formats.located import BrokenTextError, decode_utf8, place, position_of, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails
    from pydantic_settings import PydanticBaseSettingsSource

PREFIX = "PROVISION_"


def _listed(value: Any) -> Any:
    """Parse a list from an environment variable: JSON, or words separated by commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


def _words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else shlex.split(value)


def _gateway(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise PydanticCustomError("rule", "invalid base URL: use one such as https://api.aisa.one/v1", {})
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise PydanticCustomError("rule", "use https: http is allowed only for loopback", {})
    return value


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Words = Annotated[tuple[str, ...], NoDecode]
_Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}$")]


class Settings(BaseSettings):
    """The settings in `provision.toml`, with their defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    gateway: Annotated[str, AfterValidator(_gateway)] = "https://api.aisa.one/v1"
    gateway_hosts: Annotated[Words, BeforeValidator(_listed)] = ("api.aisa.one",)
    seal_to_operators: bool = False
    allowed_signers: Path = Path("allowed_signers")
    signer: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")] = "operator"
    identity: Path = Field(default_factory=lambda: config_dir(os.environ) / "identity.txt")
    signing_key: Path = Field(default_factory=lambda: config_dir(os.environ) / "signing_key")
    key_command: Annotated[Words, BeforeValidator(_words)] = ()
    key_command_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30
    revoke_command: Annotated[Words, BeforeValidator(_words)] = ()
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    rate: Annotated[float, Field(gt=0)] | None = None
    tls_bundle: Path | None = None
    proxy: str | None = None
    dist: Path = Path("dist")
    vault: Path = Path("keys.vault")
    inventory: Path = Path("inventory.yaml")
    bundle_days: Annotated[int, Field(ge=1, le=3650)] = 90
    require_verified: bool = False
    catalogue: Path = Path("models.json")
    contact: _Line | None = None
    program_source: _Line | None = None
    notify: Annotated[tuple[NotifyTarget, ...], Field(max_length=20)] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use the environment, then the file, and no other source."""
        return (env_settings, init_settings)


def read_settings(data: bytes, file: str) -> tuple[Settings, list[Problem], Mapping[str, Place]]:
    """Read settings from a provision.toml and the environment. Returns settings, problems, and the place of each key.

    Invalid values are left out of the settings.
    """
    try:
        text = decode_utf8(data, file).replace("\r\n", "\n")
        values = tomllib.loads(text)
    except BrokenTextError as e:
        return Settings.model_construct(), [e.problem], {}
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        return Settings.model_construct(), [_syntax(e, file, text)], {}
    places = {key: place(file, position_of(text, _offset(text, key))) for key in values}
    try:
        settings = Settings(**values)
        variables = {name.upper() for name in os.environ}
        variable_places = {key: Place(f"environment variable {PREFIX}{key.upper()}") for key in Settings.model_fields}
        return (
            settings,
            [],
            places | {key: at for key, at in variable_places.items() if PREFIX + key.upper() in variables},
        )
    except ValidationError as e:
        problems = [_problem(details, text, file) for details in e.errors(include_url=False)]
        wrong = {str(details["loc"][0]) for details in e.errors() if details["loc"]}
        kept = {
            key: value
            for key, value in values.items()
            if key in Settings.model_fields and key not in {*wrong, "notify"}
        }
        return _lenient(kept), problems, places
    except ValueError as e:  # an environment variable that cannot be decoded
        found = re.search(r'field "(\w+)"', str(e))
        name = PREFIX + found.group(1).upper() if found else PREFIX + "…"
        return _lenient({}), [Problem("bad-setting", f"cannot parse {name}", Place("environment"))], places


def _lenient(values: dict[str, Any]) -> Settings:
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    typed = {key: Path(value) if isinstance(defaults[key], Path) else value for key, value in values.items()}
    typed = {key: tuple(value) if isinstance(value, list) else value for key, value in typed.items()}
    return Settings.model_construct(**{**defaults, **typed})


def _syntax(error: Exception, file: str, text: str) -> Problem:
    found = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    message = (
        re.sub(r"\s*\(at .*\)", "", str(error)) if isinstance(error, tomllib.TOMLDecodeError) else "too deeply nested"
    )
    where = place(file, position_of(text, len(text.rstrip())))
    if found and found.group(1):
        where = Place(file, int(found.group(1)), int(found.group(2)))
    hint = "put text in double quotes" if message == "Invalid value" else ""
    return Problem("toml-syntax", f"not valid TOML: {message[:1].lower()}{message[1:]}", where, hint)


def _offset(text: str, key: str) -> int:
    """Return the offset of a top-level key or table; 0 if it is not found in the text."""
    blanked = re.sub(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'', lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    found = re.search(rf"(?m)^[ \t]*(?:\[+[ \t]*)?[\"']?({re.escape(key)})[\"']?[ \t]*[=.\]]", blanked)
    return found.start(1) if found else 0


_GONE = {"operators": "remove this line: the recipients of the vault are the operators (provision operators list)"}
"""Hints for settings of earlier versions."""


def _problem(error: ErrorDetails, text: str, file: str) -> Problem:
    key = str(error["loc"][0]) if error["loc"] else ""
    variable = PREFIX + key.upper()
    if error["type"] == "extra_forbidden":
        wrong = str(error["loc"][-1])
        hint = _GONE.get(key) or spelling_hint(
            wrong, list((NotifyTarget if key == "notify" else Settings).model_fields)
        )
        at = place(file, position_of(text, _offset(text, wrong)))
        return Problem("unknown-key", f"unknown key {quoted(wrong)}{' in notify' if wrong != key else ''}", at, hint)
    if any(name.upper() == variable for name in os.environ):
        where = Place(f"environment variable {variable}")
    else:
        offset = _offset(text, key)
        item = error["input"]
        inside = text.find(json.dumps(item), offset) if isinstance(item, str) and len(error["loc"]) > 1 else -1
        where = place(file, position_of(text, inside if inside >= 0 else offset))
    message = error["msg"].removeprefix("Value error, ")
    inner = "".join(f" {step + 1}" if isinstance(step, int) else f".{step}" for step in error["loc"][1:])
    named = f"{key}{inner}" if key == "notify" else key
    return Problem("bad-setting", f"{named}: {message[:1].lower()}{message[1:]}", where)
