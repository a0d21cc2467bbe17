"""The `provision` command in two ways, with the same arguments, environment, input, output and exit code.

`apart` starts the program, as a user does. `inside` runs it in this process, in a tenth of the time: for what has to happen
before a test begins, and for tests of what a command says and does. What only a process can show (signals, kills, pipes, the
environment that a child gets, what stays in the temporary folder) is tried with `apart`.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from provision.cli.main import run

PROVISION = Path(sys.executable).with_name("provision")
TIMEOUT_S = 120.0

Done = subprocess.CompletedProcess[str]


class Command(Protocol):
    def __call__(self, *arguments: object, environ: Mapping[str, str], cwd: Path, stdin: str = "") -> Done: ...


def apart(*arguments: object, environ: Mapping[str, str], cwd: Path, stdin: str = "") -> Done:
    """Run the program."""
    line = [str(PROVISION), *map(str, arguments)]
    return subprocess.run(
        line, env=dict(environ), cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def inside(*arguments: object, environ: Mapping[str, str], cwd: Path, stdin: str = "") -> Done:
    """Run the command in this process, which has this environment, folder and standard streams meanwhile, and no others."""
    words = list(map(str, arguments))
    out, err = _stream(), _stream()
    with (
        _only(environ),
        contextlib.chdir(cwd),
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "stdin", _stream(stdin))
        code = run(words)
    return Done(words, code, _text(out), _text(err))


@contextlib.contextmanager
def _only(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _stream(text: str = "") -> io.TextIOWrapper:
    """As `main` settles the standard streams of a pipe."""
    return io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", errors="backslashreplace")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]
