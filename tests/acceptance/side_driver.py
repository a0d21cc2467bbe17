"""Make the real Hermes send one kind of side request, many times from one process: it imports Hermes once and forks.

Run with the Python that has Hermes; requests and answers as in `fork_server.py`. What counts is what the gateway saw.

Acts: `aux TASK` (an auxiliary task in the middle of a turn), `auxbare TASK` (one outside of a turn), `chat` (one question),
`provider NAME` (a question to another provider), `delegate` (a subagent), `mcp NAME` (connect to an MCP server), `tts`,
`stt`, `moa` (one preset), `cron` (the first job of cron/jobs.json), `session KEY` and `channel PLATFORM CHAT` (a message to the
messaging gateway), `api MODEL` (a request to its API server), `platform NAME` (a message through one of its platforms),
`desktop METHOD PATH BODY` (what the Desktop app asks of its backend; the answer is printed).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from fork_server import serve

UNKNOWN_ACT = 77
GATEWAY_ACTS = frozenset({"session", "channel", "api", "platform"})
MESSAGES = [{"role": "user", "content": "CONTENT-OF-THE-USER"}]


def load_hermes() -> None:
    """Import what the acts need, once, as far as this release has it."""
    import contextlib
    import importlib

    import agent.auxiliary_client
    import openai
    import run_agent

    assert agent.auxiliary_client
    assert openai.OpenAI
    assert run_agent.AIAgent
    with contextlib.suppress(ImportError):
        importlib.import_module("agent.moa_loop")


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


def gateway_act(kind: str, name: str, chat: str = "") -> None:
    """Make the messaging gateway answer a message, without connecting it to a platform."""
    from gateway.config import Platform, load_gateway_config
    from gateway.platforms.api_server import APIServerAdapter
    from gateway.run import GatewayRunner
    from gateway.session import SessionSource
    from run_agent import AIAgent

    settings = load_gateway_config()
    if kind == "platform":
        import asyncio

        asyncio.run(send_through(GatewayRunner(settings), settings.platforms[Platform(name)], Platform(name)))
        return
    if kind == "api":
        server = APIServerAdapter(settings.platforms[Platform.API_SERVER])
        agent = server._create_agent(route=server._resolve_route(name))
    else:
        channel = {"source": SessionSource(platform=Platform(name), chat_id=chat)} if chat else {"session_key": name}
        chosen, runtime = GatewayRunner(settings)._resolve_session_agent_runtime(**channel)
        agent = AIAgent(model=chosen, enabled_toolsets=["todo"], quiet_mode=True, **runtime)
    agent.chat("CONTENT-OF-THE-USER")


async def send_through(runner: Any, settings: object, platform: object) -> None:
    """Connect one platform of the messaging gateway, and send a message through it."""
    adapter = runner._create_adapter(platform, settings)
    await adapter.connect()
    await adapter.send("t", "CONTENT-OF-THE-USER")
    await adapter.disconnect()


def act(kind: str, *arguments: str) -> None:
    """Make Hermes send it."""
    name = arguments[0] if arguments else ""
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
        from inspect import signature

        from tools.delegate_tool import delegate_task

        wait = {"background": False} if "background" in signature(delegate_task).parameters else {}
        delegate_task(goal="CONTENT-OF-THE-USER", parent_agent=parent_agent(), **wait)
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
    elif kind == "cron":
        from cron.scheduler import run_job

        store = json.loads(Path(os.environ["HERMES_HOME"], "cron", "jobs.json").read_text())
        run_job((store if isinstance(store, list) else store["jobs"])[0])
    elif kind == "desktop":
        from fastapi.testclient import TestClient
        from hermes_cli import web_server

        method, path, body = arguments
        asks = TestClient(web_server.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
        token = {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN}
        answer = asks.request(method, path, content=body, headers={**token, "Content-Type": "application/json"})
        sys.stdout.write(f"{answer.status_code} {answer.text}\n")
    else:
        raise SystemExit(UNKNOWN_ACT)


def send(home: str, arguments: list[str]) -> int:
    """Read the home's `.env` as Hermes does when it starts, and act."""
    from hermes_cli.env_loader import load_hermes_dotenv

    load_hermes_dotenv(hermes_home=home)
    (gateway_act if arguments[0] in GATEWAY_ACTS else act)(*arguments)
    return 0


if __name__ == "__main__":
    load_hermes()
    serve(send)
