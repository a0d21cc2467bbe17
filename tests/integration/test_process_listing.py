"""Processes without /proc: the real `ps`, as on macOS; and what Windows' CIM says, by a stand-in for PowerShell."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from seeded import token_hex

from provision.audit.sources.processes import FoundProcess, list_processes, read_process
from provision.containers.blob import Blob
from provision.endpoint.process_listing import listed_processes, shown_environment, shown_variable
from provision.endpoint.processes import running_hermes

NO_PROC = Path("/nonexistent-proc")
SECRET = f"sk-{token_hex(20)}"


@pytest.fixture
def hermes(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Something that looks like `hermes gateway`, with a home of its own."""
    home, program = tmp_path / "my home", tmp_path / "hermes"
    home.mkdir()
    program.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    environ = {"HERMES_HOME": str(home), "AISA_API_KEY": SECRET, "HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, str(program), "gateway"], env=environ, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.programs("ps")
def test_ps_lists_hermes_with_its_home_and_its_start(
    hermes: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (found,) = [each for each in running_hermes(tmp_path / "my home", NO_PROC) or () if each.same_home]
    assert (found.pid, found.what) == (hermes.pid, "hermes gateway")
    assert found.started is not None
    assert abs(found.started - time.time()) < 300
    (tmp_path / "another").mkdir()
    assert hermes.pid not in {each.pid for each in running_hermes(tmp_path / "another", NO_PROC) or ()}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert running_hermes(tmp_path / "my home", NO_PROC) is None, "unknown, not none"


@pytest.mark.programs("ps")
def test_the_audit_reads_the_variables_that_ps_shows(hermes: subprocess.Popen[bytes]) -> None:
    assert FoundProcess(hermes.pid) in list(list_processes(NO_PROC))
    (blob,) = read_process(hermes.pid, NO_PROC)
    assert isinstance(blob, Blob)
    assert isinstance(blob.data, bytes)
    assert f"AISA_API_KEY={SECRET}".encode() in blob.data
    text = shown_environment(hermes.pid)
    assert text is not None
    assert shown_variable(text, "AISA_API_KEY") == SECRET
    assert shown_variable(text, "API_KEY") is None
    hermes.kill()
    hermes.wait()
    (unread,) = read_process(hermes.pid, NO_PROC)
    assert "not shown" in unread.reason  # type: ignore[union-attr]


CIM = [
    {"pid": 4, "line": None, "name": "System", "started": None},
    {
        "pid": 17,
        "line": '"C:\\Users\\ada lovelace\\hermes-agent\\venv\\Scripts\\Python.exe" -m hermes_cli gateway',
        "name": "Python.exe",
        "started": "2026-11-28T20:00:00.1234567Z",
    },
    {"pid": 18, "line": "C:\\hermes\\hermes.exe chat", "name": "hermes.exe", "started": "2026-11-28T20:00:00Z"},
    {"pid": 19, "line": "notepad.exe hermes", "name": "notepad.exe", "started": "2026-11-28T20:00:00Z"},
]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_windows_names_processes_and_not_their_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    program = tmp_path / "System32" / "WindowsPowerShell" / "v1.0" / "powershell.exe"
    program.parent.mkdir(parents=True)
    (tmp_path / "said.json").write_text(mark + json.dumps(CIM))
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/said.json"\n')
    program.chmod(0o755)
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    found = running_hermes(tmp_path) or ()
    assert [(each.pid, each.what, each.same_home) for each in found] == [
        (17, "hermes_cli gateway", None),
        (18, "hermes.exe chat", None),
    ]
    assert found[0].started == pytest.approx(1795896000.123456)
    program.write_text("#!/bin/sh\necho not json\n")
    assert listed_processes() is None
    program.write_text("#!/bin/sh\nexit 1\n")
    assert running_hermes(tmp_path) is None
