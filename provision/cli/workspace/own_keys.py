"""An operator's own keys, in their configuration folder: made if they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from provision.cli.context import Run


def make_identity(run: Run, path: Path) -> str:
    """The recipient of the operator's identity, which is created if missing."""
    from datetime import UTC, datetime

    from provision.files import write_atomic
    from provision.keys.age import generate_identity, identity_file, load_identities

    if path.exists():
        run.say(f"your identity exists: {path}")
        return load_identities(path)[0].recipient
    secret, recipient = generate_identity()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, identity_file(secret, recipient, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"))
    run.say(f"created your identity: {path} (keep a backup: without it you cannot open the vault)")
    return recipient


def make_signing_key(run: Run, path: Path) -> str:
    """The public key of the operator's signing key, which is created if missing."""
    from provision.files import write_atomic
    from provision.signing.sshsig import load_signing_key, new_signing_key, public_line

    if path.exists():
        run.say(f"your signing key exists: {path}")
        return public_line(load_signing_key(path).public_key())
    key, text = new_signing_key()
    write_atomic(path, text)
    run.say(f"created your signing key: {path}")
    return public_line(key.public_key())
