"""A server that shares no code with the simulator: raw sockets, one thread a connection, and no manners."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Manners = Callable[[socket.socket, bytes], None]
"""What to do with a connection, given the head of the request ('' when it should not even be read)."""


class NastyServer:
    """Runs `manners` for every connection; `heads` are the request heads it has read."""

    def __init__(self, manners: Manners, *, tls: ssl.SSLContext | None = None, read: bool = True) -> None:
        self._manners = manners
        self._tls = tls
        self._read = read
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heads: list[bytes] = []
        self._threads: list[threading.Thread] = []
        self._open = True

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> NastyServer:
        self._main = threading.Thread(target=self._accept, daemon=True)
        self._main.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._main.join(5)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while self._open:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except BaseException:
                    connection.close()
                    raise
            head = b""
            while self._read and b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    break
                head += piece
            self._drain(connection, head)
            self.heads.append(head)
            self._manners(connection, head)
        with contextlib.suppress(OSError):
            connection.close()

    @staticmethod
    def _drain(connection: socket.socket, head: bytes) -> None:
        """Read the body too: closing on unread bytes would reset the connection and lose the answer."""
        found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        left = int(found[1]) - len(head.partition(b"\r\n\r\n")[2]) if found else 0
        while left > 0:
            left -= len(connection.recv(65536)) or left


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset instead of a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reply(status: str = "200 OK", body: bytes = b"", *headers: str, length: int | None = None) -> Manners:
    """An HTTP answer whose length header may lie."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
    return lambda connection, _head: connection.sendall(data)


def raw(data: bytes) -> Manners:
    """Exactly these bytes."""
    return lambda connection, _head: connection.sendall(data)


def certificate(folder: Path, *, days_left: int, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A TLS server context with a self-signed certificate, and the PEM file that would have to be trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days_left))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "cert.key"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem
