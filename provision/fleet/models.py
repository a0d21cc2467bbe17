"""Pydantic models of profile and inventory: the allowed fields and their types.

The published JSON Schema comes from these models and the docstrings of their fields. A model is built when it is first used.
Every field of a profile is optional, because a profile may inherit it. `null` removes an inherited value.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from provision.fleet import names
from provision.fleet.desired import ApiMode, Platform, SecretDelivery, SideRoutes
from provision.fleet.version_range import RANGE


def _good_id(name: str) -> str:
    reason = names.id_refusal(name)
    if reason:
        raise PydanticCustomError("bad_id", "{reason}", {"reason": reason})
    return name


def _hermes_own(name: str) -> str:
    if re.match(names.HERMES_PROFILE_REFUSED, name):
        reason = "Hermes reserves this name" + (
            "; remove hermes_profile for the root home" if name == "default" else ""
        )
        raise PydanticCustomError("bad_id", "{reason}", {"reason": reason})
    return name


def _inside(path: str) -> str:
    if ".." in path.split("/"):
        raise PydanticCustomError("bad_id", "{reason}", {"reason": "'..' leads out of the workspace"})
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


Day = Annotated[str, _text(names.DAY)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


PolicyName = Annotated[str, _text(names.POLICY_NAME)]
PolicyNames = Annotated[list[PolicyName], Field(max_length=256)]


class McpRuleFile(_File):
    """MCP servers that Hermes may offer: all that have this name, host and command. At least one of the three is required."""

    name: PolicyName | None = None
    """The name of the server in `hermes.mcp_servers`."""
    host: Annotated[str, _text(names.ALLOWED_HOST)] | None = None
    """The host of its URL, such as mcp.corp.example."""
    command: PolicyName | None = None
    """The program that is started, without its folder."""
    tools: Annotated[list[PolicyName], Field(min_length=1, max_length=256)] | None = None
    """The only tools of the server that are offered, by the names that the server gives them; resources and prompts are not."""

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.name is None and self.host is None and self.command is None:
            raise PydanticCustomError("no_server", "name, host or command is missing")
        return self


McpRules = Annotated[
    list[
        Annotated[
            McpRuleFile,
            BeforeValidator(
                lambda value: {"name": value} if isinstance(value, str) else value,
                json_schema_input_type=PolicyName | McpRuleFile,
            ),
        ]
    ],
    Field(max_length=256),
]


class PolicyFile(_File):
    """Guardrails: what Hermes may do on its own. See docs/guardrails.md for what each rule is worth."""

    approvals: Literal["manual", "smart"] | None = None
    """manual: Hermes asks before every dangerous command; smart: a model decides first. Never off."""
    deny_commands: Annotated[list[Annotated[str, _text(names.COMMAND_GLOB)]], Field(max_length=256)] | None = None
    """Globs of commands that are refused whatever the approvals, such as "git push --force*"."""
    allowed_toolsets: PolicyNames | None = None
    """The only toolsets that Hermes offers, such as web and file."""
    denied_toolsets: PolicyNames | None = None
    """Toolsets that Hermes does not offer, such as terminal."""
    allowed_tools: PolicyNames | None = None
    """Single tools that Hermes offers beside allowed_toolsets. Only for tools that Hermes has a toolset for."""
    denied_tools: PolicyNames | None = None
    """Single tools that Hermes does not offer, such as execute_code. Only for tools that Hermes has a toolset for."""
    mcp_servers: McpRules | None = None
    """The MCP servers that Hermes offers, by name, host or command; others are not offered, and are reported. Empty: none."""
    plugins: PolicyNames | None = None
    """The plug-ins that may be loaded. Empty: none but the bundled ones."""
    models: Annotated[list[ModelId], Field(max_length=64)] | None = None
    """The models a user may switch to. Hermes cannot enforce it; `status` reports others."""
    providers: PolicyNames | None = None
    """The providers a user may switch to. Hermes cannot enforce it; `status` reports others."""
    update_channel: PolicyName | None = None
    """The branch that Hermes is updated from, such as main. Hermes cannot enforce it; `status` reports another one."""
    redact: Literal[True] | None = None
    """Secrets are masked in what Hermes shows and logs."""
    enforce: Literal["strict", "best-effort"] | None = None
    """strict (default): a rule that Hermes cannot enforce is an error; best-effort: a warning."""


class Overrides(_File):
    """One user's own values for settings of the profile."""

    description: Annotated[str, StringConstraints(strict=True, max_length=2000)] | None = None
    """The purpose of the team profile."""
    model: ModelId | None = None
    """Exact AIsa model id."""
    base_url: Annotated[str, _text(names.URL)] | None = None
    """The gateway's base URL; default: the workspace's `gateway`."""
    api_mode: ApiMode | None = None
    """How Hermes talks to the gateway."""
    context_length: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    """Tokens; if empty, Hermes detects it. Hermes refuses to start below 64000."""
    provider: Annotated[str, _text(names.PROVIDER)] | None = None
    """The provider's name in Hermes; not the name of a built-in provider."""
    key_env: Annotated[str, _text(names.KEY_ENV)] | None = None
    """The environment variable with the key."""
    fallback_models: Annotated[list[ModelId], Field(max_length=32)] | None = None
    """Other models of the same gateway, tried in this order."""
    hermes: dict[str, Any] | None = None
    """Other Hermes settings, merged unchanged; no secrets."""
    env: dict[EnvName, EnvValue | None] | None = None
    """Further lines for .env; no secrets."""
    secret_delivery: SecretDelivery | None = None
    """file: the key is stored in .env; run: `provision run` passes it in memory."""
    capabilities: StrictBool | None = None
    """Whether WELCOME.md contains AIsa's instructions for agents."""
    language: Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2}(-[a-z0-9]{2,8})?$")] | None = None
    """The language of WELCOME, such as de: a folder in templates/. Without that folder it is English."""
    managed: StrictBool | None = None
    """Whether to render for Hermes' managed scope instead of the user's home."""
    side_routes: SideRoutes | None = None
    """team: auxiliary tasks, delegation and fallbacks stay on the team's gateway; own: the user's choice."""
    allowed_hosts: Annotated[list[Annotated[str, _text(names.ALLOWED_HOST)]], Field(max_length=64)] | None = None
    """Hosts that may receive content on purpose, such as an MCP server of the firm; never the key."""
    key_max_age_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = None
    """Days after which a key is overdue for rotation; if empty, a warning after 90 days (AIsa's advice)."""
    budget_usd_month: Annotated[StrictInt | StrictFloat, Field(ge=0, le=1_000_000_000)] | None = None
    """Dollars that one user of the team is expected to spend in a month; `provision usage` compares."""
    policy: PolicyFile | None = None
    """Guardrails, rendered into settings that Hermes honours."""
    hermes_version: Annotated[str, _text(RANGE)] | None = None
    """Versions of Hermes that the team may use, such as ">=0.19,<0.23"; machines with others are listed."""


class ProfileFile(Overrides):
    """A team profile: profiles/NAME.yaml."""

    extends: Id | None = None
    """The profile whose settings this one inherits."""


class Defaults(_File):
    """Values for all users whose entries do not set them."""

    profile: Id | None = None
    platform: Platform | None = None
    hermes_home: HermesHomePath | None = None
    hermes_profile: HermesProfileName | None = None
    tags: Annotated[list[Annotated[str, _text(names.TAG)]], Field(max_length=64)] | None = None
    overrides: Overrides | None = None


class _MachineFields(_File):
    """What one machine has: keys, address and place of the Hermes home."""

    platform: Platform | None = None
    hermes_home: HermesHomePath | None = None
    recipients: Annotated[list[RecipientText], Field(max_length=64)] | None = None
    """Public age or SSH keys that can open the bundle. An empty list: not enrolled yet."""
    endpoint_key: Annotated[str, _text(names.ENDPOINT_KEY)] | None = None
    """The public key that verifies the endpoint's receipts; `provision enroll` prints it."""
    host: Annotated[str, _text(names.HOST)] | None = None
    """The machine's host name or address for `deploy`."""
    lost: Day | None = None
    """The day since when this machine is lost or stolen: nothing is sealed to it, and its receipts are refused."""


class MachineEntry(_MachineFields):
    """A further machine of a user."""

    name: Id
    """Unique among the user's machines."""


class UserEntry(Defaults):
    """One user of the inventory."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["recipients"], "properties": {"recipients": {"type": "array"}}},
                {"required": ["recipients_file"], "properties": {"recipients_file": {"type": "string"}}},
                {
                    "required": ["machines"],
                    "properties": {"machines": {"type": "array", "minItems": 1}},
                    "not": {"anyOf": [{"required": ["recipients"]}, {"required": ["recipients_file"]}]},
                },
                {
                    "required": ["left"],
                    "not": {"anyOf": [{"required": [n]} for n in ("recipients", "recipients_file", "machines")]},
                },
            ]
        }
    )

    id: Id
    """Unique; also the name of the user's folder in dist/."""
    email: Annotated[str, _text(names.EMAIL)] | None = None
    """The mail address in the directory."""
    external_id: Annotated[str, _text(names.EXTERNAL_ID)] | None = None
    """The directory's unchanging id of this person; `provision users import` recognises renamed users by it."""
    left: Day | None = None
    """The day on which this user left: the entry is history, and nothing is built for it."""
    machine: Id | None = None
    """The name of the first machine, which the fields of this entry describe."""
    machines: Annotated[list[MachineEntry], Field(max_length=64)] | None = None
    """Further machines of this user."""
    lost: Day | None = None
    """The day since when the first machine is lost or stolen."""
    recipients: Annotated[list[RecipientText], Field(max_length=64)] | None = None
    """Public age or SSH keys that can open the bundle. An empty list: the user has not enrolled yet."""
    recipients_file: RecipientsPath | None = None
    """A file in the workspace with one recipient per line, instead of `recipients`."""
    endpoint_key: Annotated[str, _text(names.ENDPOINT_KEY)] | None = None
    """The public key that verifies the endpoint's receipts; `provision enroll` prints it."""
    host: Annotated[str, _text(names.HOST)] | None = None
    """The machine's host name or address for `deploy`."""


class InventoryFile(_File):
    """The inventory: inventory.yaml."""

    defaults: Defaults | None = None
    users: list[UserEntry]
