"""Make the real Hermes send one kind of side request, many times from one process: it imports Hermes once and forks.

Run with the Python that has Hermes. Each line of stdin is a JSON request: `home`, `environ` (the whole environment), `act`
(the kind, then its argument), `log` (a file for what Hermes prints). One line is printed per request: `done`, `failed TYPE` or
`timeout`. What counts is what the gateway saw.

Acts: `aux TASK` (an auxiliary task in the middle of a turn), `auxbare TASK` (one outside of a turn), `chat` (one question),
`provider NAME` (a question to another provider), `delegate` (a subagent), `mcp NAME` (connect to an MCP server), `tts`,
`stt`, `moa` (one preset).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

TIMEOUT_S = 60.0
MESSAGES = [{"role": "user", "content": "CONTENT-OF-THE-USER"}]


def load_hermes() -> None:
    """Import what the acts need, once."""
    import agent.auxiliary_client
    import agent.moa_loop
    import openai
    import run_agent

    assert agent.auxiliary_client
    assert openai.OpenAI
    assert run_agent.AIAgent


def parent_agent() -> object:
    """The agent of a turn, as the command line builds it, with its runtime announced as at the start of a turn."""
    from agent.auxiliary_client import set_runtime_main
    from hermes_cli.config import load_config
    from hermes_cli.runtime_provider import resolve_runtime_provider
    from run_agent import AIAgent

    model = load_config()["model"]
    found = resolve_runtime_provider()
    agent = AIAgent(
        model=model["default"] if isinstance(model, dict) else model,
        provider=found["provider"],
        base_url=found["base_url"],
        api_key=found["api_key"],
        api_mode=found["api_mode"],
        enabled_toolsets=["todo"],
        quiet_mode=True,
    )
    set_runtime_main(
        agent.provider, agent.model, base_url=agent.base_url, api_key=agent.api_key, api_mode=agent.api_mode
    )
    return agent


def act(kind: str, name: str = "") -> None:
    """Make Hermes send it."""
    if kind in {"aux", "auxbare"}:
        if kind == "aux":
            parent_agent()
        from agent.auxiliary_client import call_llm

        call_llm(task=name, messages=MESSAGES)
    elif kind in {"chat", "provider"}:
        from hermes_cli.oneshot import run_oneshot

        more = {"provider": f"custom:{name}", "model": "m"} if name else {}
        run_oneshot("CONTENT-OF-THE-USER", toolsets="todo", **more)
    elif kind == "delegate":
        from tools.delegate_tool import delegate_task

        delegate_task(goal="CONTENT-OF-THE-USER", background=False, parent_agent=parent_agent())
    elif kind == "mcp":
        from argparse import Namespace

        from hermes_cli.mcp_config import cmd_mcp_test

        cmd_mcp_test(Namespace(name=name))
    elif kind == "tts":
        from tools.tts_tool import text_to_speech_tool

        text_to_speech_tool(text="CONTENT-OF-THE-USER")
    elif kind == "stt":
        from tools.transcription_tools import transcribe_audio

        path = Path(os.environ["HERMES_HOME"], "voice.mp3")
        path.write_bytes(b"CONTENT-OF-THE-USER" * 100)
        transcribe_audio(str(path))
    elif kind == "moa":
        from agent.moa_loop import _run_reference
        from hermes_cli.config import load_config
        from hermes_cli.moa_config import resolve_moa_preset

        parent_agent()
        for slot in resolve_moa_preset(load_config().get("moa") or {}, name or None)["reference_models"]:
            _run_reference(slot, MESSAGES)
    else:
        raise SystemExit(f"unknown act {kind}")


def run_one(request: dict) -> str:
    """Fork, act in the child, and wait for it."""
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(log, number)
        code = 1
        try:
            os.environ.clear()
            os.environ.update(request["environ"] | {"HERMES_HOME": request["home"]})
            os.chdir(request["environ"]["HOME"])
            from hermes_cli.env_loader import load_hermes_dotenv

            load_hermes_dotenv(hermes_home=request["home"])
            act(*request["act"])
            code = 0
        except BaseException as e:
            import traceback

            traceback.print_exc()
            code = 3 if isinstance(e, SystemExit) and str(e).startswith("unknown act") else 2
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return "done" if code == 0 else f"failed {code}"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    load_hermes()
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(run_one(json.loads(line)) + "\n")
        out.flush()
