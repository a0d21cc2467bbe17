"""Patterns for names: users, profiles, models, environment variables, hosts, recipients.

User ids become folder names on three systems, so they are lower case and avoid names that Windows reserves. Other names
appear in command lines, URLs or `.env` lines, so they cannot begin with `-` or contain a space or an invisible character.
The patterns use only what JSON Schema, Python and Rust regular expressions have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WINDOWS_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))]
)

ID = r"^[a-z0-9._-]{1,64}$"
ID_REFUSED = r"^[.-]|\.$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)"
"""Ids that match `ID` but are refused: hidden or option-like, ending in a dot, or reserved on Windows."""
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$"
PROVIDER = r"^[a-z0-9][a-z0-9_-]{0,63}$"
HERMES_PROFILE = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""The rule of Hermes for names of its profiles (hermes_cli/profiles.py)."""
KEY_ENV = r"^[A-Z][A-Z0-9_]{0,63}$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
TAG = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ACCOUNT = r"^(?!-)([A-Za-z0-9._-]{1,64}[+\\])?[A-Za-z0-9._-]{1,64}(@[A-Za-z0-9.-]{1,255})?$"
"""An account on a machine, also of a directory: `ada@corp.example`, `CORP\\ada`, `CORP+ada` (SSSD, winbind)."""
HOST = r"^([A-Za-z0-9_][A-Za-z0-9_.@+\\-]*@)?\[?[A-Za-z0-9_:][A-Za-z0-9._:%\]-]{0,251}$"
ALLOWED_HOST = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$"
EMAIL = r"^[^\s@]{1,128}@[^\s@]{1,189}$"
EXTERNAL_ID = r"^[!-~]([ -~]{0,198}[!-~])?$"
POLICY_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,127}$"
"""A toolset, an MCP server or a plug-in of Hermes."""
COMMAND_GLOB = r"^[!-~]([ -~]{0,510}[!-~])?$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
URL = r"^[!-~]{1,2000}$"
ENDPOINT_KEY = r"^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}( .{0,200})?$"
RECIPIENT = (
    r"^(age1[02-9ac-hj-np-z]{58}|(ssh-ed25519 [A-Za-z0-9+/]{68}|ssh-rsa [A-Za-z0-9+/]{200,4000}={0,2})( .{0,200})?)$"
)
RECIPIENTS_FILE = r"^[^/\\~:]([^\\:]*[^/\\:])?$"
HERMES_PROFILE_REFUSED = r"^(default|hermes|test|tmp|root|sudo)$"
"""Names that Hermes reserves; `default` is the root home."""
HOME_VARIABLES = ("%LOCALAPPDATA%", "%APPDATA%", "%USERPROFILE%", "%PROGRAMDATA%")
"""Variables of Windows that `hermes_home` may begin with; a machine expands these and no others."""
HOME_VARIABLE = re.compile(rf"%({'|'.join(name.strip('%') for name in HOME_VARIABLES)})%(?=[\\/])", re.IGNORECASE)
_HOME_OF_WINDOWS = r"([A-Za-z]:[\\/]|\\\\|%(LOCALAPPDATA|APPDATA|USERPROFILE|PROGRAMDATA|ProgramData)%[\\/])[^\n\t%]*"
HERMES_HOME = rf"^((/|~/)[^\n\t]*|{_HOME_OF_WINDOWS})$"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How to report a value that does not match its field's pattern: the rule's id, what the field contains, a hint."""

    id: str
    noun: str
    hint: str


_ID_HINT = "use a-z, 0-9, '.', '_' and '-', at most 64 characters, not beginning with '.' or '-'"
_PROFILE_HINT = "use the file's name without .yaml: a-z, 0-9, '.', '_' and '-'"
_RECIPIENT_HINT = "use a public key (age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…); `provision enroll` prints one"
RULES: dict[str, FieldRule] = {
    "id": FieldRule("bad-id", "user id", _ID_HINT),
    "profile": FieldRule("bad-id", "profile name", _PROFILE_HINT),
    "extends": FieldRule("bad-id", "profile name", _PROFILE_HINT),
    "model": FieldRule(
        "bad-model", "model id", "copy the exact id, such as gpt-5.2; display names with spaces do not work"
    ),
    "fallback_models": FieldRule("bad-model", "model id", "copy the exact id, such as gpt-5.2"),
    "provider": FieldRule("bad-provider", "provider name", "use a-z, 0-9, '_' and '-', at most 64 characters"),
    "key_env": FieldRule("bad-key-env", "name of the key's variable", "use A-Z, 0-9 and '_', such as AISA_API_KEY"),
    "env": FieldRule(
        "bad-env-name", "environment variable name", "use letters, digits and '_', not beginning with a digit"
    ),
    "base_url": FieldRule("bad-url", "URL", "use a URL without spaces, such as https://api.aisa.one/v1"),
    "hermes_version": FieldRule(
        "bad-version-range", "range of versions", 'use comparisons with commas between them, such as ">=0.19,<0.23"'
    ),
    "tags": FieldRule("bad-tag", "tag", "use letters, digits, '.', '_' and '-', at most 64 characters"),
    "host": FieldRule("bad-host", "host", "use a host name or address, with user@ in front if needed"),
    "allowed_hosts": FieldRule(
        "bad-allowed-host", "host", "use the host alone, in lower case, such as mcp.example.com or localhost:8080"
    ),
    "hermes_home": FieldRule(
        "bad-home", "absolute path", "such as /home/ada/.hermes, ~/.hermes or C:\\Users\\ada\\hermes"
    ),
    "hermes_profile": FieldRule(
        "bad-hermes-profile", "Hermes profile name", "use a-z, 0-9, '_' and '-', at most 64 characters"
    ),
    "endpoint_key": FieldRule(
        "bad-endpoint-key", "ssh-ed25519 public key", "copy the line that `provision enroll` prints"
    ),
    "email": FieldRule("bad-email", "mail address", "use one address, such as ada@example.com"),
    "external_id": FieldRule("bad-external-id", "external id", "use the directory's id: printable ASCII, at most 200"),
    "left": FieldRule("bad-day", "date", 'use year-month-day in quotes, such as "2026-03-31"'),
    "lost": FieldRule("bad-day", "date", 'use year-month-day in quotes, such as "2026-03-31"'),
    "machine": FieldRule("bad-id", "machine name", _ID_HINT),
    "recipients": FieldRule("bad-recipient", "recipient", _RECIPIENT_HINT),
    "recipients_file": FieldRule(
        "bad-recipients-file", "file in the workspace", "use a path relative to the workspace, with '/'"
    ),
}


def id_refusal(name: str) -> str | None:
    """Return why an id that matches `ID` is refused, or None."""
    if name[0] in ".-":
        return "an id must not begin with '.' or '-'"
    if name.endswith("."):
        return "Windows cannot store a folder whose name ends in a dot"
    if name.partition(".")[0] in WINDOWS_RESERVED:
        return f"Windows reserves the name {name.partition('.')[0]}"
    return None
