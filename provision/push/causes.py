"""Translate Ansible's error messages to a stable cause, a message and a fix.

Our own module reports its causes itself. This covers failures before it runs or when it cannot answer: SSH, sudo, Python and
the disk. The patterns match OpenSSH 8 to 10, sudo 1.9, ansible-core 2.17 to 2.19 and the C library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """A pattern in Ansible's message, and its meaning."""

    pattern: re.Pattern[str]
    id: str
    message: str
    cure: str


def _cause(pattern: str, id_: str, message: str, cure: str) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE), id_, message, cure)


UNREACHABLE = (
    _cause(
        r"host identification has changed|offending \S+ key in|differs from the key for the ip",
        "host-key",
        "the machine's host key differs from the one in known_hosts",
        "verify the key over another channel, then correct the line in known_hosts",
    ),
    _cause(
        r"no .* host key is known",
        "host-key-new",
        "the machine's host key is not in known_hosts: it was never met",
        "verify the key over another channel, then add it: `ssh` with the same host asks for it",
    ),
    _cause(
        r"host key verification failed",
        "host-key",
        "the machine's host key is not in known_hosts, or differs from the one there",
        "verify the key over another channel, then add or correct its line in known_hosts",
    ),
    _cause(
        r"permission denied \(|too many authentication failures|authentication failed",
        "login",
        "the machine refused the SSH login",
        "check the login name and the key: run `ssh` with the same host",
    ),
    _cause(
        r"could not resolve hostname|name or service not known",
        "name",
        "the machine's name cannot be resolved",
        "correct `host` in the inventory",
    ),
    _cause(
        r"connection refused",
        "no-sshd",
        "the machine refuses connections to the SSH port",
        "start sshd there, or correct the port",
    ),
    _cause(
        r"timed out|timeout|no route to host|network is unreachable|not responding|host is down",
        "no-link",
        "the machine does not answer",
        "check that it is switched on and connected, then run `provision deploy --resume`",
    ),
    _cause(
        r"connection (to \S+ )?(closed|reset)|broken pipe|disconnect|kex_exchange|lost connection",
        "link-lost",
        "the connection was lost",
        "run `provision deploy --resume`: the next install finishes or undoes an interrupted one",
    ),
)
FAILED = (
    _cause(
        r"no space left on device|disk quota exceeded",
        "disk-full",
        "the machine's disk is full",
        "free disk space, then run `provision deploy --resume`",
    ),
    _cause(
        r"read-only file system",
        "read-only",
        "the machine's disk is mounted read-only",
        "mount it writable, then run `provision deploy --resume`",
    ),
    _cause(
        r"a password is required|missing sudo password|incorrect sudo password|not in the sudoers|not allowed to execute"
        r"|unable to become|unknown user|privilege escalation",
        "become",
        "cannot become the user's account on the machine",
        "allow it in sudoers, set the account in hermes_account, or log in as the user with `host: name@machine`",
    ),
    _cause(
        r"python[0-9.]*: (command )?not found|no such file or directory.*python|python.*no such file|interpreter was not found",
        "no-python",
        "no Python found on the machine",
        "install Python 3.11 or newer, or set ansible_python_interpreter",
    ),
    *UNREACHABLE[-3:],
)
_UNKNOWN = Cause(re.compile(""), "refused", "", "run the same command with --verbose and read Ansible's message")


ENROLL_AGAIN = (
    "`provision machines enroll -l {user} --replace`, then `provision render -l {user}`, `provision deploy -l {user}`"
)
"""How to accept a machine with new keys; `{user}` is its user."""
_CURES = {
    "bundle-expired": "run `provision render`, then `provision deploy --resume`",
    "clock": "set the machine's clock, then run `provision deploy --resume`",
    "bundle-older": "run `provision render --force`, then `provision deploy --resume`",
    "bundle-altered": "run `provision render --force`, then `provision deploy --resume`",
    "untrusted-signer": "enrol the machine again: `provision enroll --signer KEY`",
    "other-machine": "if the machine was set up again, accept its new keys: " + ENROLL_AGAIN,
    "not-enrolled": "create its keys: " + ENROLL_AGAIN,
    "other-workspace": "deploy from the workspace that this home was set up from",
    "provision-missing": "install provision there: the role hermes.provision.hermes_endpoint",
    "provision-too-old": "update provision there: the role hermes.provision.hermes_endpoint",
    "provision-broken": "repair provision there: the role hermes.provision.hermes_endpoint",
    "disk-full": "free disk space, then run `provision deploy --resume`",
    "read-only": "mount the home writable, then run `provision deploy --resume`",
    "permission": "give the home to its user, then run `provision deploy --resume`",
    "linked-home": "replace the symbolic link in the home with the file or folder",
    "halted": "after the halt, or for all its machines at once: `provision resume {user} --reason TEXT`, then deploy again",
    "order-refused": "give the order again, signed with a key that may give orders: docs/halt.md",
    "busy": "wait until the other command there ends, then run `provision deploy --resume`",
    "timeout": "check the machine's load, then run `provision deploy --resume`",
}
_CHECK_THERE = "run `provision status` on the machine, as its user"
_CAUSE = re.compile(r"[a-z][a-z-]{1,30}")


def reported_failure(cause: str, text: str, advice: str, user: str) -> tuple[str, str, str]:
    """Return cause, message and fix for a failure in the machine's own words: they are shown as such, and the fix is ours."""
    known = cause if _CAUSE.fullmatch(cause) else _UNKNOWN.id
    said = f"the machine says: {_one_line(text)}" + (f" (it advises: {_one_line(advice)})" if advice.strip() else "")
    return known, said, _CURES.get(known, _CHECK_THERE).format(user=user)


def _one_line(text: str) -> str:
    return " ".join(text[:400].split()) or "nothing"


def explain_failure(text: str, *, unreachable: bool) -> tuple[str, str, str]:
    """Return cause, message and fix for Ansible's message; of an unknown message the first line is the message."""
    for cause in UNREACHABLE if unreachable else FAILED:
        if cause.pattern.search(text):
            return cause.id, cause.message, cause.cure
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[0][:300] if lines else "Ansible reported no reason"
    if unreachable:
        return "unreachable", message, "run `ssh` with the same host, then `provision deploy --resume`"
    return _UNKNOWN.id, message, _UNKNOWN.cure
