"""Change a running simulator from another process: revoke a key, make a model fail, answer slowly.

An order is a POST to `PATH` on the simulator's own port, signed with the token that its start drew. Keys are never sent: an order
names a key by an HMAC of it under the token, so a foreign program on that port learns neither keys nor the token.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from provision.aisa.simulator.state import KeyState, ModelFault, Reply
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.aisa.simulator.gateway import SimulatedRequest
    from provision.aisa.simulator.state import RecordedRequest

PATH = "/_simulator"
SIGNATURE = "x-simulator-signature"
_TIMEOUT_S = 5.0
LONGEST_DELAY_S = 600.0


class SimulatorControlError(ProvisionError):
    """The simulator does not run, or refuses an order."""


def key_name(token: str, key: str) -> str:
    """The name of a key in orders."""
    return hmac.new(token.encode(), b"key:" + key.encode(), hashlib.sha256).hexdigest()


def _signature(token: str, body: bytes) -> str:
    return hmac.new(token.encode(), b"order:" + body, hashlib.sha256).hexdigest()


class ControlledSimulator(Protocol):
    """What orders change in a `Simulator`, and what its state shows."""

    latency_s: float

    @property
    def requests(self) -> Sequence[RecordedRequest]: ...
    @property
    def count(self) -> int: ...
    def known_keys(self) -> Mapping[str, KeyState]: ...
    def set_key(self, key: str, state: KeyState) -> None: ...
    def fault(self, model: str, fault: ModelFault, times: int | None) -> None: ...
    def faults(self) -> Sequence[tuple[str, ModelFault, int | None]]: ...
    def clear_faults(self) -> None: ...


@dataclass(slots=True)
class ControlDesk:
    """The receiving side. It remembers the states of keys that no request has shown yet."""

    token: str
    _states: dict[str, KeyState] = field(default_factory=dict)

    def accept(self, key: str) -> KeyState:
        """The state of a key that the gateway sees for the first time: valid, unless an order said otherwise."""
        return self._states.get(key_name(self.token, key), KeyState.VALID)

    def answer(self, simulator: ControlledSimulator, request: SimulatedRequest) -> Reply:
        """Carry out one order: 200 with the simulator's state, 403 for a wrong signature, 400 for an unknown order."""
        given = request.headers.get(SIGNATURE, "")
        if not hmac.compare_digest(given.encode(), _signature(self.token, request.body).encode()):
            return Reply(403, b"{}")
        try:
            self._act(simulator, request.fields())
        except (KeyError, ValueError, TypeError):
            return Reply(400, b"{}")
        return Reply(200, json.dumps(self._status(simulator)).encode())

    def _act(self, simulator: ControlledSimulator, order: dict[str, Any]) -> None:
        match order["order"]:
            case "key":
                state, name = KeyState(order["state"]), str(order["key"])
                self._states[name] = state
                for key in simulator.known_keys():
                    if key_name(self.token, key) == name:
                        simulator.set_key(key, state)
            case "slow":
                simulator.latency_s = min(max(0.0, float(order["seconds"])), LONGEST_DELAY_S)
            case "fail":
                simulator.fault(str(order["model"]), ModelFault(order["fault"]), order["times"])
            case "recover":
                simulator.clear_faults()
            case "status":
                pass
            case _:
                raise ValueError("unknown order")

    def _status(self, simulator: ControlledSimulator) -> dict[str, Any]:
        requests = simulator.requests
        seen = Counter(request.key for request in requests if request.key)
        states = {key_name(self.token, key): state for key, state in simulator.known_keys().items()}
        counts = {key_name(self.token, key): count for key, count in seen.items()}
        return {
            "requests": simulator.count,
            "paid": sum(request.method == "POST" for request in requests),
            "delay_s": simulator.latency_s,
            "faults": [{"model": m, "fault": f.value, "times": times} for m, f, times in simulator.faults()],
            "keys": [
                {"key": name, "state": state.value, "requests": counts.get(name, 0)}
                for name, state in (self._states | states).items()
            ],
        }


@dataclass(frozen=True, slots=True)
class ControlClient:
    """The sending side: orders to the simulator on `port` of this machine."""

    port: int
    token: str

    def send(self, **order: Any) -> dict[str, Any]:
        """Send one order and return the simulator's state. Raises SimulatorControlError."""
        body = json.dumps(order).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", PATH, body, {SIGNATURE: _signature(self.token, body)})
            response = connection.getresponse()
            status, data = response.status, response.read(1 << 22)
        except (OSError, http.client.HTTPException) as e:
            raise SimulatorControlError(
                f"no simulator answers on port {self.port}",
                hint="start it in another terminal: provision simulator start",
            ) from e
        finally:
            connection.close()
        if status != 200:
            raise SimulatorControlError(
                f"the program on port {self.port} refuses the order (HTTP {status})",
                hint="end it and start again: provision simulator start",
            )
        try:
            state = json.loads(data)
        except ValueError:
            state = None
        if not isinstance(state, dict) or "keys" not in state:
            raise SimulatorControlError(f"the program on port {self.port} is not the simulator")
        return state
