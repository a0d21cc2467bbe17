"""Loading an inventory of 10,000 and 100,000 users beside PyYAML's own C loader on the same file.

Each measurement runs in a process of its own, so that the peak memory is its own. The bare loader has neither places nor
judgement; ours may take at most twice its time, and far less memory, because users are streamed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

pytestmark = pytest.mark.bench

_MEASURE = """
import json, sys, time
from pathlib import Path
def peak():  # not ru_maxrss: that begins with what the parent had when it forked
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
root = Path(sys.argv[2])
if sys.argv[1] == "bare":
    import yaml
    before, started = peak(), time.process_time()
    users = len(yaml.load((root / "inventory.yaml").read_bytes(), Loader=yaml.CSafeLoader)["users"])
else:
    from provision.fleet.load import load_fleet
    from provision.fleet.workspace import load_workspace
    workspace = load_workspace(root)
    import provision.fleet.inventory
    before, started = peak(), time.process_time()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    users = len(fleet.states)
    assert len({id(s.profile) for s in fleet.states}) == 3
print(json.dumps({"users": users, "s": time.process_time() - started, "mib": peak() - before}))
"""


def measured(what: str, root: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, what, str(root)], capture_output=True, text=True, check=True, env=os.environ
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def workspace(root: Path, count: int) -> None:
    (root / "profiles").mkdir(parents=True)
    (root / "provision.toml").write_text("")
    (root / "profiles" / "base.yaml").write_text("model: gpt-5.2\nhermes: {security: {redact_secrets: true}}\n")
    (root / "profiles" / "lab.yaml").write_text("extends: base\nmodel: gpt-5.4\n")
    recipient = pyrage.x25519.Identity.generate().to_public()
    with (root / "inventory.yaml").open("w") as file:
        file.write("defaults: {platform: linux}\nusers:\n")
        for i in range(count):
            file.write(f"  - id: user{i}\n    profile: {'lab' if i % 3 else 'base'}\n    platform: macos\n")
            file.write(
                f"    recipients: [{recipient}]\n    host: user{i}.corp.example\n    tags: [pilot, team{i % 20}]\n"
            )
            if i % 3 == 1:
                file.write("    overrides: {model: claude-sonnet-5}\n")


@pytest.mark.parametrize(("count", "most_mib"), [(10_000, 40), (100_000, 250)])
@pytest.mark.timeout(600)
def test_loading_costs_little_more_than_parsing(
    tmp_path: Path, count: int, most_mib: int, record_property: pytest.RecordProperty
) -> None:
    workspace(tmp_path / "ws", count)
    ours, bare = measured("ours", tmp_path / "ws"), measured("bare", tmp_path / "ws")
    print(
        f"\n{count:,} users: ours {ours['s']:.2f} s, {ours['mib']} MiB; bare YAML {bare['s']:.2f} s, {bare['mib']} MiB"
    )
    record_property("ours", ours)
    record_property("bare", bare)
    assert ours["users"] == bare["users"] == count
    assert ours["s"] < 2 * bare["s"]
    assert ours["mib"] < most_mib
    assert ours["mib"] < bare["mib"]
