"""`provision keys merge`: the other branch's vault and event log."""

from __future__ import annotations

from pathlib import Path

import keysmith
import pytest

from provision.cli.main import run


def test_a_key_of_the_other_branch(operator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("keys.vault", "events.jsonl")
    before = {name: (operator / name).read_bytes() for name in names}
    (operator / "keys.csv").write_text(f"ada,{keysmith.key().reveal()}\n")
    assert run(["-q", "keys", "import", "keys.csv"]) == 0
    for name in names:
        (tmp_path / name).write_bytes((operator / name).read_bytes())
        (operator / name).write_bytes(before[name])
    capsys.readouterr()
    command = ["keys", "merge", str(tmp_path / "keys.vault"), "--log", str(tmp_path / "events.jsonl")]
    assert run(command) == 0
    captured = capsys.readouterr()
    assert "ada" in captured.out
    assert "merged; next: git add keys.vault events.jsonl" in captured.err
    assert run(["keys", "list"]) == 0
    assert "ada" in capsys.readouterr().out
    assert run(command[:3]) == 0
    assert capsys.readouterr().err == "nothing to merge\n"
