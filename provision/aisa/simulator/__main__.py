"""`python -m provision.aisa.simulator`: the simulated gateway in the foreground, for trying things out by hand.

Prints one JSON line with its URL when it listens. Every key is taken, or only those named by --key KEY=STATE.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from provision.aisa.simulator import KeyState, Shape, Simulator


def _key(text: str) -> tuple[str, KeyState]:
    key, _, state = text.partition("=")
    try:
        return key, KeyState(state or "valid")
    except ValueError:  # argparse's own words would quote the key
        raise argparse.ArgumentTypeError(f"KEY=STATE, where STATE is one of {', '.join(KeyState)}") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m provision.aisa.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.NESTED)
    parser.add_argument("--record", type=int, default=1000, help="how many requests to keep")
    states = ", ".join(KeyState)
    parser.add_argument("--key", action="append", default=[], type=_key, metavar="KEY=STATE", help=f"states: {states}")
    asked = parser.parse_args()
    keys = dict(asked.key)
    simulator = Simulator(
        keys,
        accept=None if keys else lambda _: True,
        latency_s=asked.latency_ms / 1000,
        shape=asked.shape,
        port=asked.port,
        record=asked.record,
    )

    def ready(sim: Simulator) -> None:
        sys.stdout.write(json.dumps({"url": sim.url, "base_url": sim.base_url}) + "\n")
        sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt):
        simulator.serve_forever(ready)


if __name__ == "__main__":
    main()
