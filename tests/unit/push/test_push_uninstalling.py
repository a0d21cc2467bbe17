"""`users leave --deploy` with a stand-in for ansible-playbook: what is run, and what counts as done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from provision.fleet.desired import Machine
from provision.push.ansible import Ssh
from provision.push.inventory import target_of
from provision.push.uninstalling import uninstall_hosts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs a script")

PLAYBOOK = """#!{python}
import json, pathlib, sys
options = dict(zip(sys.argv, sys.argv[1:]))
out = pathlib.Path({out!r})
hosts = json.load(open(options["--inventory"]))["all"]["children"]["hermes"]["hosts"]
(out / "seen.json").write_text(json.dumps({{"playbook": sys.argv[1], "hosts": hosts}}))
for line in json.load(open(out / "lines.json")):
    print(json.dumps(line), flush=True)
"""


def uninstalled(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: object) -> dict[str, tuple[bool, str]]:
    program = folder / "ansible-playbook"
    program.write_text(PLAYBOOK.format(python=sys.executable, out=str(folder)))
    program.chmod(0o755)
    (folder / "lines.json").write_text(json.dumps(lines))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    machine = Machine("laptop", hermes_home="/opt/hermes")
    target = target_of("ada", "team", machine, "ada@mbp:2222", home=machine.hermes_home)
    return uninstall_hosts(folder, [target], Ssh(), None, {"PATH": str(folder)})


def test_a_machine_is_done_when_our_module_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"event": "result", "host": "ada@laptop", "ours": True, "outcome": "ok", "uninstalled": {"removed": []}}
    assert uninstalled(tmp_path, monkeypatch, said) == {"ada/laptop": (True, "uninstalled")}
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["playbook"] == "hermes.provision.uninstall"
    (variables,) = seen["hosts"].values()
    assert (variables["ansible_host"], variables["ansible_port"]) == ("mbp", 2222)
    assert (variables["hermes_user"], variables["hermes_machine"]) == ("ada", "laptop")
    assert variables["hermes_home"] == "/opt/hermes"


@pytest.mark.parametrize(
    "line",
    [
        {"event": "result", "host": "ada@laptop", "ours": False, "outcome": "ok", "uninstalled": {}},
        {"event": "result", "host": "ada@laptop", "ours": True, "outcome": "ok"},
        {"event": "result", "host": "bob", "ours": True, "outcome": "ok", "uninstalled": {}},
        {"event": "result", "host": "ada@laptop", "ours": True, "outcome": "unreachable", "message": "no route"},
        {"event": "end"},
    ],
)
def test_anything_else_is_not_done(line: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((done, said),) = uninstalled(tmp_path, monkeypatch, line).values()
    assert not done
    assert said
