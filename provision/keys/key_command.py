"""Get keys from another program, such as 1Password's `op`, or have one revoked: `key_command` and `revoke_command`.

Examples: `["op", "read", "op://keys/{user}/aisa"]` (1Password), `vault kv get`, `aws secretsmanager`, `bw get`. The program is
started directly, without a shell, and prints the key. Time and output are limited. Its output is never repeated in a message.
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
from provision.keys.copy_mistakes import copy_mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OUTPUT_LIMIT_BYTES = 16 << 10
_LONG_WORD = re.compile(r"[A-Za-z0-9_+/=.~-]{16,}")


class KeyCommandError(ProvisionError):
    """The key command failed, timed out, or printed no usable key. Names the user, never the output."""


def run_key_command(
    template: Sequence[str], user: str, timeout_s: float, *, environ: Mapping[str, str] | None = None
) -> Secret:
    """Run the command for `user` and return the key. `{user}` in the template is replaced. Raises KeyCommandError.

    Thread-safe. Each call starts one process.
    """
    if not template or not any("{user}" in argument for argument in template):
        raise KeyCommandError("key_command does not contain {user}", hint="add {user}, or all users get the same key")
    argv = [argument.replace("{user}", user) for argument in template]
    done = run_program(argv, timeout_s, "key_command", user, environ=environ)
    return _key(done, user)


def run_program(
    argv: Sequence[str],
    timeout_s: float,
    setting: str,
    user: str,
    *,
    stdin: bytes | None = None,
    environ: Mapping[str, str] | None = None,
) -> bytes:
    """Run the program of a setting for a user, without a shell. Returns its output. Raises KeyCommandError."""
    program = os.path.basename(argv[0])  # noqa: PTH119  a program name, not a path
    try:
        process = subprocess.Popen(  # noqa: S603  no shell; the program is set by the operator
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ) if environ is not None else None,
            start_new_session=os.name != "nt",
        )
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else "its arguments cannot be passed on"
        raise KeyCommandError(
            f"{setting} cannot start {program}: {reason}", hint=f"check {setting} in provision.toml"
        ) from None
    if stdin is not None and process.stdin is not None:
        with contextlib.suppress(OSError):  # a key fits into the pipe; the program need not read it
            process.stdin.write(stdin)
            process.stdin.close()
    out, err, late = _outcome(process, timeout_s)
    if late:
        raise KeyCommandError(
            f"{setting} took more than {timeout_s:g} s for {user}",
            hint="raise key_command_timeout_s in provision.toml",
        )
    if len(out) > _OUTPUT_LIMIT_BYTES:
        raise KeyCommandError(f"{setting} printed too much output for {user}")
    if process.returncode:
        message = _harmless(err, out if stdin is None else stdin)
        raise KeyCommandError(
            f"{setting} failed for {user} (exit {process.returncode}){f': {message}' if message else ''}",
            hint=f"run {program} by hand, as in {setting} in provision.toml",
        )
    return out


def _key(out: bytes, user: str) -> Secret:
    try:
        value = out.decode("utf-8").strip("\r\n \t")
    except UnicodeDecodeError:
        raise KeyCommandError(f"key_command printed invalid UTF-8 for {user}") from None
    if not value:
        raise KeyCommandError(
            f"key_command printed nothing for {user}", hint="check that the program has a key for this user"
        )
    if is_placeholder(value):
        raise KeyCommandError(f"key_command printed a placeholder for {user}, not a key")
    if reason := check_value("AISA_API_KEY", value):
        raise KeyCommandError(
            f"key_command printed no usable key for {user}: {reason}", hint="it must print the key and nothing else"
        )
    if mistake := copy_mistake(value):
        raise KeyCommandError(
            f"key_command printed no usable key for {user}: it {mistake}",
            hint="it must print the key and nothing else",
        )
    return Secret(value)


def _outcome(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes, bool]:
    """Return both outputs, each at most one byte over the limit, and whether the process timed out."""
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
    if any(reader.is_alive() for reader in readers):  # a grandchild holds the pipe: kill it, its output is not the key
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
    """The last line of stderr with all words that could be keys removed. Empty if it repeats the output."""
    lines = err[:_OUTPUT_LIMIT_BYTES].decode("utf-8", "replace").strip().splitlines()
    printed = out.strip()
    if not lines or (printed and printed in err):
        return ""
    return _LONG_WORD.sub("…", lines[-1])[:160]
