"""Vaults, keys and identities for tests."""

import functools
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import seeded

from provision.detect.secret import Secret
from provision.keys import age
from provision.keys.vault.text import parse_vault
from provision.keys.vault.vault import Vault, new_vault, open_sealed

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def identity(number: int = 0) -> tuple[tuple[age.Identity, ...], str]:
    return _identity(number)


@functools.cache
def _identity(number: int) -> tuple[tuple[age.Identity, ...], str]:
    secret, recipient = age.generate_identity()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"identity-{number}.txt"
        path.write_bytes(age.identity_file(secret, recipient, "now"))
        path.chmod(0o600)
        return age.load_identities(path), recipient


def key(mark: str = "") -> Secret:
    return Secret(f"sk-aisa-{mark}{seeded.token_urlsafe(32)}"[:51])


def vault(**users: str) -> Vault:
    """A vault of operator 0 with one current key per user, the given text."""
    made = new_vault([identity()[1]])
    for user, value in users.items():
        made.add(user, Secret(value), now=NOW)
    return made


def reopened(made: Vault, number: int = 0) -> Vault:
    return open_sealed(parse_vault(made.serialised(), "keys.vault"), identity(number)[0])
