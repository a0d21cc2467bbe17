"""`deploy` to simulated machines against plain ssh with the same payload, and against a naive playbook, in one run.

All machines share this computer's cores with the operator, so seconds say little and ratios much. Plain ssh is a process per
machine: the bundle as a tar on standard input, unpacked into a private folder, `provision install`. The naive playbook is what
people write first: make a folder, copy the bundle, run the command, with Ansible's default settings.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "integration" / "bed"))
from bedcraft import ACCOUNT, Bed
from fleetcraft import PROVISION, Fleet, program

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(3600)]

MACHINES = int(os.environ.get("BENCH_MACHINES", "10"))
FORKS = int(os.environ.get("BENCH_FORKS", "10"))
TURNS = int(os.environ.get("BENCH_TURNS", "2"))
NAIVE = """\
- hosts: hermes
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: /tmp/bundle, state: directory, mode: "0700"}
    - ansible.builtin.copy: {src: "{{ hermes_dist }}/{{ hermes_user }}/", dest: /tmp/bundle/, mode: "0600"}
    - ansible.builtin.command: "{{ hermes_command }} install /tmp/bundle"
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("bed")
    with Bed(folder / "bed", MACHINES, hidden=[tmp_path_factory.getbasetemp()]) as bed:
        fleet = Fleet(bed, folder / "operator")
        for user in fleet.users:  # all three ways enter as the account itself: sudo is not what is compared
            fleet.entries[user]["host"] = f"{ACCOUNT}@{fleet.users[user].address}"
        fleet.install_collection()
        fleet.enrol_quickly()
        fleet.import_keys()
        yield fleet


def by_ssh(fleet: Fleet) -> None:
    install = f'd=$(mktemp -d) && tar -x -C "$d" && {PROVISION} install "$d" --format json; c=$?; rm -rf "$d"; exit $c'

    def one(user: str) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(fleet.root / "dist" / user, arcname=".")
        done = fleet.bed.ssh(fleet.users[user], install, data=buffer.getvalue())
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changed"]

    with ThreadPoolExecutor(FORKS) as pool:
        list(pool.map(one, fleet.users))


def by_deploy(fleet: Fleet) -> None:
    assert fleet.deploy("--forks", str(FORKS))["summary"] == {"installed": MACHINES}


def by_naive_playbook(fleet: Fleet) -> None:
    book = fleet.folder / "naive.yml"
    book.write_text(NAIVE)
    line = ("-i", str(fleet.root / "hermes.yml"), "-e", f"hermes_dist={fleet.root}/dist", "-f", str(FORKS), str(book))
    fleet.run("env", "-u", "ANSIBLE_PIPELINING", program("ansible-playbook"), *line)


def test_deploy_is_near_plain_ssh_and_far_from_a_naive_playbook(
    fleet: Fleet, record_property: pytest.RecordProperty
) -> None:
    ways: dict[str, Callable[[Fleet], None]] = {"ssh": by_ssh, "deploy": by_deploy, "naive": by_naive_playbook}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():  # in turns, so that a busy machine slows all of them
            time.sleep(1.1)  # generations are seconds
            fleet.provision("render", "--force", timeout_s=600)
            started = time.perf_counter()
            way(fleet)
            took[name].append(time.perf_counter() - started)
    best = {name: min(times) for name, times in took.items()}
    found = {
        "machines": MACHINES,
        "forks": FORKS,
        **{f"{name}_ms_per_machine": round(seconds / MACHINES * 1000) for name, seconds in best.items()},
        "deploy/ssh": round(best["deploy"] / best["ssh"], 2),
        "naive/deploy": round(best["naive"] / best["deploy"], 2),
    }
    record_property("deploy", found)
    print(json.dumps(found, indent=1))
    assert found["deploy/ssh"] <= 2.5, found
    assert found["naive/deploy"] >= 3, found
