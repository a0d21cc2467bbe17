"""A simulator of the AIsa gateway: a real HTTP/1.1 server on loopback that answers as docs/gateway.md describes.

The tests, the benchmarks and `provision demo` use it. It has no model: every call gets the same sentence.

>>> with Simulator(keys={"sk-aisa-TEST-ada": KeyState.VALID}) as sim:
...     sim.base_url            # http://127.0.0.1:PORT/v1; sim.url is the same without /v1
...     sim.set_key("sk-aisa-TEST-ada", KeyState.REVOKED)
...     sim.requests[-1].path
"""

from provision.aisa.simulator.refusals import Shape
from provision.aisa.simulator.server import Simulator
from provision.aisa.simulator.state import KeyState, ModelFault, RecordedRequest, Reply

__all__ = ["KeyState", "ModelFault", "RecordedRequest", "Reply", "Shape", "Simulator"]
