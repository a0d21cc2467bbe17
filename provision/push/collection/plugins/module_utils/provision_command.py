# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""Run one `provision` command on the machine and return its JSON document, or a failure with a stable cause."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess

PLACES = (
    "~/.local/bin/provision",
    "~/.local/share/hermes-provision/bin/provision",
    "~/.local/share/hermes-provision/provision.pyz",
    "~/.hermes/hermes-agent/venv/bin/provision",
    "/opt/hermes-provision/bin/provision",
    "/usr/local/bin/provision",
    "/opt/homebrew/bin/provision",
)
_IT_BUILT = "wheel or zipapp that IT built (docs/releases.md)"
FIX_MISSING = "use the role hermes.provision.hermes_endpoint, or install, as this user, the " + _IT_BUILT
FIX_OLD = "update it: use the role hermes.provision.hermes_endpoint, or the newer " + _IT_BUILT
CAUSES = {
    "AlteredBundleError": "bundle-altered",
    "BadManifestError": "bundle-altered",
    "BadSignatureError": "bundle-altered",
    "BundleNotFoundError": "bundle-altered",
    "ClockError": "clock",
    "ExpiredBundleError": "bundle-expired",
    "HaltedError": "halted",
    "HostileArchiveError": "bundle-altered",
    "LinkedHomeError": "linked-home",
    "LockedError": "busy",
    "ManagedScopeError": "managed-scope",
    "NotEnrolledError": "not-enrolled",
    "NotInstalledError": "not-installed",
    "OrderRefusedError": "order-refused",
    "OlderBundleError": "bundle-older",
    "OtherUserError": "other-machine",
    "OtherWorkspaceError": "other-workspace",
    "RepeatedOrderError": "order-refused",
    "TooOldError": "provision-too-old",
    "UntrustedSignerError": "untrusted-signer",
}
SYSTEM_FIXES = {
    "disk-full": "free disk space for the home, then run it again",
    "read-only": "mount the home writable, then run it again",
    "permission": "become the user that owns the home, then run it again",
}


class StepFailure(Exception):
    """A failed step: a stable cause for programs, a message and a fix for the operator."""

    def __init__(self, cause, message, fix=""):
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.fix = SYSTEM_FIXES.get(cause) or fix


def find_provision(requested):
    """Return the command to run. Raises StepFailure."""
    if requested:
        if not os.access(requested, os.X_OK):
            raise StepFailure("provision-missing", "%s is not an executable file" % requested, FIX_MISSING)
        return requested
    home = os.environ.get("HOME", "/")
    for place in PLACES:
        path = place.replace("~", home, 1)
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("provision")
    if found is None:
        raise StepFailure("provision-missing", "provision is not installed on this machine", FIX_MISSING)
    return found


def run_command(command, arguments, timeout_s):
    """Run a command without input and terminal; return exit code, standard output and error. Raises StepFailure."""
    environ = dict(os.environ, PROVISION_ERRORS="json", LC_ALL="C.UTF-8", PYTHONUTF8="1")
    try:
        done = subprocess.run(
            [command] + arguments,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepFailure(
            "timeout", "provision did not end within %d seconds" % timeout_s, "check the machine's load"
        ) from None
    except OSError as e:
        raise StepFailure("provision-broken", "cannot run %s: %s" % (command, e.strerror or e), FIX_MISSING) from None
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def failure_from(code, errors):
    """Return the StepFailure for an exit code and standard error."""
    for line in reversed(errors.splitlines()):
        report = parse_object(line)
        if report is not None and report.get("schema") == "provision/error/v1":
            kind, message = str(report.get("error")), str(report.get("message"))
            cause = system_cause(message) or CAUSES.get(kind, "refused")
            return StepFailure(cause, message, str(report.get("hint") or ""))
    if code == 2 and "No such option" in errors:
        return StepFailure("provision-too-old", "the provision on this machine does not know this option", FIX_OLD)
    cause = system_cause(errors)
    if cause:
        return StepFailure(cause, "cannot write on the machine: %s" % cause.replace("-", " "))
    lines = [line for line in errors.splitlines() if line.strip()]
    shown = [line for line in lines if line.startswith("error: ")] or lines[-1:] or ["no message"]
    return StepFailure("provision-broken", "provision failed with exit code %d: %s" % (code, shown[0][:300]), FIX_OLD)


def system_cause(text):
    """Return the cause if a text contains an error message of the operating system, else None."""
    for number, cause in (
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission"),
    ):
        if os.strerror(number) in text:
            return cause
    return None


def parse_object(text):
    """Parse a JSON object; None for everything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def run_provision(params, arguments, codes=(0, 10)):
    """Run provision and return its JSON document. Raises StepFailure for an exit code that is not in `codes`.

    Exit code 10 (something is not as it should be) comes with a document too.
    """
    code, output, errors = run_command(find_provision(params["command"]), arguments, params["timeout"])
    document = parse_object(output) if code in codes else None
    if document is None or not str(document.get("schema", "")).startswith("provision/"):
        raise failure_from(code, errors)
    return document
