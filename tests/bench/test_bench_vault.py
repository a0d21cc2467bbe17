"""The vault with 10,000 users: how long it takes, beside what the cryptography and the disk alone would."""

import os
import secrets
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from provision.detect.secret import Secret
from provision.keys.age import Identity, generate_identity, identity_file, load_identities
from provision.keys.vault.file import create_vault, editing, open_vault

pytestmark = pytest.mark.bench
USERS = 10_000


def _vault(folder: Path) -> tuple[Path, tuple[Identity, ...]]:
    secret, recipient = generate_identity()
    identity = folder / "identity.txt"
    identity.write_bytes(identity_file(secret, recipient, "now"))
    identity.chmod(0o600)
    path = folder / "keys.vault"
    create_vault(path, [recipient])
    return path, load_identities(identity)


def _fill(path: Path, identities: tuple[Identity, ...], users: int) -> None:
    now = datetime.now(UTC)
    with editing(path, identities, "bench") as vault:
        for n in range(users):
            vault.add(f"user-{n:06}", Secret(f"sk-aisa-{secrets.token_urlsafe(32)}"), now=now, label=f"laptop {n}")


def _opened(path: Path, identities: tuple[Identity, ...]) -> int:
    vault = open_vault(path, identities)
    return sum(vault.key(user) is not None for user in vault.users)


def _floor(path: Path, folder: Path) -> float:
    """The same encryptions and one durable write of the same bytes, with nothing around them."""
    data = path.read_bytes()
    cipher, value, bound = ChaCha20Poly1305(os.urandom(32)), os.urandom(51), os.urandom(100)
    began = time.perf_counter()
    for _ in range(USERS):
        cipher.encrypt(os.urandom(12), value, bound)
    with (folder / "floor").open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    return time.perf_counter() - began


def test_ten_thousand_keys(tmp_path: Path) -> None:
    path, identities = _vault(tmp_path)
    began = time.perf_counter()
    _fill(path, identities, USERS)
    importing = time.perf_counter() - began
    began = time.perf_counter()
    assert _opened(path, identities) == USERS
    opening = time.perf_counter() - began
    floor = _floor(path, tmp_path)
    print(f"\nimport {importing:.2f} s, open and read all {opening:.2f} s, floor of an import {floor:.2f} s")
    assert importing < 3
    assert opening < 0.6


def test_memory_is_that_of_the_lines(tmp_path: Path) -> None:
    path, identities = _vault(tmp_path)
    _fill(path, identities, USERS)
    tracemalloc.start()
    try:
        assert _opened(path, identities) == USERS
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"\npeak {peak / 2**20:.1f} MiB for a file of {path.stat().st_size / 2**20:.1f} MiB")
    assert peak < 30 << 20
