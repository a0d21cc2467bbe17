"""The simulator's server: HTTP/1.1 with h11 over asyncio, on loopback, in its own thread or in the foreground."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import h11

from provision.aisa.catalogue import Catalogue, builtin
from provision.aisa.simulator.control import PATH
from provision.aisa.simulator.gateway import Gateway, Script, SimulatedRequest
from provision.aisa.simulator.refusals import Shape
from provision.aisa.simulator.state import KeyRecord, KeyState, ModelFault, RecordedRequest, Reply, Window

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from provision.aisa.simulator.control import ControlDesk

MAX_BODY_BYTES = 8 << 20


class Simulator:
    """A gateway on `127.0.0.1`. Use it as a context manager, or call `serve_forever`.

    `keys` are the known keys with their states; `accept` decides about others. `models` are the served ids (default: the
    current ids of the catalogue). `latency_s` delays every answer. `shape` is the shape of error bodies. `retry_after` is
    `seconds`, `date` or `none`. `record` limits how many requests are kept in `requests`. `desk` takes orders of other processes.
    """

    def __init__(
        self,
        keys: Mapping[str, KeyState | str] | Iterable[str] = (),
        *,
        accept: Callable[[str], bool | KeyState] | None = None,
        models: Iterable[str] | None = None,
        catalogue: Catalogue | None = None,
        latency_s: float = 0.0,
        shape: Shape = Shape.NESTED,
        retry_after: str = "seconds",
        models_need_key: bool = False,
        endpoint_types: bool = False,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        record: int = 100_000,
        desk: ControlDesk | None = None,
    ) -> None:
        table = catalogue or builtin()
        served = [m.id for m in table.models.values() if m.current] if models is None else list(models)
        modes = {i: table.models[i].modes if i in table.models else None for i in served}
        self._gateway = Gateway(
            table,
            modes,
            accept=desk.accept if desk else accept,
            shape=shape,
            retry_after=retry_after,
            models_need_key=models_need_key,
            endpoint_types=endpoint_types,
        )
        self._lock = threading.Lock()
        self._requests: deque[RecordedRequest] = deque(maxlen=record)
        self._keep = record > 0
        self.latency_s = latency_s
        self._tls = tls
        self._desk = desk
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._connections: set[_Connection] = set()
        states = keys.items() if isinstance(keys, Mapping) else ((key, KeyState.VALID) for key in keys)
        for key, state in states:
            self.add_key(key, state)

    # address

    @property
    def url(self) -> str:
        """The gateway's root, `http://127.0.0.1:PORT`, without `/v1`: the base URL of Messages mode."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The root with `/v1`: the base URL of the other modes."""
        return self.url + "/v1"

    @property
    def port(self) -> int:
        """The port. Known once the server runs."""
        return self._port

    # control, from any thread, at any time

    def add_key(self, key: str, state: KeyState | str = KeyState.VALID, **limits: Any) -> None:
        """Add or replace a key. Limits are fields of KeyRecord: models, per_minute, at_once, balance_micros."""
        if limits.get("models") is not None:
            limits["models"] = frozenset(limits["models"])
        with self._lock:
            self._gateway.keys[key] = KeyRecord(KeyState(state), **limits)

    def set_key(self, key: str, state: KeyState | str) -> None:
        """Change a key's state. Its limits and usage stay."""
        with self._lock:
            self._gateway.keys.setdefault(key, KeyRecord()).state = KeyState(state)

    def known_keys(self) -> dict[str, KeyState]:
        """The keys that were added or seen, with their states."""
        with self._lock:
            return {key: record.state for key, record in self._gateway.keys.items()}

    def faults(self) -> list[tuple[str, ModelFault, int | None]]:
        """The faults of models that are still to come: model, fault, how many times (None: always)."""
        with self._lock:
            return [(model, *fault) for model, queue in self._gateway.faults.items() for fault in queue]

    def revoke(self, key: str) -> None:
        """Revoke a key, as in the console: the next call with it is a 401."""
        self.set_key(key, KeyState.REVOKED)

    def add_model(self, model: str) -> None:
        """Serve another id, in every mode."""
        with self._lock:
            self._gateway.models[model] = None
            self._gateway.listing.clear()

    def remove_model(self, model: str) -> None:
        """Stop serving an id: it is no longer listed, and calls get model_not_found."""
        with self._lock:
            self._gateway.models.pop(model, None)
            self._gateway.listing.clear()

    def fault(self, model: str, fault: ModelFault | str, times: int | None = None) -> None:
        """Make calls of a model fail, `times` times or always. Faults of one model queue up."""
        with self._lock:
            self._gateway.faults.setdefault(model, []).append((ModelFault(fault), times))

    def script(
        self,
        reply: Reply,
        *,
        path: str | None = None,
        key: str | None = None,
        model: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer matching requests with `reply` instead: redirects, proxy pages, resets and so on."""
        with self._lock:
            self._gateway.scripts.append(Script(reply, path, key, model, times))

    def clear_faults(self) -> None:
        """Remove all faults and scripts."""
        with self._lock:
            self._gateway.faults.clear()
            self._gateway.scripts.clear()
            self._gateway.auth_available = True

    def limit(self, requests: int, span_s: float = 60.0) -> None:
        """Set a rate limit for all keys together."""
        with self._lock:
            self._gateway.window = Window(requests, span_s)

    def configure(self, **settings: Any) -> None:
        """Set fields of the gateway: shape, retry_after, auth_available, models_need_key, usage_served, text, …"""
        with self._lock:
            for name, value in settings.items():
                if not hasattr(self._gateway, name):
                    raise AttributeError(name)
                setattr(self._gateway, name, value)
            self._gateway.listing.clear()

    # records

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The recorded requests, oldest first, at most `record` of them."""
        with self._lock:
            return tuple(self._requests)

    @property
    def count(self) -> int:
        """The number of answered requests, including those no longer recorded."""
        return self._gateway.count

    def clear(self) -> None:
        """Delete the recorded requests."""
        with self._lock:
            self._requests.clear()

    # running

    def __enter__(self) -> Simulator:
        self._thread = threading.Thread(target=self._run, name="aisa-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def serve_forever(self, ready: Callable[[Simulator], None]) -> None:
        """Serve in this thread until interrupted. Calls `ready` once the port is known."""
        asyncio.run(self._serve(lambda: ready(self)))

    def _run(self) -> None:
        try:
            asyncio.run(self._serve(self._ready.set))
        except OSError as e:
            self._failure = e
        finally:
            self._ready.set()

    async def _serve(self, ready: Callable[[], None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self._port, ssl=self._tls, backlog=1024
        )
        self._port = server.sockets[0].getsockname()[1]
        ready()
        try:
            await self._stop.wait()
        finally:
            server.close()
            for connection in list(self._connections):
                connection.abort()
            await server.wait_closed()

    def handle(self, request: SimulatedRequest) -> tuple[Reply, KeyRecord | None, str]:
        """Answer and record one request. Called by the connections."""
        if self._desk is not None and request.path == PATH:
            return self._desk.answer(self, request), None, ""
        now = time.monotonic()
        model = request.fields().get("model") if request.method == "POST" else None
        today = dt.datetime.now(dt.UTC).date().isoformat()
        with self._lock:
            reply, record = self._gateway.answer(request, model if isinstance(model, str) else None, now, today)
            request_id = self._gateway.request_id()
            if record is not None:
                record.open += 1
            if self._keep:
                key, header = request.key()
                shown = model if isinstance(model, str) else None
                entry = (request.method, request.path, request.query, request.headers, request.body)
                self._requests.append(RecordedRequest(*entry, key, header, shown, reply.status, now))
        return reply, record, request_id

    def finished(self, record: KeyRecord | None) -> None:
        """One of a key's requests has been answered; called by the connections."""
        if record is not None:
            with self._lock:
                record.open -= 1


class _Connection(asyncio.Protocol):
    """One client's connection: parse, answer after the latency, keep alive."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=64 << 10)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_server gives a full transport
        self._simulator._connections.add(self)  # noqa: SLF001  one unit in two classes

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._simulator._connections.discard(self)  # noqa: SLF001

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._h11.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        return self._busy  # half-closed: keep open only to finish an answer

    def _advance(self) -> None:
        while not self._busy:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError:
                self.abort()
                return
            if isinstance(event, h11.Request):
                self._head, self._body = event, bytearray()
                if self._h11.they_are_waiting_for_100_continue:
                    self._write(self._h11.send(h11.InformationalResponse(status_code=100, headers=[])))
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    self.abort()
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
            else:
                if isinstance(event, h11.ConnectionClosed) and self._transport is not None:
                    self._transport.close()
                return

    def _answer(self) -> None:
        head = self._head
        if head is None:
            return
        path, _, query = head.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        request = SimulatedRequest(head.method.decode("latin-1"), path, query, headers, bytes(self._body))
        reply, record, request_id = self._simulator.handle(request)
        self._busy = True
        delay_s = reply.delay_s + (0.0 if path == PATH else self._simulator.latency_s)
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self._send, reply, record, request_id)
        else:
            self._send(reply, record, request_id)

    def _send(self, reply: Reply, record: KeyRecord | None, request_id: str) -> None:
        self._simulator.finished(record)
        self._busy = False
        if self._transport is None:
            return
        if reply.reset:
            self.abort()
            return
        headers = [("Content-Type", reply.content_type), ("X-Request-ID", request_id), *reply.headers]
        if reply.parts:
            headers.append(("Transfer-Encoding", "chunked"))
        else:
            headers.append(("Content-Length", str(len(reply.body))))
        out = self._h11.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        for part in reply.parts or ((reply.body,) if reply.body else ()):
            data = self._h11.send(h11.Data(data=part)) or b""
            if reply.parts:
                self._write(out + data)
                out = b""
            else:
                out += data
        self._write(out + (self._h11.send(h11.EndOfMessage()) or b""))
        if self._h11.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        self._h11.start_next_cycle()
        self._advance()

    def _write(self, data: bytes | None) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
