"""Serve one page on loopback, at an address with a random token that only the operator's terminal shows.

Other users of the machine can reach the port but do not know the address. The page is made again for each request. Nothing is
logged, nothing is read from the request but its first line.
"""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "127.0.0.1"


class PageServer(ThreadingHTTPServer):
    """A server of one page. `url` has the token."""

    daemon_threads = True

    def __init__(self, make: Callable[[], str]) -> None:
        super().__init__((_HOST, 0), _PageRequest)
        self.make = make
        self.token = secrets.token_urlsafe(24)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away."""

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{_HOST}:{self.server_port}/{self.token}"


class _PageRequest(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        """Answer with the page; 404 without the token. Another name in `Host` is refused, so no web page can rebind to it."""
        host = self.headers.get("Host", "")
        known = hmac.compare_digest(self.path.encode(), f"/{self.server.token}".encode())
        if host != f"{_HOST}:{self.server.server_port}" or not known:
            self._answer(HTTPStatus.NOT_FOUND, "not found\n", "text/plain")
            return
        try:
            page = self.server.make()
        except (ProvisionError, OSError) as e:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"error: {printable(str(e))}\n", "text/plain")
            return
        self._answer(HTTPStatus.OK, page, "text/html")

    def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Say nothing: the address is a secret."""


def served_page(make: Callable[[], str]) -> PageServer:
    """A server of the page that `make` returns; use it as a context manager."""
    return PageServer(make)
