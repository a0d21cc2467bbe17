"""`provision keys operators`: recipients from the command line or a .pub file."""

from __future__ import annotations

from pathlib import Path

import keysmith
import pytest

from provision.cli.keys.operators import _text
from provision.cli.main import run
from provision.errors import UsageError


def test_a_recipient_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text("ssh-ed25519 AAAA ada\n")
    assert _text(str(file)) == "ssh-ed25519 AAAA ada"
    assert _text("age1x.pub") == "age1x.pub", "a recipient is never taken for a file"
    with pytest.raises(UsageError, match=r"no such file: .*other\.pub"):
        _text(str(tmp_path / "other.pub"))


def test_add_and_remove(operator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = keysmith.identity(1)[1]
    assert run(["keys", "operators", "add", other]) == 0
    assert capsys.readouterr().err == "2 operators can open the vault; next: commit keys.vault\n"
    assert run(["keys", "operators", "list"]) == 0
    assert other in capsys.readouterr().out
    assert run(["keys", "operators", "remove", other]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "0 keys encrypted again; 1 operator can open the vault"
    assert lines[-1] == "next: commit keys.vault, then provision rotate start"
