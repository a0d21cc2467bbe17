"""The two files we own, as pydantic models: what may stand in a profile and in a user's entry, and of which type.

The published JSON Schema comes from these same models. Every field of a profile is optional, because a profile may
inherit it; `null` takes an inherited value away.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from provision.fleet import names
from provision.fleet.desired import ApiMode, Platform, SecretDelivery


def _good_id(name: str) -> str:
    reason = names.id_refusal(name)
    if reason:
        raise PydanticCustomError("bad_id", "{reason}", {"reason": reason})
    return name


def _hermes_own(name: str) -> str:
    if re.match(names.HERMES_PROFILE_REFUSED, name):
        reason = "Hermes reserves this name" + (
            "; leave hermes_profile out for the root home" if name == "default" else ""
        )
        raise PydanticCustomError("bad_id", "{reason}", {"reason": reason})
    return name


def _inside(path: str) -> str:
    if ".." in path.split("/"):
        raise PydanticCustomError("bad_id", "{reason}", {"reason": "'..' would lead out of the workspace"})
    return path


def _text(pattern: str) -> Any:
    return StringConstraints(pattern=pattern, strict=True)


Id = Annotated[
    str,
    _text(names.ID),
    AfterValidator(_good_id),
    WithJsonSchema({"type": "string", "pattern": names.ID, "not": {"pattern": names.ID_REFUSED}}),
]
ModelId = Annotated[str, _text(names.MODEL)]
RecipientText = Annotated[str, _text(names.RECIPIENT)]
EnvName = Annotated[str, _text(names.ENV_NAME)]
EnvValue = Annotated[str, StringConstraints(strict=True, max_length=8192, pattern=r"^[^\n\t]*$")]
HermesProfileName = Annotated[
    str,
    _text(names.HERMES_PROFILE),
    AfterValidator(_hermes_own),
    WithJsonSchema(
        {"type": "string", "pattern": names.HERMES_PROFILE, "not": {"pattern": names.HERMES_PROFILE_REFUSED}}
    ),
]
RecipientsPath = Annotated[
    str,
    _text(names.RECIPIENTS_FILE),
    AfterValidator(_inside),
    WithJsonSchema({"type": "string", "pattern": names.RECIPIENTS_FILE, "not": {"pattern": r"(^|/)\.\.(/|$)"}}),
]
HermesHomePath = Annotated[
    str,
    StringConstraints(pattern=names.HERMES_HOME, strict=True, max_length=1024),
    WithJsonSchema({"type": "string", "pattern": names.HERMES_HOME, "maxLength": 1024}),
]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Overrides(_File):
    """What one user has otherwise than the team: any setting of a profile."""

    description: Annotated[str, StringConstraints(strict=True, max_length=2000)] | None = None
    """What the team profile is for."""
    model: ModelId | None = None
    """Exact AIsa model id."""
    base_url: Annotated[str, _text(names.URL)] | None = None
    """The gateway's base URL; default: the workspace's `gateway`."""
    api_mode: ApiMode | None = None
    """How Hermes talks to the gateway."""
    context_length: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    """Tokens; blank lets Hermes find out. Hermes refuses to start below 64000."""
    provider: Annotated[str, _text(names.PROVIDER)] | None = None
    """The name Hermes shows; never the name of one of its built-in providers."""
    key_env: Annotated[str, _text(names.KEY_ENV)] | None = None
    """The environment variable that holds the key."""
    fallback_models: Annotated[list[ModelId], Field(max_length=32)] | None = None
    """Other models of the same gateway, tried in this order."""
    hermes: dict[str, Any] | None = None
    """Any other Hermes setting, merged as it is; no secrets."""
    env: dict[EnvName, EnvValue | None] | None = None
    """Further lines for .env; no secrets."""
    secret_delivery: SecretDelivery | None = None
    """file: the key stands in .env; run: it is only ever in memory, through `provision run`."""
    capabilities: StrictBool | None = None
    """Whether WELCOME.md offers AIsa's instructions for agents."""
    managed: StrictBool | None = None
    """Whether this is rendered for Hermes' managed scope instead of the user's home."""
    key_max_age_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = None
    """Days after which a key is overdue for rotation; blank: AIsa's advice of 90, as a warning."""


class ProfileFile(Overrides):
    """A team profile: profiles/NAME.yaml."""

    extends: Id | None = None
    """The profile whose settings this one starts from."""


class Defaults(_File):
    """What every user has unless the entry says otherwise."""

    profile: Id | None = None
    platform: Platform | None = None
    hermes_home: HermesHomePath | None = None
    hermes_profile: HermesProfileName | None = None
    tags: Annotated[list[Annotated[str, _text(names.TAG)]], Field(max_length=64)] | None = None
    overrides: Overrides | None = None


class UserEntry(Defaults):
    """One user of the inventory."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["recipients"], "properties": {"recipients": {"type": "array"}}},
                {"required": ["recipients_file"], "properties": {"recipients_file": {"type": "string"}}},
            ]
        }
    )

    id: Id
    """Unique; names the folder in dist/."""
    recipients: Annotated[list[RecipientText], Field(max_length=64)] | None = None
    """Who can open the bundle: public age or SSH keys. An empty list says that the user has not enrolled yet."""
    recipients_file: RecipientsPath | None = None
    """A file of the workspace with one recipient a line, instead of `recipients`."""
    endpoint_key: Annotated[str, _text(names.ENDPOINT_KEY)] | None = None
    """The public key that signs the endpoint's receipts, as `provision enroll` prints it."""
    host: Annotated[str, _text(names.HOST)] | None = None
    """Where `deploy` reaches the machine."""


class InventoryFile(_File):
    """The inventory: inventory.yaml."""

    defaults: Defaults | None = None
    users: list[UserEntry]
