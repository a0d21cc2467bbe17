"""The program in docs/vault.md reads a vault back without provision."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from provision.detect.secret import Secret
from provision.keys.age import generate_identity, identity_file, load_identities
from provision.keys.vault.file import create_vault, editing
from provision.keys.vault.ledger import Stage

DOCS = Path(__file__).parents[2] / "docs" / "vault.md"


def test_the_documented_program_reads_the_vault(tmp_path: Path) -> None:
    secret, recipient = generate_identity()
    identity = tmp_path / "identity.txt"
    identity.write_bytes(identity_file(secret, recipient, "now"))
    identity.chmod(0o600)
    path = tmp_path / "keys.vault"
    create_vault(path, [recipient])
    with editing(path, load_identities(identity), "test") as vault:
        vault.add("ada", Secret("one"), now=datetime.now(UTC), label="ada's laptop")
        vault.add("ada", Secret("two"), now=datetime.now(UTC), stage=Stage.PENDING)
    program = tmp_path / "read.py"
    program.write_text(DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0])
    done = subprocess.run(
        [sys.executable, str(program), str(path), str(identity)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.stdout.splitlines() == ["ada 1 current one", "ada 2 pending two"], done.stderr
