"""Run programs of the real Hermes many times from one process, each in a fork of its own.

Run with the Python that has Hermes. The server imports the libraries that Hermes needs, but none of Hermes' own modules: those
are imported in each fork, in the environment of its run, as in a process of its own. That leaves out two thirds of a start.

Each line of stdin is a JSON request: `home`, `environ` (the whole environment), `act` (a list of texts), `stdout` and `stderr`
(files for what is printed), `timeout_s`. One line is printed per request: `exit CODE` or `timeout`. No process of it stays.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
import types
from functools import cache
from importlib.metadata import files
from pathlib import Path

FIRST = (
    "hermes_cli.main",
    "run_agent",
    "openai.resources.chat",
    "openai.resources.responses",
    "anthropic.resources.messages",
)
"""Modules of Hermes whose libraries are those of a run, and libraries that it imports when it asks a model."""


def act(home: str, arguments: list[str]) -> int:
    """Be `hermes ARGUMENTS`."""
    del home
    sys.argv = [str(Path(sys.executable).with_name("hermes")), *arguments]
    from hermes_cli.main import main

    return main() or 0


def load_libraries() -> None:
    """Import what Hermes imports of others, and parse its tools once: it parses each of them at every start."""
    own = {f.parts[0].removesuffix(".py") for f in files("hermes-agent") or () if f.suffix == ".py"}
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        for number in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        for name in FIRST:
            importlib.import_module(name)
        with os.fdopen(into, "w") as file:
            json.dump([m for m in sys.modules if m.partition(".")[0] not in own], file)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as file:
        names = json.load(file)
    os.waitpid(child, 0)
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # made at run time, by Hermes or a compiled library
    ast.parse = cache(ast.parse)  # type: ignore[assignment]
    for file in Path(importlib.util.find_spec("tools").origin).resolve().parent.glob("*.py"):  # type: ignore[union-attr,arg-type]
        ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def run_one(request: dict, program=act) -> str:  # type: ignore[type-arg,no-untyped-def]
    """Fork, run in the child, and wait for it."""
    child = os.fork()
    if child == 0:
        os.setsid()
        _be(request, program)
    until = time.monotonic() + request["timeout_s"]
    answer = "timeout"
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            answer = f"exit {os.waitstatus_to_exitcode(status)}"
            break
        time.sleep(0.01)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return answer
    if answer == "timeout":
        os.waitpid(child, 0)
    return answer


def _be(request: dict, program) -> None:  # type: ignore[type-arg,no-untyped-def]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    code: object = 1
    try:
        os.environ.clear()
        os.environ.update(request["environ"] | {"HERMES_HOME": request["home"]})
        os.chdir(request["environ"]["HOME"])
        if platform := os.environ.pop("TEST_PLATFORM", ""):
            _as_platform(platform)
        code = program(request["home"], request["act"])
    except SystemExit as e:
        code = e.code
        if isinstance(code, str):
            sys.stderr.write(code + "\n")
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _as_platform(platform: str) -> None:
    """Let Hermes, which is imported from here on, take this system for another one. What its libraries found out stays."""
    from logging.handlers import RotatingFileHandler

    sys.platform = platform
    home = Path(os.environ.get("HERMES_HOME", ""))
    if platform == "win32" and home.name == "hermes":  # the platform's default
        del os.environ["HERMES_HOME"]
        os.environ["LOCALAPPDATA"] = str(home.parent)
    if (
        platform == "win32"
    ):  # modules that Hermes imports there: it locks files with the first, and logs with the second
        locks = {"LK_LOCK": 1, "LK_NBLCK": 2, "LK_UNLCK": 0, "LK_RLCK": 3, "LK_NBRLCK": 4}
        names = {"msvcrt": {"locking": lambda *_: None, **locks}}
        names["concurrent_log_handler"] = {"ConcurrentRotatingFileHandler": RotatingFileHandler}
        for name, content in names.items():
            module = types.ModuleType(name)
            vars(module).update(content)
            sys.modules[name] = module


def serve(program=act) -> None:  # type: ignore[no-untyped-def]
    """Answer requests until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    out.write("ready\n")
    out.flush()
    for line in sys.stdin:
        out.write(run_one(json.loads(line), program) + "\n")
        out.flush()
    os._exit(0)  # the libraries have nothing to finish


if __name__ == "__main__":
    load_libraries()
    serve()
