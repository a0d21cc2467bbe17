"""The simulated gateway as a program of its own, for the loopback of one machine: `host_gateway.py PORT RECORD`.

Reads a JSON object of keys and their states from standard input, prints `ready`, and records until its input ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from provision.aisa.simulator import KeyState, Simulator


def main() -> None:
    keys = {key: KeyState(state) for key, state in json.loads(sys.stdin.readline()).items()}
    with Simulator(keys, port=int(sys.argv[1])) as simulator:
        print("ready", flush=True)
        sys.stdin.read()
        lines = [
            json.dumps({"method": r.method, "path": r.path, "key": r.key, "model": r.model, "status": r.status})
            for r in simulator.requests
        ]
    Path(sys.argv[2]).write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
