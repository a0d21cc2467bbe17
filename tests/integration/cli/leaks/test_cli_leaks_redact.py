"""`redact`: options that cannot be combined, and one bad file among good ones."""

from __future__ import annotations

import errno
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.cli.main import run
from provision.redact import text
from provision.redact.structured import redact_forms


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


def test_a_file_that_a_reader_cannot_cope_with_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any defect of a reader of foreign bytes: that file is named, has no output, and the others are redacted."""
    key = write("a.env")
    Path("odd.json").write_text('{"a": 1}')

    def broken(forms: Any, data: bytes, file: str, session: Any) -> bytes:
        if file == "odd.json":
            raise IndexError(key)
        return redact_forms(forms, data, file, session)

    monkeypatch.setattr(text, "redact_forms", broken)
    assert run(["redact", "odd.json", "a.env", "-o", "safe"]) == 4
    said = capsys.readouterr().err
    assert "odd.json: cannot be examined to its end (IndexError)" in said
    assert key not in said
    assert [path.name for path in Path("safe").iterdir()] == ["a.env"]


def test_two_files_of_one_name_do_not_overwrite_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        write(f"{folder}/a.env")
    assert run(["redact", "one/a.env", "two/a.env", "-o", "safe"]) == 2
    assert not Path("safe").exists()


def test_a_name_that_holds_a_key_is_not_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    key = write("a.env")
    Path("a.env").rename(f"log-{key}.txt")
    assert run(["redact", f"log-{key}.txt", "-o", "safe/"]) == 0
    [made] = Path("safe").iterdir()
    assert re.fullmatch(r"log-REDACTED-aisa-key-\w{4}\.txt", made.name)
    assert run(["redact", "-i", f"log-{key}.txt"]) == 4, "its content is masked, its name stays"
    said = capsys.readouterr().err
    assert "its own name: it shows a secret (rename the file)" in said
    assert "1 masked: 1 env-value" in said, "the name is not counted"
    assert key not in said
    assert run(["checklist", "safe"]) != 1
    assert run(["checklist", "."]) == 10
    shown = capsys.readouterr().out
    assert "rename what shows a secret in its own name" in shown
    assert key not in shown


def test_names_that_differ_only_in_what_is_masked_do_not_overwrite_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for letter in "AB":
        Path(f"log-sk-aisa-{letter}0123456789abcdefghijklmnopqrstuvwxyzABCDEF.txt").write_text(letter)
    assert run(["redact", "--mask", "fixed", *map(str, Path().glob("log-*")), "-o", "safe/"]) == 2
    assert "the same name" in capsys.readouterr().err


def test_a_full_disk_is_told_as_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.env")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(text, "redact_stream", full)
    monkeypatch.setattr(text, "redact_forms", full)
    assert run(["redact", "a.env", "-o", "b.env"]) == 1
    assert "No space left on device" in capsys.readouterr().err


def test_standard_input_needs_the_name_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["redact", "-", "-o", "new/"]) == 2
    assert "new is a folder" in capsys.readouterr().err
    assert not Path("new").exists()


def test_a_slash_at_the_end_of_the_output_means_a_folder() -> None:
    write("a.env")
    assert run(["redact", "a.env", "-o", "new/folder/"]) == 0
    assert Path("new/folder/a.env").is_file()


def test_a_file_is_not_overwritten_by_its_redacted_form(capsys: pytest.CaptureFixture[str]) -> None:
    key = write("a.env")
    assert run(["redact", "a.env", "-o", "a.env"]) == 4
    assert "hint: use --in-place" in capsys.readouterr().err
    assert key in Path("a.env").read_text()


@pytest.fixture
def through_pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], int]:
    """Runs `redact < DATA` and returns the exit code."""

    def redact(data: bytes) -> int:
        Path("input").write_bytes(data)
        with Path("input").open("rb") as source, Path("output").open("wb") as target:
            monkeypatch.setattr(sys, "stdin", source)
            monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(target))
            return run(["redact"])

    return redact


NOT_READABLE = b"Rar!\x1a\x07\x01\x00" + bytes(range(256))
NEEDS_REVIEW = b"a: " + b"x" * 200 + b"\n"


def test_what_is_refused_has_one_exit_code(through_pipe: Callable[[bytes], int]) -> None:
    Path("a.rar").write_bytes(NOT_READABLE)
    assert run(["redact", "a.rar", "-o", "b.rar"]) == 4
    assert through_pipe(NOT_READABLE) == 4
    assert Path("output").read_bytes() == b""


def test_what_needs_a_review_has_one_exit_code(
    through_pipe: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text, "STRUCTURED_LIMIT_BYTES", 100)
    for name in ("a.yaml", "b.yaml"):
        Path(name).write_bytes(NEEDS_REVIEW)
    assert through_pipe(NEEDS_REVIEW) == 4
    assert run(["redact", "a.yaml", "-o", "safe.yaml"]) == 4
    assert run(["redact", "a.yaml", "b.yaml", "-o", "safe"]) == 4
    assert run(["redact", "-i", "a.yaml"]) == 4
    assert "needs review" in capsys.readouterr().err


def test_a_key_of_the_vault_is_masked_by_its_value(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "no-home"))
    key = (tmp_path / "keys.csv").read_text().split(",")[-1].strip()
    (fleet / "note.txt").write_text(f"the key is {key}\n")
    assert run(["redact", "-i", "note.txt", "--report", "masks.json"]) == 0
    assert (fleet / "note.txt").read_text().startswith("the key is [REDACTED:known-key#")
    assert '"schema": "provision/redaction/v1"' in (fleet / "masks.json").read_text()
