"""The desired state: what one user should have, after inheritance and overrides, and where each value was set.

All users with equal settings share one `EffectiveProfile`, so that a configuration is rendered once for all of them.
Nothing here contains a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provision.errors import Place


class Platform(StrEnum):
    """The operating system of a user's machine."""

    LINUX = "linux"
    MACOS = "macos"
    WINDOWS = "windows"


class ApiMode(StrEnum):
    """How Hermes talks to the gateway. With `auto` Hermes chooses; for AIsa it chooses chat completions."""

    AUTO = "auto"
    CHAT_COMPLETIONS = "chat_completions"
    CODEX_RESPONSES = "codex_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"


class SideRoutes(StrEnum):
    """`team`: every request stays on the team's gateway. `own`: content of side requests may go where the user chooses."""

    TEAM = "team"
    OWN = "own"


class SecretDelivery(StrEnum):
    """`file`: the key is stored in `.env`. `run`: `provision run` passes it in memory."""

    FILE = "file"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class McpRule:
    """MCP servers that a policy allows: those with this name, host and command, as far as given. `tools`: none means all."""

    name: str | None = None
    host: str | None = None
    command: str | None = None
    tools: tuple[str, ...] | None = None

    @staticmethod
    def of(value: Any) -> McpRule:
        """Build a rule from a name, or from the values of a profile."""
        if not isinstance(value, Mapping):
            return McpRule(name=str(value))
        tools = value.get("tools")
        texts = {key: value.get(key) for key in ("name", "host", "command")}
        return McpRule(**texts, tools=None if tools is None else tuple(tools))

    @property
    def written(self) -> str | dict[str, Any]:
        """The rule as in a profile."""
        texts = {"name": self.name, "host": self.host, "command": self.command}
        found: dict[str, Any] = {key: value for key, value in texts.items() if value is not None}
        if self.tools is not None:
            found["tools"] = list(self.tools)
        return self.name if self.name is not None and len(found) == 1 else found


@dataclass(frozen=True, slots=True)
class GuardrailPolicy:
    """The guardrails of a profile; what is None or empty is not ruled. `best_effort`: unenforced rules are warnings."""

    approvals: str | None = None
    deny_commands: tuple[str, ...] = ()
    denied_toolsets: tuple[str, ...] = ()
    mcp_servers: tuple[McpRule, ...] | None = None
    plugins: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    redact: bool = False
    best_effort: bool = False
    allowed_toolsets: tuple[str, ...] | None = None
    allowed_tools: tuple[str, ...] | None = None
    denied_tools: tuple[str, ...] = ()
    providers: tuple[str, ...] | None = None
    update_channel: str | None = None

    @staticmethod
    def of(values: Mapping[str, Any]) -> GuardrailPolicy:
        """Build a policy from valid values of a profile, or of `fields`."""
        typed: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        enforce = typed.pop("enforce", None)
        if typed.get("mcp_servers") is not None:
            typed["mcp_servers"] = tuple(McpRule.of(each) for each in typed["mcp_servers"])
        return GuardrailPolicy(**typed, best_effort=enforce == "best-effort")

    def fields(self) -> dict[str, Any]:
        """The rules that are set, as in a profile."""
        found: dict[str, Any] = {}
        for name in _RULE_NAMES:
            value = getattr(self, name)
            if value in (None, False) or (value == () and name in {"deny_commands", "denied_toolsets", "denied_tools"}):
                continue
            found[name] = (
                [each.written if isinstance(each, McpRule) else each for each in value]
                if isinstance(value, tuple)
                else value
            )
        return found


_RULE_NAMES = (
    *("approvals", "deny_commands", "allowed_toolsets", "denied_toolsets", "allowed_tools", "denied_tools", "mcp_servers"),
    *("plugins", "models", "providers", "redact", "update_channel"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EffectiveProfile:
    """A team profile after `extends` and one user's overrides, with a value for every field."""

    name: str
    model: str
    base_url: str
    api_mode: ApiMode = ApiMode.CHAT_COMPLETIONS
    description: str = ""
    context_length: int | None = None
    provider: str = "aisa"
    key_env: str = "AISA_API_KEY"
    fallback_models: tuple[str, ...] = ()
    hermes: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secret_delivery: SecretDelivery = SecretDelivery.FILE
    capabilities: bool = False
    language: str | None = None
    managed: bool = False
    key_max_age_days: int | None = None
    side_routes: SideRoutes = SideRoutes.TEAM
    allowed_hosts: tuple[str, ...] = ()
    hermes_version: str | None = None
    budget_usd_month: float | None = None
    policy: GuardrailPolicy | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of a user. `name` is None for a machine whose entry names none: the user's only or first one.

    A lost machine keeps its name and the day; nothing is sealed to it.
    """

    name: str | None
    platform: Platform = Platform.LINUX
    recipients: tuple[str, ...] = ()
    endpoint_key: str | None = None
    host: str | None = None
    hermes_home: str | None = None
    lost: str | None = None


def machine_label(user: str, machine: str | None) -> str:
    """Return how messages and file names call a machine: `ada`, or `ada/laptop` for a named one."""
    return f"{user}/{machine}" if machine else user


@dataclass(frozen=True, slots=True)
class DesiredState:
    """One user of the inventory, with the effective profile. `place` is the user's place in the inventory.

    The fields from `platform` to `hermes_profile` are those of the first machine, `machine` is its name.
    """

    user: str
    profile: EffectiveProfile
    place: Place
    platform: Platform = Platform.LINUX
    recipients: tuple[str, ...] = ()
    endpoint_key: str | None = None
    host: str | None = None
    hermes_home: str | None = None
    hermes_profile: str | None = None
    tags: tuple[str, ...] = ()
    origins: Mapping[str, Place] = field(default_factory=dict)
    """Maps a dotted path (`model`, `hermes.security.redact_secrets`, `recipients`) to the place that set it."""
    machine: str | None = None
    more_machines: tuple[Machine, ...] = ()
    lost_machines: tuple[Machine, ...] = ()
    email: str | None = None
    external_id: str | None = None

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines in use, the first one first. None for a user whose only machine is lost."""
        first = Machine(self.machine, self.platform, self.recipients, self.endpoint_key, self.host, self.hermes_home)
        if self.lost_machines and not (self.machine or self.recipients or self.endpoint_key or self.host):
            return self.more_machines
        return (first, *self.more_machines)

    @property
    def all_recipients(self) -> tuple[str, ...]:
        """The recipients of all machines in use: who may open the user's bundle."""
        if not self.more_machines:
            return self.recipients
        return tuple(dict.fromkeys([*self.recipients, *(r for m in self.more_machines for r in m.recipients)]))

    def origin(self, path: str) -> Place:
        """Return the place that set a value, else that of the nearest parent path, else the user's place."""
        while path:
            if path in self.origins:
                return self.origins[path]
            path = path.rpartition(".")[0]
        return self.place
