"""What Ansible's words about a host mean: a stable cause, a line for people, a cure.

Our own module names its causes itself. What remains is what happens before it runs or when it cannot answer: SSH, sudo,
Python and the disk. The texts are those of OpenSSH 8 to 10, sudo 1.9, ansible-core 2.17 to 2.19 and the C library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in what was said, and what it means."""

    pattern: re.Pattern[str]
    id: str
    message: str
    cure: str


def _cause(pattern: str, id_: str, message: str, cure: str) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE), id_, message, cure)


UNREACHABLE = (
    _cause(
        r"host key verification failed|host identification has changed|no .* host key is known",
        "host-key",
        "the machine's host key is not the one that is known",
        "find out why over another channel; if it is right, correct the line in known_hosts",
    ),
    _cause(
        r"permission denied \(|too many authentication failures|authentication failed",
        "login",
        "the machine did not let us in",
        "check the login name and the key: try `ssh` by hand with the same host",
    ),
    _cause(
        r"could not resolve hostname|name or service not known",
        "name",
        "the machine's name is not known",
        "correct `host` in the inventory",
    ),
    _cause(
        r"connection refused",
        "no-sshd",
        "nothing listens for SSH on the machine",
        "start sshd there, or correct the port",
    ),
    _cause(
        r"timed out|timeout|no route to host|network is unreachable|not responding|host is down",
        "no-link",
        "the machine does not answer",
        "check that it is on and on the network; then `provision deploy --resume`",
    ),
    _cause(
        r"connection (to \S+ )?(closed|reset)|broken pipe|disconnect|kex_exchange|lost connection",
        "link-lost",
        "the connection broke on the way",
        "`provision deploy --resume`: an interrupted install is finished or undone by the next one",
    ),
)
FAILED = (
    _cause(
        r"no space left on device|disk quota exceeded",
        "disk-full",
        "the machine's disk is full",
        "free some space; nothing was changed",
    ),
    _cause(
        r"read-only file system",
        "read-only",
        "the machine's disk is mounted read-only",
        "mount it writable; nothing was changed",
    ),
    _cause(
        r"a password is required|missing sudo password|incorrect sudo password|not in the sudoers|not allowed to execute"
        r"|unable to become|unknown user|privilege escalation",
        "become",
        "the account there cannot be entered",
        "allow it in sudoers, name the account in hermes_account, or enter as the user with host: name@machine",
    ),
    _cause(
        r"python[0-9.]*: (command )?not found|no such file or directory.*python|python.*no such file|interpreter was not found",
        "no-python",
        "the machine has no Python where we look",
        "install Python 3.11 or newer, or set ansible_python_interpreter",
    ),
    *UNREACHABLE[-3:],
)
_UNKNOWN = Cause(re.compile(""), "refused", "", "run the same with --verbose and look at what Ansible says")


def explain_failure(said: str, *, unreachable: bool) -> tuple[str, str, str]:
    """Cause, message and cure for what Ansible said; a text that nobody knows is shown, cut to a line."""
    for cause in UNREACHABLE if unreachable else FAILED:
        if cause.pattern.search(said):
            return cause.id, cause.message, cause.cure
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    message = lines[0][:300] if lines else "Ansible did not say why"
    if unreachable:
        return "unreachable", message, "try `ssh` by hand with the same host; then `provision deploy --resume`"
    return _UNKNOWN.id, message, _UNKNOWN.cure
