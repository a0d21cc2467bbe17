# Copyright: the hermes-provision maintainers
# MIT License (see LICENSE)
# SPDX-License-Identifier: MIT

"""Write one line of JSON per event to standard output; no line contains a secret."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: jsonl
type: stdout
short_description: One line of JSON per event
version_added: 0.1.0
description:
  - Prints a line of JSON when a task starts on a host and when it ends, for programs.
  - Of M(hermes.provision.hermes_bundle) it prints a fixed list of result fields, of other modules only whether and why they
    failed. It prints no arguments, variables or facts.
options: {}
"""

import json
import sys

from ansible.plugins.callback import CallbackBase

FIELDS = (
    "changed", "user", "generation", "cause", "cure", "route", "hazards", "state", "restart", "receipt", "enrolled", "status",
    "audit", "uninstalled", "adopted", "order",
)  # fmt: skip
MAX_TEXT = 2000


class CallbackModule(CallbackBase):
    """Writes one line per event."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "hermes.provision.jsonl"

    def v2_playbook_on_play_start(self, play):
        """A play, or its next batch, begins."""
        self._write(event="play", name=str(play.get_name()))

    def v2_runner_on_start(self, host, task):
        """A task begins on a host."""
        self._write(event="start", host=host.get_name(), task=str(task.get_name()))

    def v2_runner_on_ok(self, result):
        """A task succeeded."""
        self._result("ok", result)

    def v2_runner_on_skipped(self, result):
        """A task was skipped on a host."""
        self._result("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task failed."""
        self._result("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        """A host was unreachable."""
        self._result("unreachable", result)

    def v2_playbook_on_stats(self, stats):
        """The run has ended."""
        self._write(event="end")

    def _result(self, outcome, result):
        task = result._task
        found = result._result
        ours = task.action.rpartition(".")[2] == "hermes_bundle"
        fields = {k: found[k] for k in FIELDS if k in found} if ours else {"changed": bool(found.get("changed"))}
        if outcome in ("failed", "unreachable") and "censored" not in found:
            fields["message"] = self._why(found)
        self._write(
            event="result",
            host=result._host.get_name(),
            task=str(task.get_name()),
            ours=ours,
            outcome=outcome,
            **fields,
        )

    @staticmethod
    def _why(found):
        parts = [found.get("msg"), found.get("module_stderr"), found.get("module_stdout"), found.get("exception")]
        return "\n".join(str(part)[:MAX_TEXT] for part in parts if part)[: 2 * MAX_TEXT]

    @staticmethod
    def _write(**event):
        sys.stdout.write(json.dumps(event, default=str) + "\n")
        sys.stdout.flush()
