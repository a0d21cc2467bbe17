"""`redact`: options that cannot be combined, and one bad file among good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "no-home"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exec"], "--exec needs a command"),
        (["--exec", "-o", "x", "--", "true"], "cannot be combined with --in-place or --output"),
        (["-i", "-o", "x", "a"], "--in-place and --output cannot be combined"),
        (["-i"], "--in-place needs files"),
        (["-i", "-"], "--in-place needs files"),
        (["-", "a"], "cannot be combined with files"),
    ],
)
def test_options_that_cannot_be_combined(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["redact", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def write(name: str) -> str:
    key = "sk-aisa-" + "".join(reversed("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"))
    Path(name).write_text(f"AISA_API_KEY={key}\n")
    return key


def test_one_missing_file_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    key = write("a.env")
    assert run(["redact", "no.txt", "a.env", "-o", "safe"]) == 4
    assert "no.txt" in capsys.readouterr().err
    assert key not in Path("safe/a.env").read_text()
    assert key in Path("a.env").read_text()


def test_two_files_of_one_name_do_not_overwrite_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        write(f"{folder}/a.env")
    assert run(["redact", "one/a.env", "two/a.env", "-o", "safe"]) == 2
    assert not Path("safe").exists()


def test_a_file_is_not_overwritten_by_its_redacted_form(capsys: pytest.CaptureFixture[str]) -> None:
    key = write("a.env")
    assert run(["redact", "a.env", "-o", "a.env"]) == 4
    assert "hint: use --in-place" in capsys.readouterr().err
    assert key in Path("a.env").read_text()


def test_a_key_of_the_vault_is_masked_by_its_value(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "no-home"))
    key = (tmp_path / "keys.csv").read_text().split(",")[-1].strip()
    (fleet / "note.txt").write_text(f"the key is {key}\n")
    assert run(["redact", "-i", "note.txt", "--report", "masks.json"]) == 0
    assert (fleet / "note.txt").read_text().startswith("the key is [REDACTED:known-key#")
    assert '"schema": "provision/redaction/v1"' in (fleet / "masks.json").read_text()
