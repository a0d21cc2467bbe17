# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The users of a provision workspace as hosts, in groups by profile, tag and platform."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: hermes
short_description: The users of a provision workspace as hosts
version_added: 0.1.0
description:
  - Reads a workspace's C(inventory.yaml) with C(provision). Every user with a machine is a host.
  - The groups are C(hermes), C(profile_NAME), C(tag_NAME) and C(platform_NAME).
  - Its output contains no secret. The vault is not opened.
options:
  plugin:
    description: Always V(hermes.provision.hermes).
    type: str
    required: true
    choices: [hermes.provision.hermes]
  workspace:
    description: The workspace's folder, relative to this file.
    type: str
    default: .
  command:
    description: The C(provision) to run. By default the one beside the running Python, then the one on the PATH.
    type: str
    env:
      - name: PROVISION_COMMAND
  limit:
    description: Only these users, in the format of C(provision --limit).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
# hermes.yml beside provision.toml
plugin: hermes.provision.hermes
"""

import json
import os
import shutil
import subprocess
import sys

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin


class InventoryModule(BaseInventoryPlugin):
    """Runs `provision deploy --list`, whose output has the format of `ansible-inventory --list`."""

    NAME = "hermes.provision.hermes"

    def verify_file(self, path):
        """Accept files whose name ends in hermes.yml or hermes.yaml."""
        return super().verify_file(path) and path.endswith(("hermes.yml", "hermes.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        found = self._listing(os.path.join(os.path.dirname(os.path.abspath(path)), self.get_option("workspace")))
        variables = found.pop("_meta")["hostvars"]
        for group in found:
            self.inventory.add_group(group)
        for group, content in found.items():
            for host in content.get("hosts", ()):
                self.inventory.add_host(host, group=group)
        for host, values in variables.items():
            for name, value in values.items():
                self.inventory.set_variable(host, name, value)

    def _listing(self, workspace):
        beside = os.path.join(os.path.dirname(sys.executable), "provision")
        command = self.get_option("command") or (beside if os.access(beside, os.X_OK) else shutil.which("provision"))
        if not command:
            raise AnsibleParserError("provision is not installed: install it beside Ansible, or set `command`")
        limit = [word for pattern in self.get_option("limit") for word in ("--limit", pattern)]
        done = subprocess.run(
            [command, "--workspace", workspace, "deploy", "--list", *limit],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AnsibleParserError("%s\n%s" % (workspace, done.stderr.strip()))
        return json.loads(done.stdout)
