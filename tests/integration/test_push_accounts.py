"""Accounts of a directory on machines: sudo gets exactly the account that was named, whatever its form."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.errors import UsageError
from provision.fleet.desired import Machine
from provision.push.ansible import Ssh
from provision.push.inventory import target_of
from provision.push.one_step import run_step

SUDO = """#!/bin/sh
for word in "$@"; do
  [ -n "$next" ] && printf '%s' "$word" > {seen}
  next=; [ "$word" = -u ] && next=1
done
exit 1
"""


@pytest.mark.programs("ansible-playbook")
def test_sudo_gets_the_account_as_it_is(tmp_path: Path) -> None:
    sudo, seen = tmp_path / "sudo", tmp_path / "seen"
    sudo.write_text(SUDO.format(seen=seen))
    sudo.chmod(0o755)
    target = target_of("ada", "team", Machine(None), "localhost")
    here = {"ansible_connection": "local", "ansible_become_exe": str(sudo), "ansible_pipelining": True}
    run_step(
        tmp_path, [target], "hermes.provision.uninstall", "uninstalled",
        ssh=Ssh(account="CORP\\{user}"), variables=here, environ=os.environ,
    )  # fmt: skip
    assert seen.read_text() == "CORP\\ada"


@pytest.mark.parametrize("account", ["", "-u", "a b", "{{ x }}", "a;b", "a\n", "a$(id)"])
def test_what_is_not_an_account_is_refused(account: str) -> None:
    with pytest.raises(UsageError, match="--account"):
        Ssh(account=account)
