"""What a process that may hold keys leaves open to others: no core dump, no debugger, no key log, no proxy for loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from provision.endpoint.fetch import HostileArchiveError, fetch_bundle
from provision.feed.http import Validators, http_get
from provision.keys.process_memory import KEY_LOG

LINUX = sys.platform == "linux"
_WATCHED = """
import atexit, ctypes, os, resource, sys
from provision.cli.main import main
def state():
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
    print("core", resource.getrlimit(resource.RLIMIT_CORE)[0])
    import ssl
    print("keylog", ssl.create_default_context().keylog_filename)
atexit.register(state)
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
sys.argv = ["provision", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(not LINUX, reason="PR_SET_DUMPABLE is Linux")
@pytest.mark.parametrize("arguments", [["--version"], ["keys", "list"], ["run", "--home", "/nowhere", "--", "true"]])
def test_every_command_switches_core_dumps_and_key_logs_off(tmp_path: Path, arguments: list[str]) -> None:
    log = tmp_path / "tls.log"
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments],
        env={**os.environ, KEY_LOG: str(log)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "dumpable 0\ncore 0\nkeylog None\n" in done.stdout, done.stderr
    assert f"{KEY_LOG} is ignored" in done.stderr
    assert not log.exists()


@pytest.mark.skipif(not LINUX, reason="PR_SET_DUMPABLE is Linux")
def test_workers_are_protected_too() -> None:
    code = (
        "import ctypes, multiprocessing, threading\n"
        "from provision.bundle.workers import _work\n"
        "ours, theirs = multiprocessing.Pipe()\n"
        "threading.Timer(0.2, ours.close).start()\n"
        "_work(theirs, bytes(32))\n"
        "print('dumpable', ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "dumpable 0\n"


class _Feed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _pulled(url: str) -> bytes:
    return http_get(url, 100, 10.0, validators=Validators()).body or b""


def _installed(url: str) -> bytes:
    """What `install URL` reads: the server's answer is no archive."""
    with pytest.raises(HostileArchiveError):
        fetch_bundle(url + ".tar")
    return b"ok"


@pytest.mark.parametrize("fetch", [_pulled, _installed])
def test_requests_to_this_machine_never_go_to_a_proxy(
    monkeypatch: pytest.MonkeyPatch, fetch: Callable[[str], bytes]
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = HTTPServer(("127.0.0.1", 0), _Feed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/x"
        assert fetch(url) == b"ok"
    finally:
        server.shutdown()
        server.server_close()
