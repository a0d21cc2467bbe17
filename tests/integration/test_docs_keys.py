"""Every command of docs/keys-lifecycle.md and docs/checklist.md does what the page says, in order, in one workspace."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import seeded

from provision.cli.main import run

DOCS = Path(__file__).parents[2] / "docs"
ASKS_THE_GATEWAY = "provision validate"


def _commands(page: str) -> list[tuple[list[str], int]]:
    """Each line of the page's shell blocks as arguments, and the exit code that its comment promises."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        for line in block.splitlines():
            if not line.startswith(ASKS_THE_GATEWAY):
                command, _, comment = line.partition(" #")
                code = re.search(r"exit (\d+)", comment)
                found.append((shlex.split(command)[1:], int(code[1]) if code else 0))
    return found


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    (folder / "inventory.yaml").write_text("users:\n  - {id: ada, profile: engineering, recipients: []}\n")
    monkeypatch.chdir(folder)
    (tmp_path / ".hermes").mkdir()
    key = "sk-" + "aisa-" + seeded.token_urlsafe(32)
    Path("demo.csv").write_text(f"ada,{key}\n")
    return key


def test_keys_lifecycle(key: str) -> None:
    answer = {"user": "ada", "verdict": "ok", "advice": "", "key_fingerprint": None}
    results = {"schema": "provision/validate/v1", "users": [answer], "summary": {"started": "2026-05-01T10:00:00Z"}}
    Path("validated.json").write_text(json.dumps(results))
    commands = _commands("keys-lifecycle.md")
    assert len(commands) >= 10
    for arguments, code in commands:
        assert run(["-q", *map(str, map(_home, arguments))]) == code, arguments
    assert run(["-q", "report", "--validated", "validated.json", "-o", "fleet.html"]) == 10
    assert Path("fleet.html").read_text().rstrip().endswith("</html>")


def test_checklist(key: str) -> None:
    assert run(["-q", "keys", "import", "demo.csv"]) == 0
    cast = [json.dumps({"version": 2, "width": 80, "height": 24}), json.dumps([0.1, "o", f"$ echo {key}\r\n"])]
    Path("recording.cast").write_text("\n".join(cast) + "\n")
    for arguments, code in _commands("checklist.md"):
        assert run(["-q", *arguments]) == code, arguments


def test_the_hook_of_the_page_is_the_one_there_is() -> None:
    hooks = (DOCS.parent / ".pre-commit-hooks.yaml").read_text()
    assert "id: provision-checklist" in hooks
    assert "{id: provision-checklist}" in (DOCS / "checklist.md").read_text()


def _home(argument: str) -> Path | str:
    return Path(argument).expanduser() if argument.startswith("~") else argument
