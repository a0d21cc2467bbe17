"""Stands for ansible-playbook and the machines behind it: each machine says what it was sent, in a receipt that it signs.

The program that is run only passes on what this process answers. It keeps nothing: it may outlive a killed run.
"""

from __future__ import annotations

import itertools
import json
import socketserver
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rotatecraft import Machine

from provision.endpoint.halt import NOTE
from provision.push import engine
from provision.receipts.receipt import ReceiptDrift
from provision.signing.signed_text import split_signed

PROGRAM = """#!{python} -IS
import json, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as link:
    link.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
    for line in link.makefile():
        print(line, end="", flush=True)
"""


class PlayedMachines:
    """The machines of users, by the key that signs their receipts, which `deploy` and `reconcile` of this process reach."""

    def __init__(self, folder: Path, keys: Mapping[str, Ed25519PrivateKey]) -> None:
        self._keys, self._counters = keys, itertools.count(int(time.time()))
        played = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for event in played.run(json.loads(self.rfile.readline())):
                    self.wfile.write(json.dumps(event).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        program = folder / "ansible-playbook"
        program.write_text(PROGRAM.format(python=sys.executable, port=self._server.server_address[1]))
        program.chmod(0o755)
        engine.find_playbook_command = lambda _: program

    def run(self, words: list[str]) -> Iterator[dict[str, object]]:
        """What the callback of our collection prints for a run of the playbook."""
        options = dict(itertools.pairwise(words))
        variables = json.loads(Path(options["--extra-vars"].removeprefix("@")).read_text())
        hosts = json.loads(Path(options["--inventory"]).read_text())["all"]["children"]["hermes"]["hosts"]
        for host in hosts:
            yield {"event": "start", "host": host}
        for host in hosts:
            order = Path(variables["hermes_orders"]) / f"{host}.push"
            found = json.loads(split_signed(order.read_bytes())[0]) if order.exists() else {"kind": "resume"}
            halts = found["kind"] == "halt"
            receipt = self.receipt(host, Path(variables["hermes_dist"]), halted=halts).decode()
            done = {"order": found} if halts else {"generation": 1, "route": {}}
            said = {"event": "result", "host": host, "ours": True, "outcome": "ok", "changed": True}
            yield {**said, **done, "receipt": receipt}

    def receipt(self, user: str, dist: Path, *, halted: bool = False) -> bytes:
        """A signed receipt for the bundle in dist/."""
        manifest = (dist / user / "manifest.json").read_bytes()
        machine = Machine(user, signer=self._keys[user], counter=next(self._counters), _manifest=manifest)
        return machine.receipt(*([ReceiptDrift(file=NOTE, what="halted")] if halted else []))

    def leave_receipts(self, dist: Path, drop: Path) -> int:
        """What machines that pulled leave in a folder."""
        drop.mkdir(exist_ok=True)
        for user in self._keys:
            (drop / f"{user}.receipt").write_bytes(self.receipt(user, dist))
        return 0
