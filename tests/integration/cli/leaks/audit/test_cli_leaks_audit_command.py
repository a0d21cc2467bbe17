"""`audit`: which options exclude each other, and the exit codes of an audit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.main import run

KEY = "sk-aisa-" + "".join(reversed("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "machine"))
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "home/.hermes"))
    (tmp_path / "src").mkdir()
    (tmp_path / "src/clean.py").write_text("print('hello')\n")
    return tmp_path / "src"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fix", "--undo"], "--fix and --undo cannot be combined"),
        (["--hosts", "--merge"], "--hosts and --merge cannot be combined"),
        (["--hosts", "src"], "--hosts takes no PATH"),
        (["src", "--limit", "ada"], "--limit needs --hosts"),
        (["--merge"], "--merge needs reports"),
        (["--merge", "no.json"], "file not found: no.json"),
        (["src", "--update-baseline"], "--update-baseline needs --baseline FILE"),
        (["src", "--baseline", "no.json"], "no.json"),
        (["src", "--known", "no.json"], "file not found: no.json"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--workers", "1", "src"]) == 0
    (folder / "leak.py").write_text(f"KEY = '{KEY}'\n")
    assert run(["audit", "--workers", "1", "src"]) == 10
    assert run(["audit", "--workers", "1", "src", "--exit-zero"]) == 0
    assert KEY not in capsys.readouterr().out


def test_no_home_and_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit"]) == 3
    assert "no Hermes home found" in capsys.readouterr().err


def test_a_baseline_ignores_what_was_found_and_nothing_new(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "leak.py").write_text(f"KEY = '{KEY}'\n")
    update = ["audit", "src", "-b", "base.json", "--update-baseline", "--workers", "1"]
    assert run(update) == 2  # a reason is needed, and there is no terminal to ask on
    assert run([*update, "--reason", "a test", "--until", "tomorrow"]) == 2
    assert "invalid date 'tomorrow' for --until" in capsys.readouterr().err
    assert not Path("base.json").exists()
    assert run([*update, "--reason", "a test"]) == 0
    assert "ignores 1 finding; 1 added, 0 removed" in capsys.readouterr().err
    assert run(["audit", "--workers", "1", "src", "-b", "base.json"]) == 0
    (folder / "more.py").write_text(f"OTHER = '{KEY.swapcase().replace('SK-AISA-', 'sk-aisa-')}'\n")
    assert run(["audit", "--workers", "1", "src", "-b", "base.json"]) == 10


def test_reports_of_two_machines_are_merged_by_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "leak.py").write_text(f"KEY = '{KEY}'\n")
    for name in ("one.json", "two.json"):
        assert run(["audit", "--workers", "1", "src", "-f", "json", "-o", name, "--exit-zero"]) == 0
        document = json.loads(Path(name).read_text())
        document["host"] = name.partition(".")[0]
        Path(name).write_text(json.dumps(document))
    capsys.readouterr()
    assert run(["audit", "--merge", "one.json", "two.json"]) == 10
    assert "2 machines: 1 leaked key in 2 places" in capsys.readouterr().out
    assert run(["audit", "--merge", "one.json", "two.json", "--exit-zero"]) == 0
    Path("two.json").write_text("{}")
    assert run(["audit", "--merge", "one.json", "two.json"]) == 1
    assert "two.json: " in capsys.readouterr().err


def test_fix_needs_a_recipient_and_a_confirmation(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "home/.hermes/logs/agent.log"
    log.parent.mkdir(parents=True)
    (tmp_path / "home/.hermes/config.yaml").write_text("model:\n  default: gpt-5.2\n")
    log.write_text(f"using {KEY}\n")
    assert run(["audit", "--workers", "1", "home/.hermes", "--fix", "--yes"]) == 1
    assert "no age recipient to encrypt the backup to" in capsys.readouterr().err
    assert run(["--quiet", "enroll", "--user", "ada"]) == 0
    assert run(["audit", "--workers", "1", "home/.hermes", "--fix"]) == 2
    assert "hint: add --yes to confirm" in capsys.readouterr().err
    assert KEY in log.read_text()
    run(["audit", "--workers", "1", "home/.hermes", "--fix", "--yes"])
    assert KEY not in log.read_text()
    assert run(["audit", "--undo", "--yes"]) == 0
    assert log.read_text() == f"using {KEY}\n"
