#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""The part of hermes_bundle that runs on the user's machine: runs one `provision` command and returns its result."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hermes_bundle
short_description: Install a sealed Hermes bundle, enrol a machine, check it or audit it for leaks
version_added: 0.1.0
description:
  - Runs C(provision) on the user's machine in one step, as the user who owns the Hermes home, and returns its result.
  - A bundle is sealed for that machine and signed by IT. The machine verifies and opens it. No key is ever in a variable,
    an argument, a log or a temporary file.
options:
  state:
    description:
      - V(installed) installs the bundle; a no-op when it is already installed.
      - V(enrolled) creates the machine's keys if it has none, trusts O(signers), and returns the public keys.
      - V(checked) checks where Hermes would send its next request, and changes nothing.
      - V(audited) audits the machine for leaked keys and hijacked routes, and changes nothing.
      - V(uninstalled) takes out what provision set, with the machine's keys; a no-op when nothing is installed.
      - V(adopted) returns the key that the user pasted into the home, sealed to O(recipients), and changes nothing.
    type: str
    choices: [installed, enrolled, checked, audited, uninstalled, adopted]
    default: installed
  src:
    description:
      - On the controller, the folder of one user's bundle, as C(provision render) writes it to C(dist/USER).
      - Required for O(state=installed), unless O(content) is given.
    type: path
  content:
    description:
      - The five files of a sealed bundle as a tar archive in base64; made from O(src).
    type: str
  trust:
    description:
      - The workspace's trust lists as a tar archive in base64; made from the folder of O(src).
    type: str
  orders:
    description:
      - On the controller, the folder of signed orders, C(orders/) of the workspace. For O(state=installed).
    type: path
  order:
    description:
      - An order to halt or to resume in base64, which the machine verifies and obeys first; made from O(orders) and O(user).
    type: str
  user:
    description:
      - The user's id in the inventory. A bundle for another user is refused.
    type: str
  home:
    description:
      - The Hermes home. By default the one in the bundle, else the platform's default.
    type: path
  machine:
    description:
      - For O(state=enrolled), the name of this machine, for users with several.
    type: str
  signers:
    description:
      - For O(state=enrolled), SSH public keys of the signers that this machine trusts.
    type: list
    elements: str
    default: []
  recipients:
    description:
      - For O(state=adopted), the operators' public age keys. Only they can open the result.
    type: list
    elements: str
    default: []
  gateway_hosts:
    description:
      - For O(state=adopted), the hosts of the gateway. A key that Hermes sends elsewhere stays on the machine.
    type: list
    elements: str
    default: []
  known:
    description:
      - For O(state=audited), the fingerprints of the fleet's keys, as written by C(provision audit --write-known).
    type: str
  rules:
    description:
      - For O(state=audited), further rules in gitleaks' TOML format.
    type: str
  entropy:
    description:
      - For O(state=audited), also report text that only looks random.
    type: bool
    default: false
  full:
    description:
      - For O(state=audited), also scan what an earlier audit found clean and what has not changed since.
    type: bool
    default: false
  command:
    description:
      - Path of C(provision) on the machine.
      - By default the user's own, then the one in Hermes' virtual environment, then the one on the PATH.
    type: path
  requires:
    description:
      - The oldest accepted version of C(provision).
    type: str
  timeout:
    description:
      - Timeout of the command in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
    support: partial
    details:
      - With O(state=enrolled) nothing is done or predicted.
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

- name: Create the machine's keys and trust IT's signing key
  hermes.provision.hermes_bundle:
    state: enrolled
    user: "{{ hermes_user }}"
    signers:
      - "{{ lookup('ansible.builtin.file', 'signing_key.pub') }}"
  register: enrolment
"""

RETURN = r"""
order:
  description: The order that is in force, under which no bundle is installed; C(done) is what was done for it now.
  returned: when state is installed and IT has halted this machine
  type: dict
cause:
  description: The cause of the failure, as one word that is stable across releases.
  returned: failure
  type: str
  sample: bundle-expired
cure:
  description: How to fix it.
  returned: failure
  type: str
generation:
  description: The generation of the bundle.
  returned: when state is installed
  type: int
route:
  description: Where Hermes sends its next request, with the fingerprint of its key.
  returned: when state is installed or checked
  type: dict
routes:
  description:
    - Every destination of the home, the worst first.
    - C(verdict) is what leaves, C(allowed) whether the profile of the team lets it be so.
  returned: when state is installed or checked
  type: list
  elements: dict
state:
  description:
    - The overall state, one of C(ok), C(ok-unverified), C(problem), C(unknown).
    - C(ok-unverified) is ok as far as known, for a version of Hermes that was not verified.
  returned: when state is installed or checked
  type: str
as_hermes:
  description: The version of Hermes that the verdict is about.
  returned: when state is installed or checked
  type: str
hazards:
  description: Settings that could send requests to other hosts.
  returned: when state is installed or checked
  type: list
  elements: dict
restart:
  description: Hermes processes that still use the old settings; null when unknown.
  returned: when state is installed
  type: list
  elements: dict
receipt:
  description: The receipt that the machine signed after the installation, if it can sign.
  returned: when state is installed
  type: dict
enrolled:
  description: The machine's public keys.
  returned: when state is enrolled
  type: dict
status:
  description: The result of C(provision status).
  returned: when state is checked
  type: dict
audit:
  description: The output of C(provision audit --format json); findings contain no secret.
  returned: when state is audited
  type: str
adopted:
  description: The key of the home, sealed to the operators, and where it was.
  returned: when state is adopted
  type: dict
uninstalled:
  description: What was taken out and put back, by name, and what could not be put back; secrets are masked.
  returned: when state is uninstalled
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hermes.provision.plugins.module_utils.bundle_steps import STEPS
from ansible_collections.hermes.provision.plugins.module_utils.provision_command import StepFailure, system_cause


def main():
    """Run one step and exit with its result."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["installed", "enrolled", "checked", "audited", "uninstalled", "adopted"],
                "default": "installed",
            },
            "src": {"type": "path"},
            "content": {"type": "str", "no_log": True},  # sealed, but the system log does not need it
            "trust": {"type": "str", "no_log": True},  # public, but the system log does not need it
            "orders": {"type": "path"},
            "order": {"type": "str", "no_log": True},  # signed, but the system log does not need it
            "user": {"type": "str"},
            "home": {"type": "path"},
            "machine": {"type": "str"},
            "signers": {"type": "list", "elements": "str", "default": []},
            "recipients": {"type": "list", "elements": "str", "default": []},
            "gateway_hosts": {"type": "list", "elements": "str", "default": []},
            "known": {"type": "str", "no_log": True},  # fingerprints; the system log does not need them
            "rules": {"type": "str"},
            "entropy": {"type": "bool", "default": False},
            "full": {"type": "bool", "default": False},
            "command": {"type": "path"},
            "requires": {"type": "str"},
            "timeout": {"type": "int", "default": 300},
        },
        required_if=[("state", "installed", ["content"])],
        supports_check_mode=True,
    )
    os.umask(0o077)
    try:
        result = STEPS[module.params["state"]](module)
    except StepFailure as e:
        module.fail_json(msg=e.message, cause=e.cause, cure=e.fix)
    except OSError as e:
        failure = StepFailure(
            system_cause(str(e)) or "refused",
            "cannot write the input files: %s" % (e.strerror or e),
            "check the machine's temporary folder",
        )
        module.fail_json(msg=failure.message, cause=failure.cause, cure=failure.fix)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
