"""Makes this process ready to be forked for hundreds of commands: all is imported, and templates need no process of their own.

That is most of the time of a case. Templates hold no keys and write nothing; what their process may is tested elsewhere.
"""

from __future__ import annotations

import functools
import gc
import importlib
import io
import json
import pkgutil
from contextlib import redirect_stdout
from typing import Any

import provision
from provision.bundle import prepare
from provision.cli.app import COMMANDS
from provision.cli.main import run
from provision.hermes.rendering import templates
from provision.hermes.rendering.sandbox import CompiledTemplates
from provision.tls import trust_context

_LATE = ("anyio._backends._asyncio", "httpcore._async.socks_proxy", "httpcore._sync.socks_proxy")
"""What a request to the gateway imports of others."""


class RendererHere:
    """Renders in this process what `Renderer` renders in another."""

    def load(self, sources: dict[str, str]) -> dict[str, Any]:
        self._compiled, reply = _compiled(tuple(sources.items()))
        return reply

    def render(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(json.dumps(self._compiled.render(name, values)))
        return reply


@functools.cache
def _compiled(sources: tuple[tuple[str, str], ...]) -> tuple[CompiledTemplates, dict[str, Any]]:
    made = CompiledTemplates(dict(sources))
    return made, made.compile()


def warm_up() -> None:
    """Import the package and what it imports late, and build the commands, so that no fork has to."""
    for found in pkgutil.walk_packages(provision.__path__, "provision."):
        if found.name != "provision.__main__" and ".collection." not in found.name:
            importlib.import_module(found.name)
    for name in _LATE:
        importlib.import_module(name)
    with redirect_stdout(io.StringIO()):
        for name in COMMANDS:
            run([name, "--help"])
    trust_context()
    for module in (templates, prepare):
        module.Renderer = RendererHere  # type: ignore[attr-defined]
    gc.freeze()
