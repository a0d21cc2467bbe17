"""Have a key revoked by another program: the setting `revoke_command` in `provision.toml`, for gateways with an API for keys.

The key is on the program's standard input, never among its arguments, in which `{user}`, `{label}`, `{last_four}` and
`{fingerprint}` are replaced. That the program ends with 0 proves nothing: only the gateway's 401 does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.keys.key_command import run_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.detect.secret import Secret


@dataclass(frozen=True, slots=True)
class DoomedKey:
    """A key to revoke, and how the gateway's console knows it."""

    user: str
    key: Secret = field(repr=False)
    label: str
    fingerprint: str


def run_revoke_command(
    template: Sequence[str], doomed: DoomedKey, timeout_s: float, *, environ: Mapping[str, str] | None = None
) -> None:
    """Run the command for one key. Raises KeyCommandError. Thread-safe."""
    values = {
        "{user}": doomed.user,
        "{label}": doomed.label,
        "{last_four}": doomed.key.last_four,
        "{fingerprint}": doomed.fingerprint,
    }
    argv = [_filled(word, values) for word in template]
    stdin = f"{doomed.key.reveal()}\n".encode()
    run_program(argv, timeout_s, "revoke_command", doomed.user, stdin=stdin, environ=environ)


def _filled(word: str, values: Mapping[str, str]) -> str:
    """The word with its placeholders replaced in one pass: a label with a placeholder in it stays as it is."""
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], word)
