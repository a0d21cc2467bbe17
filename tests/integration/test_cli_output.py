"""How the program ends and prints where the terminal, the locale, the pipe or the disk is not what it would like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commandcraft import PROVISION, apart, inside

from provision.cli.main import run


def test_files_and_pipes_get_utf8_in_any_locale() -> None:
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    probe = "from provision.cli import main; main._settle_output(); print('\\u2026\\udcff')"
    done = subprocess.run([sys.executable, "-c", probe], env=plain, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "…\\udcff"


def test_a_reader_that_went_away_ends_it_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([PROVISION, "schema", "profile"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_what_the_system_refuses_is_no_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["init", str(tmp_path / "file" / "acme")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/file/acme: Not a directory\n"


def test_one_process_for_many_commands_says_the_same_as_one_for_each(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PROVISION_CONFIG_DIR": str(tmp_path / "config")}
    assert inside("-q", "init", "ws", environ=environ, cwd=tmp_path).returncode == 0
    codes = []
    for line, stdin in (
        ("chek", ""),
        ("--version", ""),
        ("-w ws check --format json", ""),
        ("-w ws keys import - --dry-run", "user,key\nada,no key\n"),
        ("install nowhere", ""),
    ):
        one, other = (how(*line.split(), environ=environ, cwd=tmp_path, stdin=stdin) for how in (inside, apart))
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
        codes.append(one.returncode)
    assert len(set(codes)) > 2, codes
