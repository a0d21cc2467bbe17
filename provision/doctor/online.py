"""`doctor --online`: whether a server answers over a trusted connection. No key is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision.doctor.clock import server_clock_finding
from provision.doctor.health import HealthFinding, failed, fine
from provision.tls import trust_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TIMEOUT_S = 15
_SERVER_ERROR = 500


def server_findings(
    id_: str, url: str, *, bundle: Path | None = None, proxy: str | None = None
) -> Iterator[HealthFinding]:
    """Yield whether the server answers a GET without a key, and whether the clock agrees with it.

    Any answer but a server error counts: without a key a gateway says 401.
    """
    import httpx  # noqa: PLC0415  slow to import

    try:
        with httpx.Client(verify=trust_context(bundle), proxy=proxy, timeout=_TIMEOUT_S) as client:
            answer = client.get(url)
    except httpx.HTTPError as e:
        fix = "check the address, the proxy and tls_bundle; try it by hand: curl -I " + url
        yield failed(id_, f"{url} does not answer: {str(e) or type(e).__name__}", fix, url)
        return
    if answer.status_code >= _SERVER_ERROR:
        yield failed(id_, f"{url} answers {answer.status_code}", "try again later; then ask its operator", url)
    else:
        yield fine(id_, f"{url} answers ({answer.status_code})")
    yield from server_clock_finding(datetime.now(UTC), answer.headers.get("date"))
