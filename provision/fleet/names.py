"""What names may look like: users, profiles, models, environment variables, hosts, recipients.

Ids become folder names on three systems, so they are lower case and avoid what Windows reserves; everything else that
later stands in a command line, a URL or a `.env` line cannot begin with `-` or hold a blank or an invisible character.
Patterns stay within what JSON Schema, Python and Rust regular expressions agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOWS_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))]
)

ID = r"^[a-z0-9._-]{1,64}$"
ID_REFUSED = r"^[.-]|\.$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)"
"""Ids that fit `ID` and are refused nevertheless: hidden or option-like, ending in a dot, reserved on Windows."""
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$"
PROVIDER = r"^[a-z0-9][a-z0-9_-]{0,63}$"
HERMES_PROFILE = r"^[a-z0-9][a-z0-9_-]{0,63}$"
"""Hermes 0.19's own rule for the names of its profiles (hermes_cli/profiles.py)."""
KEY_ENV = r"^[A-Z][A-Z0-9_]{0,63}$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
TAG = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
HOST = r"^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_\[:][A-Za-z0-9._:%\]-]{0,252}$"
URL = r"^[!-~]{1,2000}$"
ENDPOINT_KEY = r"^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}( .{0,200})?$"
RECIPIENT = (
    r"^(age1[02-9ac-hj-np-z]{58}|(ssh-ed25519 [A-Za-z0-9+/]{68}|ssh-rsa [A-Za-z0-9+/]{200,4000}={0,2})( .{0,200})?)$"
)
RECIPIENTS_FILE = r"^[^/\\~:]([^\\:]*[^/\\:])?$"
HERMES_PROFILE_REFUSED = r"^(default|hermes|test|tmp|root|sudo)$"
"""Hermes keeps these for itself: `default` is the root home, the others are its reserved names."""
HERMES_HOME = r"^(/|~/|[A-Za-z]:[\\/]|\\\\|%[A-Za-z]+%[\\/])[^\n\t]*$"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Why a value that does not fit its field's pattern is refused."""

    id: str
    message: str
    hint: str


RULES: dict[str, FieldRule] = {
    "id": FieldRule("bad-id", "is no user id", "a-z, 0-9, '.', '_' and '-', at most 64, not beginning with '.' or '-'"),
    "profile": FieldRule("bad-id", "is no profile name", "a-z, 0-9, '.', '_' and '-': the file's name without .yaml"),
    "extends": FieldRule("bad-id", "is no profile name", "a-z, 0-9, '.', '_' and '-': the file's name without .yaml"),
    "model": FieldRule(
        "bad-model", "is no model id", "copy the exact id, such as gpt-5.2; display names with blanks do not work"
    ),
    "fallback_models": FieldRule("bad-model", "is no model id", "copy the exact id, such as gpt-5.2"),
    "provider": FieldRule("bad-provider", "is no provider name", "a-z, 0-9, '_' and '-', at most 64"),
    "key_env": FieldRule("bad-key-env", "is no name for the key's variable", "A-Z, 0-9 and '_', such as AISA_API_KEY"),
    "env": FieldRule(
        "bad-env-name", "is no name for an environment variable", "letters, digits and '_', not beginning with a digit"
    ),
    "base_url": FieldRule("bad-url", "is no URL", "no blanks; such as https://api.aisa.one/v1"),
    "tags": FieldRule("bad-tag", "is no tag", "letters, digits, '.', '_' and '-', at most 64"),
    "host": FieldRule("bad-host", "is no host", "a host name or address, with user@ in front if need be"),
    "hermes_home": FieldRule(
        "bad-home", "is no absolute folder", "such as /home/ada/.hermes, ~/.hermes or C:\\Users\\ada\\hermes"
    ),
    "hermes_profile": FieldRule("bad-hermes-profile", "is no Hermes profile name", "a-z, 0-9, '_' and '-', at most 64"),
    "endpoint_key": FieldRule(
        "bad-endpoint-key", "is no ssh-ed25519 public key", "copy the line that `provision enroll` prints"
    ),
    "recipients": FieldRule(
        "bad-recipient",
        "is no recipient",
        "a public key: age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…; `provision enroll` prints one",
    ),
    "recipients_file": FieldRule(
        "bad-recipients-file", "is no file of the workspace", "a path relative to the workspace, with '/'"
    ),
}


def id_refusal(name: str) -> str | None:
    """Why an id that fits `ID` is refused all the same; None for good ones."""
    if name[0] in ".-":
        return "ids do not begin with '.' or '-'"
    if name.endswith("."):
        return "Windows cannot store a folder whose name ends in a dot"
    if name.partition(".")[0] in WINDOWS_RESERVED:
        return f"Windows reserves the name {name.partition('.')[0]}"
    return None
