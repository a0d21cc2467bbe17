"""Merged homes through the real Hermes 0.19's own resolution: every golden case ends on our address, mode, model and key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provision.hermes.auth_file import clean_auth
from provision.hermes.config.merge import merge_config

pytestmark = pytest.mark.acceptance

GOLDEN = Path(__file__).parent.parent / "golden"
NEW = GOLDEN / "render_settings" / "config.yaml"
ASK = """
import json
from hermes_cli.env_loader import load_hermes_dotenv
load_hermes_dotenv()
from hermes_cli.config import load_config
from hermes_cli.runtime_provider import resolve_runtime_provider, resolve_requested_provider
got = resolve_runtime_provider(requested=resolve_requested_provider())
model = load_config()["model"]["default"]
print("ROUTE " + json.dumps([got["base_url"], got["api_mode"], got["api_key"], got.get("model"), model]))
"""


@pytest.mark.parametrize("case", sorted(p.name for p in GOLDEN.glob("merge_*") if p.is_dir()))
def test_hermes_resolves_our_route(case: str, tmp_path: Path) -> None:
    last = GOLDEN / case / "last.yaml"
    before = last.read_bytes() if last.exists() else None
    merged = merge_config((GOLDEN / case / "before.yaml").read_bytes(), before, NEW.read_bytes())
    (tmp_path / "config.yaml").write_bytes(merged.data)
    (tmp_path / ".env").write_text("AISA_API_KEY=sk-aisa-TEST-ours\n")
    auth = GOLDEN / case / "auth.json"
    if auth.exists():
        cleaned, _ = clean_auth(auth.read_bytes(), *merged.pools)
        assert cleaned is not None
        (tmp_path / "auth.json").write_bytes(cleaned)
    environ = {"HERMES_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("ROUTE ")), None)
    assert line is not None, done.stderr[-2000:]
    assert json.loads(line.removeprefix("ROUTE ")) in (
        ["https://api.aisa.one/v1", "chat_completions", "sk-aisa-TEST-ours", None, "gpt-5.2"],
        ["https://api.aisa.one/v1", "chat_completions", "sk-aisa-TEST-ours", "", "gpt-5.2"],
    )
    assert (tmp_path / "config.yaml").read_bytes() == merged.data


@pytest.mark.parametrize(
    ("case", "base_url", "mode", "model"),
    [
        ("render_chat", "https://api.aisa.one/v1", "chat_completions", "gpt-5.2"),
        ("render_auto", "https://api.aisa.one/v1", "chat_completions", "gpt-5.2"),
        ("render_responses", "https://api.aisa.one/v1", "codex_responses", "gpt-5.2"),
        ("render_messages", "https://api.aisa.one", "anthropic_messages", "claude-sonnet-5"),
        ("render_fallbacks", "https://api.aisa.one/v1", "chat_completions", "gpt-5.2"),
    ],
)
def test_hermes_resolves_a_rendering_and_migrates_nothing(
    case: str, base_url: str, mode: str, model: str, tmp_path: Path
) -> None:
    config = (GOLDEN / case / "config.yaml").read_bytes()
    (tmp_path / "config.yaml").write_bytes(config)
    (tmp_path / ".env").write_text("AISA_API_KEY=sk-aisa-TEST-ours\n")
    environ = {"HERMES_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    ask = ASK + "from hermes_cli.config import migrate_config\nmigrate_config(interactive=False, quiet=True)\n"
    done = subprocess.run(
        [sys.executable, "-c", ask], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("ROUTE ")), None)
    assert line is not None, done.stderr[-2000:]
    got = json.loads(line.removeprefix("ROUTE "))
    assert [got[0], got[1], got[2], got[4]] == [base_url, mode, "sk-aisa-TEST-ours", model]
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "config.yaml").read_bytes() == config
