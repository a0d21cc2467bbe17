"""`python -m provision.aisa.simulator`: run the simulated gateway in the foreground, for tests and benchmarks.

Prints one JSON line with its URL when it is ready. It accepts every key, or only the keys given with --key KEY=STATE.
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
    except ValueError:  # argparse's own message would quote the key
        raise argparse.ArgumentTypeError(f"KEY=STATE, where STATE is one of {', '.join(KeyState)}") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m provision.aisa.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.NESTED)
    parser.add_argument("--record", type=int, default=1000, help="number of requests to keep")
    states = ", ".join(KeyState)
    parser.add_argument("--key", action="append", default=[], type=_key, metavar="KEY=STATE", help=f"states: {states}")
    arguments = parser.parse_args()
    keys = dict(arguments.key)
    simulator = Simulator(
        keys,
        accept=None if keys else lambda _: True,
        latency_s=arguments.latency_ms / 1000,
        shape=arguments.shape,
        port=arguments.port,
        record=arguments.record,
    )

    def ready(sim: Simulator) -> None:
        sys.stdout.write(json.dumps({"url": sim.url, "base_url": sim.base_url}) + "\n")
        sys.stdout.flush()

    with contextlib.suppress(KeyboardInterrupt):
        simulator.serve_forever(ready)


if __name__ == "__main__":
    main()
