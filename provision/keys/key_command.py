"""Keys from another program: `key_command` in `provision.toml`, such as `["op", "read", "op://keys/{user}/aisa"]`.

The program is started directly, never through a shell; what it prints is the key. Time and output are bounded, and
nothing it prints is repeated unless it cannot be a key.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from provision.detect.secret import Secret
from provision.detect.shapes import is_placeholder
from provision.errors import ProvisionError
from provision.hermes.env.dotenv import check_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OUTPUT_LIMIT_BYTES = 16 << 10
_LONG_WORD = re.compile(r"[A-Za-z0-9_+/=.~-]{16,}")


class KeyCommandError(ProvisionError):
    """The key command failed, took too long, or printed no usable key; names the user, never the output."""


def run_key_command(
    template: Sequence[str], user: str, timeout_s: float, *, environ: Mapping[str, str] | None = None
) -> Secret:
    """The key that the command prints for `user`, who stands where the template says `{user}`. Raises KeyCommandError.

    Safe to call from several threads at once; each call is one process.
    """
    if not template or not any("{user}" in argument for argument in template):
        raise KeyCommandError("key_command does not say {user}", hint="without it everybody would get the same key")
    argv = [argument.replace("{user}", user) for argument in template]
    program = os.path.basename(argv[0])  # noqa: PTH119  a name, not a path of ours
    try:
        process = subprocess.Popen(  # noqa: S603  no shell; the program is the operator's own setting
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ) if environ is not None else None,
            start_new_session=os.name != "nt",
        )
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else "its arguments cannot be passed on"
        raise KeyCommandError(f"key_command cannot start {program}: {reason}", hint="see provision.toml") from None
    out, err, late = _outcome(process, timeout_s)
    if late:
        raise KeyCommandError(f"key_command took more than {timeout_s:g} s for {user}", hint="key_command_timeout_s")
    if len(out) > _OUTPUT_LIMIT_BYTES:
        raise KeyCommandError(f"key_command printed too much to be a key for {user}")
    if process.returncode:
        said = _harmless(err, out)
        raise KeyCommandError(
            f"key_command failed for {user} (exit {process.returncode}){f': {said}' if said else ''}",
            hint=f"run {program} yourself, as key_command in provision.toml has it",
        )
    return _key(out, user)


def _key(out: bytes, user: str) -> Secret:
    try:
        value = out.decode("utf-8").strip("\r\n \t")
    except UnicodeDecodeError:
        raise KeyCommandError(f"key_command printed something that is not text for {user}") from None
    if not value:
        raise KeyCommandError(f"key_command printed nothing for {user}", hint="has this user a key there?")
    if is_placeholder(value):
        raise KeyCommandError(f"key_command printed a placeholder for {user}, not a key")
    if reason := check_value("AISA_API_KEY", value):
        raise KeyCommandError(
            f"key_command printed no usable key for {user}: {reason}", hint="it must print the key and nothing else"
        )
    return Secret(value)


def _outcome(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes, bool]:
    """What it printed to both streams, each at most one byte over the limit, and whether it had to be stopped for time."""
    assert process.stdout is not None  # noqa: S101  both are pipes
    assert process.stderr is not None  # noqa: S101
    outputs: dict[str, bytes] = {"out": b"", "err": b""}
    enough = threading.Event()

    def drain(stream: IO[bytes], name: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            outputs[name] = stream.read(_OUTPUT_LIMIT_BYTES + 1)
            if len(outputs[name]) > _OUTPUT_LIMIT_BYTES:
                enough.set()
                _kill(process)

    readers = [
        threading.Thread(target=drain, args=(process.stdout, "out"), daemon=True),
        threading.Thread(target=drain, args=(process.stderr, "err"), daemon=True),
    ]
    for reader in readers:
        reader.start()
    late = False
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        late = not enough.is_set()
    finally:
        if process.returncode is None:
            _kill(process)
            process.wait()
    for reader in readers:
        reader.join(1.0)
    if any(reader.is_alive() for reader in readers):  # a grandchild holds the pipe: end it, its output is not the key
        _kill(process)
        for reader in readers:
            reader.join(1.0)
    for stream, reader in zip((process.stdout, process.stderr), readers, strict=True):
        if not reader.is_alive():
            stream.close()
    return outputs["out"], outputs["err"], late


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _harmless(err: bytes, out: bytes) -> str:
    """The last line of stderr with every word that could be a key left out; empty when it repeats what was printed."""
    lines = err[:_OUTPUT_LIMIT_BYTES].decode("utf-8", "replace").strip().splitlines()
    printed = out.strip()
    if not lines or (printed and printed in err):
        return ""
    return _LONG_WORD.sub("…", lines[-1])[:160]
