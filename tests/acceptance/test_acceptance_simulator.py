"""The real Hermes takes the simulator for a gateway, and `validate` calls what Hermes calls: same path, header, model."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hermes_venvs import hermes_program

from provision.aisa.answers import Probe
from provision.aisa.probes import request_for
from provision.aisa.simulator import Simulator
from provision.fleet.desired import ApiMode

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]
HERMES = hermes_program()
KEY = "sk-aisa-TEST-acceptance"


@pytest.mark.parametrize(
    ("mode", "model"),
    [("chat_completions", "gpt-5.2"), ("codex_responses", "gpt-5.2"), ("anthropic_messages", "claude-sonnet-5")],
)
def test_hermes_understands_the_simulator(tmp_path: Path, mode: str, model: str) -> None:
    with Simulator([KEY]) as sim:
        base_url = sim.url if mode == "anthropic_messages" else sim.base_url
        (tmp_path / "config.yaml").write_text(
            f"model: {{default: {model}, provider: 'custom:aisa'}}\n"
            f"providers: {{aisa: {{base_url: '{base_url}', key_env: AISA_API_KEY, api_mode: {mode}}}}}\n"
            "_config_version: 33\n"
        )
        (tmp_path / ".env").write_text(f"AISA_API_KEY={KEY}\n")
        environment = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}}
        done = subprocess.run(
            [HERMES, "-z", "hi", "-t", "todo"], env={**environment, "HERMES_HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        assert done.stdout.strip() == f"I am {model}, served through AIsa."
        (call,) = [q for q in sim.requests if q.method == "POST" and q.path.startswith("/v1/")]
    ours = request_for(Probe.CHAT, sim.url, model, ApiMode(mode))
    assert (call.path, call.key_header, call.key, call.model) == (
        ours.url.removeprefix(sim.url),
        ours.key_header,
        KEY,
        model,
    )
