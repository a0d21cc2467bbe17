"""A program `provision` for shells in tests that does not load Python and provision anew for each command.

A server has everything loaded; for each command it forks a process, which gets the caller's descriptors, folder, arguments and
environment, and runs `provision.__main__`. What a command does, prints and returns is that of the program itself.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

_CLIENT = """
import array, json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
fds = array.array("i", [0, 1, 2])
link.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
link.sendall(json.dumps([os.getcwd(), sys.argv[2:], dict(os.environ)]).encode("utf-8", "surrogateescape"))
link.shutdown(socket.SHUT_WR)
code = link.recv(8)
sys.exit(int(code or b"70"))
"""


@contextlib.contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """A folder with an executable `provision`, for PATH."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "client.py").write_text(_CLIENT)
    place = programs / "socket"
    script = programs / "provision"
    words = [sys.executable, "-S", "-E", "-s", str(programs / "client.py"), str(place)]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__, str(place)], stdout=subprocess.PIPE, cwd=folder)
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == b"ready\n"
        yield programs
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def _serve(place: str) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen(8)
    _load()
    print("ready", flush=True)
    while True:
        link, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _handle(link)
        link.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _load() -> None:
    """Load what commands load inside their functions, and compile the rules."""
    import tempfile

    from provision.cli.main import run

    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        os.environ["PROVISION_CONFIG_DIR"] = folder
        Path(folder, "x").write_text("API_KEY=none\n")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for command in (
                ["checklist", folder],
                ["audit", folder],
                ["init", f"{folder}/w"],
                ["-w", f"{folder}/w", "check"],
            ):
                run(command)


def _handle(link: socket.socket) -> None:
    """Run one command in a grandchild; report its exit code. Never returns."""
    _, given, _, _ = link.recvmsg(1, socket.CMSG_LEN(3 * 4))
    fds = array.array("i")
    fds.frombytes(given[0][2])
    data = b""
    while piece := link.recv(1 << 16):
        data += piece
    folder, arguments, environ = json.loads(data)
    child = os.fork()
    if child == 0:
        link.close()
        for target, source in enumerate(fds):
            os.dup2(source, target)
            os.close(source)
        _become(folder, arguments, environ)
    for fd in (0, 1, 2, *fds):
        os.close(fd)
    link.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF).encode())
    os._exit(0)


def _become(folder: str, arguments: list[str], environ: dict[str, str]) -> None:
    code = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = ["provision", *arguments]
        # as a new process has them: provision opens descriptor 1 again and relies on the first object to stay
        sys.stdin = sys.__stdin__ = os.fdopen(0, "r")
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w")
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", errors="backslashreplace")
        from provision.__main__ import main

        main()
        code = 0
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else int(bool(e.code))
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
