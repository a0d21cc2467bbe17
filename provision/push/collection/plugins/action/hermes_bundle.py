# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The part of hermes_bundle that runs on the controller: packs a bundle's folder, so that one step carries it over.

Only the files of a bundle are taken, and they are sealed and signed. Everything else is for the module.
"""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleActionSkip
from ansible.plugins.action import ActionBase

FILES = (".env.age", "WELCOME.md", "config.yaml", "manifest.json", "manifest.json.sig")
MAX_BYTES = 4 << 20


class ActionModule(ActionBase):
    """Turns `src` into `content` and lets the module do the rest."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        """Run the module with the packed bundle; skip the machine once there is a file of the name hermes_stop."""
        stop = (task_vars or {}).get("hermes_stop")
        if stop and Path(stop).exists():
            raise AnsibleActionSkip("too many machines failed before this one was asked")
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("src"):
            try:
                arguments["content"] = packed(Path(self._find_needle("files", arguments["src"])))
            except (OSError, ValueError) as e:
                raise AnsibleActionFail(
                    "there is no bundle in %s (%s): `provision render` makes it" % (arguments["src"], e),
                    result={"cause": "no-bundle", "cure": "run `provision render`"},
                ) from e
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        invocation = result.get("invocation", {}).get("module_args", {})
        invocation.pop("content", None)
        return result


def packed(folder):
    """A bundle's files as a tar in base64; the same files give the same text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in FILES:
            data = (folder / name).read_bytes()
            if len(data) > MAX_BYTES:
                raise ValueError("%s is too large" % name)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(data))
    return base64.b64encode(buffer.getvalue()).decode("ascii")
