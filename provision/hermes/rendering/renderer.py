"""Run templates in a process of their own, so that a hostile one costs limited time and memory and sees no secret."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import threading
import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU_LIMIT_S = 2
"""Limit of processor time for compiling all templates, and for each rendering. The templates that ship need 5 ms."""
_CODE = "import sys; sys.path[:] = {path!r}; from provision.hermes.rendering.sandbox import main; main()"
_NEEDED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP")
_MAX_REPLY_BYTES = 16 << 20
_LONGEST_S = 10.0
"""Where the system does not limit processor time (Windows), a request may take this long."""


class RendererDiedError(Exception):
    """The process ended without an answer: it ran over a limit."""


class Renderer:
    """The process. It starts at once, and again after it died and after a fork: two processes cannot share its pipes."""

    def __init__(self) -> None:
        self._sources: dict[str, str] | None = None
        self._renew()

    def load(self, sources: dict[str, str]) -> dict[str, Any]:
        """Compile templates; the reply is as of `CompiledTemplates.compile`. Raises RendererDiedError."""
        self._sources = sources
        return self._ask(sources)

    def render(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Render a template; the reply is as of `CompiledTemplates.render`. Raises RendererDiedError."""
        return self._ask((name, values))

    def _ask(self, request: object) -> dict[str, Any]:
        if os.getpid() != self._owner:
            self._renew()
            if self._sources is not None and request is not self._sources:
                _answer(self._process, self._sources)
        try:
            return _answer(self._process, request)
        except (OSError, EOFError, ValueError) as e:
            self._end()
            self._renew()
            if self._sources is not None and request is not self._sources:
                _answer(self._process, self._sources)
            raise RendererDiedError from e

    def _renew(self) -> None:
        self._owner = os.getpid()
        self._process = _start()
        self._end = weakref.finalize(self, _stop, self._process, self._owner)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  this Python, our own code
        [sys.executable, "-I", "-c", _CODE.format(path=list(_module_path()))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _NEEDED if name in os.environ},
    )


def _module_path() -> Iterator[str]:
    """Where this process finds modules; absolute, since an empty entry would mean the current folder."""
    yield from (os.path.abspath(entry) for entry in sys.path if entry)  # noqa: PTH100  zip files count too


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of the owner, which still uses it
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
    process.wait()


def _answer(process: subprocess.Popen[bytes], request: object) -> dict[str, Any]:
    assert process.stdin is not None  # noqa: S101  asked for as pipes
    assert process.stdout is not None  # noqa: S101
    timer = threading.Timer(_LONGEST_S, process.kill) if os.name == "nt" else None
    if timer is not None:
        timer.start()
    try:
        data = _pickled(request)
        process.stdin.write(len(data).to_bytes(4, "big") + data)
        process.stdin.flush()
        size = int.from_bytes(_exactly(process.stdout, 4), "big")
        if size > _MAX_REPLY_BYTES:
            raise EOFError
        reply = json.loads(_exactly(process.stdout, size))
    finally:
        if timer is not None:
            timer.cancel()
    return dict(reply)


def _exactly(pipe: Any, size: int) -> bytes:
    data: bytes = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: object) -> Any:
        """Let read-only mappings through, which pickle does not know."""
        return (MappingProxyType, (dict(value),)) if isinstance(value, MappingProxyType) else NotImplemented


def _pickled(request: object) -> bytes:
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(request)
    return out.getvalue()
