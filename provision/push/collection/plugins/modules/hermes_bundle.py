#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The part of hermes_bundle that runs on the user's machine: one `provision` command, its answer as values."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hermes_bundle
short_description: Install a sealed Hermes bundle, enrol a machine, look at it or look for leaks
version_added: 0.1.0
description:
  - Runs C(provision) on the user's machine in one step, as the user that Hermes belongs to, and returns what it says.
  - A bundle is sealed for that machine and signed by IT. The machine verifies and opens it; no key is ever in a variable,
    an argument, a log or a temporary file on the way.
options:
  state:
    description:
      - V(installed) installs the bundle; nothing changes when it is installed already.
      - V(enrolled) makes the machine's own keys when it has none, trusts O(signers), and returns the public halves.
      - V(checked) looks where Hermes would send its next request, and changes nothing.
      - V(audited) looks for leaked keys and hijacked routes, and changes nothing.
    type: str
    choices: [installed, enrolled, checked, audited]
    default: installed
  src:
    description:
      - On the controller, the folder of one user's bundle, as C(provision render) leaves it in C(dist/USER).
      - Needed for O(state=installed), unless O(content) is given.
    type: path
  content:
    description:
      - The five files of a sealed bundle as a tar archive in base64; O(src) is turned into this.
    type: str
  user:
    description:
      - The user's id in the inventory. A bundle for anybody else is refused.
    type: str
  home:
    description:
      - The Hermes home; by default what the bundle says, else the platform's default.
    type: path
  signers:
    description:
      - For O(state=enrolled), SSH public keys of IT whose bundles this machine shall trust.
    type: list
    elements: str
    default: []
  known:
    description:
      - For O(state=audited), the fingerprints of the fleet's keys, as C(provision audit --write-known) writes them.
    type: str
  rules:
    description:
      - For O(state=audited), further rules in the TOML form of gitleaks.
    type: str
  entropy:
    description:
      - For O(state=audited), whether text that only looks random is reported too.
    type: bool
    default: false
  command:
    description:
      - Path of C(provision) on the machine.
      - By default the user's own, then the one in Hermes' virtual environment, then the one on the PATH.
    type: path
  requires:
    description:
      - The oldest version of C(provision) that will do.
    type: str
  timeout:
    description:
      - Seconds after which the command is ended.
    type: int
    default: 300
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
    support: partial
    details:
      - With O(state=enrolled) nothing is done and nothing is predicted.
  diff_mode:
    description: Will return details on what has changed when in diff mode; settings by name, never a secret.
    support: full
author:
  - The hermes-provision maintainers (@hermes-provision)
"""

EXAMPLES = r"""
- name: Install each user's bundle
  hermes.provision.hermes_bundle:
    src: "{{ playbook_dir }}/dist/{{ hermes_user }}"
    user: "{{ hermes_user }}"
  become: true
  become_user: "{{ hermes_account }}"

- name: Make the machine's keys and trust IT
  hermes.provision.hermes_bundle:
    state: enrolled
    user: "{{ hermes_user }}"
    signers:
      - "{{ lookup('ansible.builtin.file', 'signing_key.pub') }}"
  register: enrolment
"""

RETURN = r"""
cause:
  description: Why it failed, as one word that stays the same from release to release.
  returned: failure
  type: str
  sample: bundle-expired
cure:
  description: What would help.
  returned: failure
  type: str
generation:
  description: The generation of the bundle.
  returned: when state is installed
  type: int
route:
  description: Where Hermes sends its next request, with the key by its fingerprint.
  returned: when state is installed or checked
  type: dict
hazards:
  description: What could send requests elsewhere.
  returned: when state is installed or checked
  type: list
  elements: dict
restart:
  description: Processes of Hermes that still have the old settings; null when that cannot be told.
  returned: when state is installed
  type: list
  elements: dict
receipt:
  description: What the machine signed after the installation, if it can.
  returned: when state is installed
  type: dict
enrolled:
  description: The public halves of the machine's keys.
  returned: when state is enrolled
  type: dict
status:
  description: What C(provision status) says.
  returned: when state is checked
  type: dict
audit:
  description: What C(provision audit --format json) says, as text; findings hold no secret.
  returned: when state is audited
  type: str
"""

import base64
import binascii
import errno
import json
import os
import shutil
import subprocess
import tempfile

from ansible.module_utils.basic import AnsibleModule

PLACES = (
    "~/.local/bin/provision",
    "~/.local/share/hermes-provision/bin/provision",
    "~/.local/share/hermes-provision/provision.pyz",
    "~/.hermes/hermes-agent/venv/bin/provision",
    "/opt/hermes-provision/bin/provision",
    "/usr/local/bin/provision",
    "/opt/homebrew/bin/provision",
)
MAX_FINDINGS = 2000
CURE_MISSING = "use the role hermes.provision.hermes_endpoint, or `pip install hermes-provision` as this user"
CURE_OLD = "update it: the role hermes.provision.hermes_endpoint, or `pip install -U hermes-provision`"
CAUSES = {
    "AlteredBundleError": "bundle-altered",
    "BadManifestError": "bundle-altered",
    "BadSignatureError": "bundle-altered",
    "BundleNotFoundError": "bundle-altered",
    "ClockError": "clock",
    "ExpiredBundleError": "bundle-expired",
    "HostileArchiveError": "bundle-altered",
    "LinkedHomeError": "linked-home",
    "LockedError": "busy",
    "ManagedScopeError": "managed-scope",
    "NotEnrolledError": "not-enrolled",
    "OlderBundleError": "bundle-older",
    "OtherUserError": "other-machine",
    "TooOldError": "provision-too-old",
    "UntrustedSignerError": "untrusted-signer",
}


class StepFailure(Exception):
    """One way in which a step fails: a cause that programs know, a message and a cure for people."""

    def __init__(self, cause, message, cure=""):
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.cure = cure


def find_provision(wanted):
    """The command to run. Raises StepFailure."""
    if wanted:
        if not os.access(wanted, os.X_OK):
            raise StepFailure("provision-missing", "there is no program %s" % wanted, CURE_MISSING)
        return wanted
    home = os.environ.get("HOME", "/")
    for place in PLACES:
        path = place.replace("~", home, 1)
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("provision")
    if found is None:
        raise StepFailure("provision-missing", "this machine has no provision", CURE_MISSING)
    return found


def run(command, arguments, timeout):
    """Exit code, standard output and error of one command that gets no input and no terminal. Raises StepFailure."""
    environ = dict(os.environ, PROVISION_ERRORS="json", LC_ALL="C.UTF-8", PYTHONUTF8="1")
    try:
        done = subprocess.run(
            [command] + arguments,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepFailure(
            "timeout", "provision did not end within %d seconds" % timeout, "look at the machine's load"
        ) from None
    except OSError as e:
        raise StepFailure("provision-broken", "cannot run %s: %s" % (command, e.strerror or e), CURE_MISSING) from None
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def failure_of(code, errors):
    """What an answer that is no result means."""
    for line in reversed(errors.splitlines()):
        said = parsed(line)
        if said is not None and said.get("schema") == "provision/error/v1":
            kind, message = str(said.get("error")), str(said.get("message"))
            return StepFailure(
                system_cause(message) or CAUSES.get(kind, "refused"), message, str(said.get("hint") or "")
            )
    if code == 2 and "No such option" in errors:
        return StepFailure("provision-too-old", "the provision on this machine does not know this request", CURE_OLD)
    if system_cause(errors):
        return StepFailure(
            system_cause(errors), "the machine cannot write: %s" % system_cause(errors).replace("-", " ")
        )
    lines = [line for line in errors.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("error: ")] or lines[-1:] or ["nothing"]
    return StepFailure("provision-broken", "provision ended with %d and said: %s" % (code, said[0][:300]), CURE_OLD)


def system_cause(text):
    """What the system said no to, when that is what a text tells."""
    for number, cause in (
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission"),
    ):
        if os.strerror(number) in text:
            return cause
    return None


SYSTEM_CURES = {
    "disk-full": "free some space where the home is; nothing was changed",
    "read-only": "mount the home writable; nothing was changed",
    "permission": "become the user that the home belongs to; nothing was changed",
}


def parsed(text):
    """A JSON object, or None."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def answer(module, arguments, codes=(0, 10)):
    """The JSON document that provision prints. Exit 10 (not as it should be) is an answer too. Raises StepFailure."""
    command = find_provision(module.params["command"])
    code, output, errors = run(command, arguments, module.params["timeout"])
    document = parsed(output) if code in codes else None
    if document is None or not str(document.get("schema", "")).startswith("provision/"):
        raise failure_of(code, errors)
    return document


def installed(module):
    """Install, or with check mode say what that would do."""
    folder = tempfile.mkdtemp(prefix="hermes-")
    try:
        path = os.path.join(folder, "bundle.tar")
        with open(path, "wb") as file:
            file.write(base64.b64decode(module.params["content"], validate=True))
        arguments = ["install", path, "--format", "json"]
        for option in ("user", "home", "requires"):
            if module.params[option]:
                arguments += ["--" + option, module.params[option]]
        said = answer(module, arguments + (["--dry-run"] if module.check_mode else []))
    except binascii.Error:
        raise StepFailure("bundle-altered", "content is no base64", "give src, or the archive as it is") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = dict((k, said.get(k)) for k in ("user", "generation", "route", "hazards", "restart", "receipt", "notes"))
    result["changed"] = bool(said.get("changed"))
    result["diff"] = difference(said)
    if not said.get("ok") and not module.check_mode:
        wrong = [h for h in said.get("hazards") or [] if h.get("severity") == "error"]
        message = "the bundle is installed, but Hermes would not use the route it sets up"
        if wrong:
            message += ": %s: %s" % (wrong[0].get("where"), wrong[0].get("why"))
        cure = wrong[0].get("cure") if wrong else "run `provision status` on the machine"
        module.fail_json(msg=message, cause="route", cure=cure, **result)
    return result


def difference(said):
    """What changed, by name: `provision` masks what it took out and does not say what it put in."""
    lines = ["+ %s\n" % item for item in said.get("set") or []]
    lines += ["- %s: %s (%s)\n" % (r.get("file"), r.get("where"), r.get("was")) for r in said.get("removed") or []]
    return {"prepared": "".join(lines)}


def enrolled(module):
    """Make keys where there are none, and trust the signers."""
    if module.check_mode:
        return {"changed": False, "enrolled": None, "msg": "a machine's keys are not made in check mode"}
    arguments = ["enroll", "--format", "json"]
    if module.params["user"]:
        arguments += ["--user", module.params["user"]]
    for signer in module.params["signers"]:
        arguments += ["--signer", signer]
    said = answer(module, arguments)
    done = [said.pop(name, None) for name in ("made", "signers_added")]  # what this run did, not what the machine is
    return {"changed": any(done), "enrolled": said}


def checked(module):
    """Look, and change nothing."""
    arguments = ["status", "--format", "json"]
    if module.params["home"]:
        arguments += ["--home", module.params["home"]]
    said = answer(module, arguments)
    return {"changed": False, "status": said, "route": said.get("route"), "hazards": said.get("hazards")}


def audited(module):
    """Look for leaks; the findings come back without a secret."""
    folder = tempfile.mkdtemp(prefix="hermes-")
    try:
        arguments = ["--quiet", "audit", "--format", "json"]
        for option, name in (("known", "known.json"), ("rules", "rules.toml")):
            if module.params[option]:
                path = os.path.join(folder, name)
                with open(path, "w") as file:
                    file.write(module.params[option])
                arguments += ["--" + option, path]
        if module.params["entropy"]:
            arguments.append("--entropy")
        said = answer(module, arguments, codes=(0, 4, 10))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    more = len(said.get("findings") or []) - MAX_FINDINGS
    if more > 0:
        said["findings"] = said["findings"][:MAX_FINDINGS]
        said["unreadable"].append({"path": "", "reason": "%d more findings were left out of this report" % more})
    said["user"] = module.params["user"]
    return {"changed": False, "audit": json.dumps(said)}


def main():
    """Run one step and leave with its result."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["installed", "enrolled", "checked", "audited"],
                "default": "installed",
            },
            "src": {"type": "path"},
            "content": {"type": "str", "no_log": True},  # sealed, but it has no place in a system log either
            "user": {"type": "str"},
            "home": {"type": "path"},
            "signers": {"type": "list", "elements": "str", "default": []},
            "known": {"type": "str", "no_log": True},  # fingerprints, of which a system log would have no use
            "rules": {"type": "str"},
            "entropy": {"type": "bool", "default": False},
            "command": {"type": "path"},
            "requires": {"type": "str"},
            "timeout": {"type": "int", "default": 300},
        },
        required_if=[("state", "installed", ["content"])],
        supports_check_mode=True,
    )
    os.umask(0o077)
    try:
        step = {"installed": installed, "enrolled": enrolled, "checked": checked, "audited": audited}[
            module.params["state"]
        ]
        result = step(module)
    except StepFailure as e:
        module.fail_json(msg=e.message, cause=e.cause, cure=SYSTEM_CURES.get(e.cause) or e.cure)
    except OSError as e:
        cause = system_cause(str(e)) or "refused"
        cure = SYSTEM_CURES.get(cause, "look at the machine's temporary folder")
        module.fail_json(msg="cannot prepare the bundle: %s" % (e.strerror or e), cause=cause, cure=cure)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
