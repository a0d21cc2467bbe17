# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The steps of the module hermes_bundle, one for each of its states: each runs one `provision` command."""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import tempfile

from ansible_collections.hermes.provision.plugins.module_utils.provision_command import StepFailure, run_provision

MAX_FINDINGS = 2000


def install(module):
    """Install the bundle, or with check mode report what that would change."""
    folder = tempfile.mkdtemp(prefix="hermes-")
    try:
        path = os.path.join(folder, "bundle.tar")
        with open(path, "wb") as file:
            file.write(base64.b64decode(module.params["content"], validate=True))
        arguments = ["install", path, "--format", "json"]
        if module.params["trust"]:
            with open(os.path.join(folder, ".trust.tar"), "wb") as file:
                file.write(base64.b64decode(module.params["trust"], validate=True))
        if module.params["order"]:
            order = os.path.join(folder, "order")
            with open(order, "wb") as file:
                file.write(base64.b64decode(module.params["order"], validate=True))
            arguments += ["--order", order]
        for option in ("user", "home", "requires"):
            if module.params[option]:
                arguments += ["--" + option, module.params[option]]
        document = run_provision(module.params, arguments + (["--dry-run"] if module.check_mode else []))
    except binascii.Error:
        raise StepFailure("bundle-altered", "content is not valid base64", "give src instead of content") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if document["schema"] == "provision/obeyed/v1":
        return dict((name, document.get(name)) for name in ("changed", "order", "receipt"))
    names = ("user", "generation", "route", "routes", "hazards", "state", "as_hermes", "restart", "receipt", "notes")
    result = dict((name, document.get(name)) for name in names)
    result["changed"] = bool(document.get("changed"))
    result["diff"] = difference(document)
    if not document.get("ok") and not module.check_mode:
        wrong = [h for h in document.get("hazards") or [] if h.get("severity") == "error"]
        message = "the bundle is installed, but Hermes would not use its route, or sends something elsewhere"
        if wrong:
            message += ": %s: %s" % (wrong[0].get("where"), wrong[0].get("why"))
        fix = wrong[0].get("cure") if wrong else "run `provision status` on the machine"
        module.fail_json(msg=message, cause="route", cure=fix, **result)
    return result


def difference(document):
    """Return what changed, by name: `provision` masks removed values and does not print the new ones."""
    lines = ["+ %s\n" % item for item in document.get("set") or []]
    lines += ["- %s: %s (%s)\n" % (r.get("file"), r.get("where"), r.get("was")) for r in document.get("removed") or []]
    return {"prepared": "".join(lines)}


def enroll(module):
    """Create keys if there are none, and trust the signers."""
    if module.check_mode:
        return {"changed": False, "enrolled": None, "msg": "keys are not created in check mode"}
    arguments = ["enroll", "--format", "json"]
    if module.params["user"]:
        arguments += ["--user", module.params["user"]]
    if module.params["machine"]:
        arguments += ["--machine", module.params["machine"]]
    for signer in module.params["signers"]:
        arguments += ["--signer", signer]
    document = run_provision(module.params, arguments)
    # these two describe this run, not the machine
    changes = [document.pop(name, None) for name in ("made", "signers_added")]
    return {"changed": any(changes), "enrolled": document}


def check(module):
    """Check the route; changes nothing."""
    arguments = ["status", "--format", "json"]
    if module.params["home"]:
        arguments += ["--home", module.params["home"]]
    document = run_provision(module.params, arguments)
    result = dict((name, document.get(name)) for name in ("route", "routes", "hazards", "state", "as_hermes"))
    result.update(changed=False, status=document)
    return result


def audit(module):
    """Audit for leaks; the findings contain no secret."""
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
        if module.params["full"]:
            arguments.append("--full")
        document = run_provision(module.params, arguments, codes=(0, 4, 10))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    more = len(document.get("findings") or []) - MAX_FINDINGS
    if more > 0:
        document["findings"] = document["findings"][:MAX_FINDINGS]
        document["unreadable"].append({"path": "", "reason": "%d more findings are not in this report" % more})
    document["user"] = module.params["user"]
    return {"changed": False, "audit": json.dumps(document)}


def uninstall(module):
    """Take out what provision set, and this machine's keys. A home where nothing is installed is done already."""
    arguments = ["uninstall", "--format", "json"] + (["--dry-run"] if module.check_mode else ["--keys"])
    if module.params["home"]:
        arguments += ["--home", module.params["home"]]
    try:
        document = run_provision(module.params, arguments)
    except StepFailure as e:
        if e.cause != "not-installed":
            raise
        return {"changed": False, "uninstalled": {"removed": [], "restored": [], "not_restored": []}}
    names = ("user", "removed", "restored", "not_restored")
    return {"changed": True, "uninstalled": dict((name, document.get(name)) for name in names)}


def adopt(module):
    """Return the key of the home, sealed to the operators."""
    arguments = ["adopt", "--format", "json"]
    for option, name in (("--seal-to", "recipients"), ("--gateway-host", "gateway_hosts")):
        for value in module.params[name]:
            arguments += [option, value]
    if module.params["user"]:
        arguments += ["--user", module.params["user"]]
    if module.params["home"]:
        arguments.append(module.params["home"])
    return {"changed": False, "adopted": run_provision(module.params, arguments)}


STEPS = {
    "installed": install,
    "enrolled": enroll,
    "checked": check,
    "audited": audit,
    "uninstalled": uninstall,
    "adopted": adopt,
}
