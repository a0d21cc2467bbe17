"""A stand-in for the AIsa gateway: a real HTTP/1.1 server on loopback that answers as docs/gateway.md describes.

The tests, the benches and `provision demo` talk to it. Nothing in it is a model: a call is answered with a sentence.

>>> with Simulator(keys={"sk-aisa-TEST-ada": KeyState.VALID}) as sim:
...     sim.base_url            # http://127.0.0.1:PORT/v1; sim.url is the same without /v1
...     sim.set_key("sk-aisa-TEST-ada", KeyState.REVOKED)
...     sim.requests[-1].path
"""

from provision.aisa.simulator.refusals import Shape
from provision.aisa.simulator.server import Simulator
from provision.aisa.simulator.world import Fault, KeyState, Recorded, Reply

__all__ = ["Fault", "KeyState", "Recorded", "Reply", "Shape", "Simulator"]
