# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The part of hermes_bundle that runs on the controller: packs a bundle's folder, so that one step transfers it.

Only the files of a bundle are packed; they are sealed and signed. The module does everything else.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleActionSkip
from ansible.plugins.action import ActionBase

FILES = (".env.age", "WELCOME.md", "config.yaml", "manifest.json", "manifest.json.sig")
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*$")
MAX_BYTES = 4 << 20
MAX_CHAIN_BYTES = 16 << 20
MAX_ORDER_BYTES = 64 << 10


class ActionModule(ActionBase):
    """Packs `src` into `content` and runs the module."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        """Run the module with the packed bundle; skip the machine if the file named by hermes_stop exists."""
        stop = (task_vars or {}).get("hermes_stop")
        if stop and Path(stop).exists():
            raise AnsibleActionSkip("skipped: too many machines failed")
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("src"):
            try:
                folder = Path(self._find_needle("files", arguments["src"]))
                arguments["content"] = pack(folder)
                arguments["trust"] = chain_beside(folder)
                if arguments.get("orders"):
                    arguments["order"] = order_in(
                        Path(self._loader.path_dwim(arguments["orders"])), arguments.get("user")
                    )
            except (OSError, ValueError) as e:
                raise AnsibleActionFail(
                    "no bundle in %s (%s)" % (arguments["src"], e),
                    result={"cause": "no-bundle", "cure": "run `provision render`"},
                ) from e
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        invocation = result.get("invocation", {}).get("module_args", {})
        invocation.pop("content", None)
        invocation.pop("trust", None)
        invocation.pop("order", None)
        return result


def chain_beside(folder):
    """Return the trust lists beside a bundle's folder in base64; None without any. The endpoint verifies every one."""
    path = folder.parent / ".trust.tar"
    if not path.is_file():
        return None
    data = path.read_bytes()
    if len(data) > MAX_CHAIN_BYTES:
        raise ValueError("%s is too large" % path.name)
    return base64.b64encode(data).decode("ascii")


def order_in(folder, user):
    """Return the order for a user's machines in base64; None without one. The endpoint verifies it."""
    if not user or not PLAIN_NAME.match(user):
        return None
    path = folder / (user + ".push")
    if not path.is_file():
        return None
    data = path.read_bytes()
    if len(data) > MAX_ORDER_BYTES:
        raise ValueError("%s is too large" % path)
    return base64.b64encode(data).decode("ascii")


def listed_files(manifest):
    """Names of further files that a bundle's manifest lists; none if it is unreadable. The endpoint verifies everything."""
    data = manifest.read_bytes()
    try:
        names = json.loads(data)["files"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(sorted(name for name in names if name not in FILES and PLAIN_NAME.match(name)))


def pack(folder):
    """Return a bundle's files as a tar archive in base64; the result is deterministic."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in FILES + listed_files(folder / "manifest.json"):
            data = (folder / name).read_bytes()
            if len(data) > MAX_BYTES:
                raise ValueError("%s is too large" % name)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(data))
    return base64.b64encode(buffer.getvalue()).decode("ascii")
