"""`build-zipapp`; that the file runs is tested in `bed`."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.cli.main import run


@pytest.mark.parametrize("python", ["3.10", "2.7", "3", "x"])
def test_a_python_that_provision_does_not_run_on(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["build-zipapp", "--python", python]) == 2
    assert f"invalid --python '{python}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
