"""Send a message to each target: bounded attempts, at most `DEADLINE_S` together, never an exception.

Each target has a thread that is left alone after the deadline: a name server that does not answer cannot be interrupted.
A 2xx answer counts as delivered; redirects are not followed. Texts about failures name the target, never its address or answer.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from provision.aisa.answers import Failure, GatewayAnswer
from provision.aisa.hosts import is_loopback
from provision.aisa.retry import BACKOFF_S, wait_before_retry
from provision.errors import ProvisionError
from provision.files import read_bounded
from provision.fleet.notify_target import is_notify_url
from provision.notify.message import as_email, as_slack, as_teams, as_webhook, signature_headers
from provision.programs import find_program
from provision.tls import trust_context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.fleet.notify_target import NotifyTarget
    from provision.notify.message import Message

DEADLINE_S = 10.0
_ATTEMPT_S = 4.0
_MIN_SECRET_BYTES = 16
_MAX_SECRET_BYTES = 4096
_SENDMAIL_FOLDERS = "/usr/sbin", "/usr/lib"
_EX_TEMPFAIL = 75
_JSON = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "provision"}


@dataclass(frozen=True, slots=True)
class NotifyNetwork:
    """How targets are reached. Without `proxy` the environment's applies."""

    tls_bundle: Path | None
    proxy: str | None
    environ: Mapping[str, str]


class NotSentError(ProvisionError):
    """A target was not told, with the reason."""


def send_all(
    messages: Sequence[tuple[NotifyTarget, Message]], network: NotifyNetwork, *, deadline_s: float = DEADLINE_S
) -> list[str | None]:
    """Send all messages at the same time. Returns for each why it was not sent, or None."""
    outcomes: list[str | None] = [f"took more than {deadline_s:g} s"] * len(messages)
    end = time.monotonic() + deadline_s

    def work(number: int) -> None:
        target, message = messages[number]
        try:
            _send(target, message, network, end)
        except NotSentError as e:
            outcomes[number] = e.message
        except Exception as e:  # a notification never stops a command
            outcomes[number] = f"failed ({type(e).__name__})"
        else:
            outcomes[number] = None

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(len(messages))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return list(outcomes)


def _send(target: NotifyTarget, message: Message, network: NotifyNetwork, end: float) -> None:
    if target.kind == "email":
        _mail(target, as_email(message, target.to, target.sender), network, end)
        return
    url = target.url or _read_source(target.url_from or "", network.environ)
    if not is_notify_url(url):
        raise NotSentError(f"{target.url_from or 'url'} does not hold an https:// address")
    if target.kind == "webhook":
        body = as_webhook(message)
        secret = _read_source(target.secret_from or "", network.environ).encode()
        if len(secret) < _MIN_SECRET_BYTES:
            raise NotSentError(f"the secret in {target.secret_from} is shorter than {_MIN_SECRET_BYTES} characters")
        _post(url, body, signature_headers(message.id, message.at, body, secret), network, end)
    else:
        _post(url, as_slack(message) if target.kind == "slack" else as_teams(message), {}, network, end)


def _read_source(source: str, environ: Mapping[str, str]) -> str:
    """The value of `env:NAME` or `file:PATH`. Raises NotSentError."""
    kind, _, name = source.partition(":")
    if kind == "env":
        value = environ.get(name, "")
    else:
        path = Path(name).expanduser()
        if not path.is_absolute():
            raise NotSentError(f"{source}: use an absolute path")
        try:
            value = read_bounded(path, _MAX_SECRET_BYTES).decode("ascii")
        except (OSError, ValueError, ProvisionError):
            raise NotSentError(f"cannot read {source}") from None
    if not value.strip():
        raise NotSentError(f"{source} is not set" if kind == "env" else f"{source} is empty")
    return value.strip()


def _post(url: str, body: bytes, headers: Mapping[str, str], network: NotifyNetwork, end: float) -> None:
    tried = 0
    while True:
        tried += 1
        answer = _attempt(url, body, headers, network, end)
        if answer.status is not None and 200 <= answer.status < 300:
            return
        pause = wait_before_retry(answer, tried, paid=False, now=datetime.now(UTC), chance=random.random())  # noqa: S311
        if pause is None or time.monotonic() + pause >= end:
            why = f"answered {answer.status}" if answer.status else f"no answer ({answer.failure})"
            raise NotSentError(f"{why}, after {tried} attempt{'s' if tried > 1 else ''}")
        time.sleep(pause)


def _attempt(url: str, body: bytes, headers: Mapping[str, str], network: NotifyNetwork, end: float) -> GatewayAnswer:
    import httpx  # noqa: PLC0415  takes a third of a second, only when there is something to send

    local = is_loopback(urlsplit(url).hostname or "")
    timeout_s = max(0.1, min(_ATTEMPT_S, end - time.monotonic()))
    try:
        with (
            httpx.Client(
                verify=trust_context(network.tls_bundle),
                proxy=None if local else network.proxy,
                trust_env=not local,
                timeout=timeout_s,
            ) as client,
            client.stream("POST", url, content=body, headers={**_JSON, **headers}) as response,
        ):
            return GatewayAnswer(response.status_code, retry_after=response.headers.get("Retry-After", ""))
    except httpx.TimeoutException:
        return GatewayAnswer(None, Failure.TIMEOUT)
    except httpx.HTTPError:
        return GatewayAnswer(None, Failure.CONNECT)


def _mail(target: NotifyTarget, mail: bytes, network: NotifyNetwork, end: float) -> None:
    path = os.pathsep.join((network.environ.get("PATH", os.defpath), *_SENDMAIL_FOLDERS))
    program = find_program("sendmail", {**network.environ, "PATH": path})
    if program is None:
        raise NotSentError("no program sendmail on this machine")
    argv = [program, "-i", *(("-f", target.sender) if target.sender else ()), "--", *target.to]
    for pause in (*BACKOFF_S, None):
        code = _run(argv, mail, max(0.1, end - time.monotonic()))
        if code == 0:
            return
        if code != _EX_TEMPFAIL or pause is None:
            raise NotSentError(f"sendmail exited with {code}")
        time.sleep(pause)


def _run(argv: Sequence[str], mail: bytes, timeout_s: float) -> int:
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603  sendmail by its path
            argv, input=mail, stdout=null, stderr=null, timeout=timeout_s, check=False
        )
    except OSError:
        raise NotSentError("sendmail cannot be started") from None
    except subprocess.TimeoutExpired:
        raise NotSentError("sendmail took too long") from None
    return done.returncode
