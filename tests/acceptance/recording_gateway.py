"""A gateway on loopback that answers like a model API for any host, and records everything it is asked.

Three doors, one record:

* `Gateway.open()` gives a plain http port of its own; open as many as a test needs and name them (`expected`, `hijack`);
* `Gateway.proxy_url` is a forward proxy: CONNECT is answered by the gateway itself, with TLS under a throw-away authority
  (`Gateway.ca_file`), so that `https://api.aisa.one/v1` or any other host can stand in a config unmodified;
* plain http through that proxy is recorded with the host it was meant for.

`Gateway.seen` lists every request in order; `inference` those that ask a model something. Nothing ever leaves the machine.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

REPLY = "pong from the gateway"
INFERENCE = ("/chat/completions", "/responses", "/messages")
REFUSALS = {
    401: "invalid api key",
    402: "insufficient credits: payment required",
    429: "rate limit exceeded",
    503: "service unavailable",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: `host` is `name` for TLS and proxied requests, `127.0.0.1:PORT` for a plain port."""

    door: str
    scheme: str
    host: str
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False, default=None)

    @property
    def model(self) -> str | None:
        return self.body.get("model") if isinstance(self.body, dict) else None

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def x_api_key(self) -> str | None:
        return self.headers.get("x-api-key")

    @property
    def header(self) -> str | None:
        """The header that carries the key: `authorization`, `x-api-key`, `both`, or None."""
        present = [n for n in ("authorization", "x-api-key") if self.headers.get(n)]
        return "both" if len(present) == 2 else (present[0] if present else None)

    @property
    def key(self) -> str | None:
        """The key as sent, without `Bearer`."""
        if self.authorization:
            return self.authorization.removeprefix("Bearer ").removeprefix("bearer ")
        return self.x_api_key

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"

    @property
    def is_inference(self) -> bool:
        return self.method == "POST" and self.path.split("?")[0].endswith(INFERENCE)

    def carries(self, secret: str) -> bool:
        """Whether the secret stands anywhere in the request: path, any header, body."""
        return any(
            secret in text
            for text in (self.path, *self.headers.values(), json.dumps(self.body) if self.body is not None else "")
        )


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away test authority")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self.certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """A server context with a certificate for `host`."""
        with self._lock:
            if host not in self._contexts:
                leaf = self._sign(
                    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])]),
                    self._leaf_key.public_key(),
                    host=host,
                )
                pem = self._folder / f"leaf-{len(self._contexts)}.pem"
                pem.write_bytes(
                    leaf.public_bytes(serialization.Encoding.PEM)
                    + self._leaf_key.private_bytes(
                        serialization.Encoding.PEM,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    )
                )
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(pem)
                self._contexts[host] = context
            return self._contexts[host]

    def _sign(self, name: x509.Name, key: Any, *, authority: bool = False, host: str = "") -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            builder = builder.add_extension(
                x509.KeyUsage(
                    *([False] * 5), key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
                ),
                critical=True,
            )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Gateway:
    """The doors and the record. A context manager; leaving it closes every port.

    `refused` holds keys that are answered with 401; `models` is what `GET …/models` lists; `statuses` has the HTTP status
    of every answer to an inference request, by host (as in `Seen.host`), where it is not 200.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = Authority(folder)
        self._servers: list[_Server] = []
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self.refused: set[str] = set()
        self.models = ("model-one", "model-two")
        self.statuses: dict[str, int] = {}

    def __enter__(self) -> Gateway:
        self._proxy = self._listen("proxy")
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.hang_up()
            server.server_close()

    def open(self, name: str = "expected") -> str:
        """A plain http port of its own; returns `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._listen(name)}"

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self._proxy}"

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, for the trust variables of the program under test."""
        return self._authority.file

    @property
    def seen(self) -> tuple[Seen, ...]:
        with self._lock:
            return tuple(self._seen)

    @property
    def inference(self) -> tuple[Seen, ...]:
        return tuple(s for s in self.seen if s.is_inference)

    def carrying(self, secret: str) -> tuple[Seen, ...]:
        """Every request that holds `secret` anywhere."""
        return tuple(s for s in self.seen if s.carries(secret))

    def forget(self) -> None:
        """Empty the record, between two runs of one test."""
        with self._lock:
            self._seen.clear()

    def record(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def context(self, host: str) -> ssl.SSLContext:
        return self._authority.context(host)

    def _listen(self, door: str) -> int:
        handler = type("Handler", (_Handler,), {"gateway": self, "door": door})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every handler, so that no socket outlives its test

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def hang_up(self) -> None:
        """End every open connection."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is no failure of the gateway."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server
    gateway: Gateway
    door: str
    tunnel: str | None = None

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        self.server.connections.discard(self.connection)
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class' name
        """Quiet: the record is the log."""

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        self.send_response(200, "Connection established")
        self.end_headers()
        self.server.connections.discard(self.connection)
        try:
            self.connection = self.gateway.context(host).wrap_socket(self.connection, server_side=True)
        except OSError as e:
            self.gateway.record(Seen(self.door, "https", host, "CONNECT", "", {"tls-failure": str(e)}))
            self.close_connection = True
            return
        self.server.connections.add(self.connection)
        self.rfile.close()
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.tunnel = host if port == "443" else f"{host}:{port}"
        self.close_connection = False

    def do_GET(self) -> None:
        seen = self._record()
        if seen.key in self.gateway.refused:
            self._json(401, {"error": {"message": "invalid api key", "type": "invalid_request_error"}})
        elif seen.path.split("?")[0].endswith("/models"):
            models = [{"id": m, "object": "model", "created": 1, "owned_by": "test"} for m in self.gateway.models]
            self._json(200, {"object": "list", "data": models})
        else:
            self._json(404, {"error": {"message": "not found"}})

    do_HEAD = do_DELETE = do_PUT = do_GET  # noqa: N815  the base class looks these names up

    def do_POST(self) -> None:
        seen = self._record()
        path = seen.path.split("?")[0]
        if seen.key in self.gateway.refused:
            self._json(401, {"error": {"message": "invalid api key", "type": "authentication_error"}})
        elif seen.is_inference and (status := self.gateway.statuses.get(seen.host)):
            self._json(status, {"error": {"message": REFUSALS[status], "type": "test_error"}})
        elif not seen.is_inference or not isinstance(seen.body, dict):
            self._json(404, {"error": {"message": "not found"}})
        elif path.endswith("/chat/completions"):
            self._answer(seen, _chat(seen.model), _chat_events(seen.model))
        elif path.endswith("/responses"):
            self._answer(seen, _response(seen.model), _response_events(seen.model))
        else:
            self._answer(seen, _message(seen.model), _message_events(seen.model))

    def _record(self) -> Seen:
        target = self.requestline.split()[1]  # self.path has leading slashes folded
        scheme, host, path = "http", f"127.0.0.1:{self.server.server_address[1]}", target
        if self.tunnel:
            scheme, host = "https", self.tunnel
        elif target.startswith("http://"):
            parts = urlsplit(target)
            host, path = parts.netloc, parts.path + (f"?{parts.query}" if parts.query else "")
        body: Any = None
        with contextlib.suppress(ValueError):
            if raw := self.rfile.read(int(self.headers.get("Content-Length") or 0)):
                body = raw.decode("utf-8", "replace")
                body = json.loads(body)
        headers = {k.lower(): v for k, v in self.headers.items()}
        seen = Seen(self.door, scheme, host, self.command, path, headers, body)
        self.gateway.record(seen)
        return seen

    def _json(self, status: int, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _answer(self, seen: Seen, document: dict[str, Any], events: list[tuple[str | None, Any]]) -> None:
        if not seen.body.get("stream"):
            self._json(200, document)
            return
        text = "".join(
            (f"event: {name}\n" if name else "") + f"data: {d if isinstance(d, str) else json.dumps(d)}\n\n"
            for name, d in events
        )
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _chat(model: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": REPLY}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _chat_events(model: str | None) -> list[tuple[str | None, Any]]:
    base = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": model}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return [
        (
            None,
            {
                **base,
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": REPLY}, "finish_reason": None}],
            },
        ),
        (None, {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        (None, {**base, "choices": [], "usage": usage}),
        (None, "[DONE]"),
    ]


def _response(model: str | None) -> dict[str, Any]:
    return {
        "id": "resp_test",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": model,
        "output": [_response_item()],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "total_tokens": 2,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def _response_item() -> dict[str, Any]:
    part = {"type": "output_text", "text": REPLY, "annotations": []}
    return {"id": "msg_test", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _response_events(model: str | None) -> list[tuple[str | None, Any]]:
    started = {**_response(model), "status": "in_progress", "output": []}
    item = _response_item()
    at = {"output_index": 0, "item_id": "msg_test", "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**item["content"][0], "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": REPLY, "logprobs": []},
        {"type": "response.output_text.done", **at, "text": REPLY, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": item["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": _response(model)},
    ]
    return [(e["type"], {**e, "sequence_number": n}) for n, e in enumerate(events)]


def _message(model: str | None) -> dict[str, Any]:
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": REPLY}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _message_events(model: str | None) -> list[tuple[str | None, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**_message(model), "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": REPLY}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    return [(e["type"], e) for e in events]
