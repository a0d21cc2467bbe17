"""A rotation of 10,000 users: planning, the vault's change, the journal; beside what sealing and one write cost by themselves."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from provision.detect.secret import Secret
from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.keys.age import generate_identity, identity_file, load_identities
from provision.keys.import_file import read_keys
from provision.keys.vault.file import create_vault, editing, open_vault
from provision.rotate import vault_steps as filing
from provision.rotate.journal import Journal, read_entries
from provision.rotate.model import RotationKind, Terms
from provision.rotate.planning import PlanInputs, plan_rotation
from provision.rotate.rotation import event_entries, plan_entries, replay
from provision.rotate.states import RotationEvent

pytestmark = pytest.mark.bench
USERS = int(os.environ.get("BENCH_USERS", "10000"))
PROFILE = EffectiveProfile("team", "gpt-5.2", "https://api.aisa.one/v1")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _key() -> str:
    return "sk-aisa-" + secrets.token_urlsafe(32)


class Bench:
    """A vault with one key each, made when it is not there yet, and a file of new ones."""

    def __init__(self, folder: Path, users: int) -> None:
        self.folder, self.path = folder, folder / "keys.vault"
        identity = folder / "identity.txt"
        self.users = [f"user-{n:06}" for n in range(users)]
        if not identity.exists():
            secret, recipient = generate_identity()
            identity.write_bytes(identity_file(secret, recipient, "now"))
            identity.chmod(0o600)
            create_vault(self.path, [recipient])
            with editing(self.path, load_identities(identity), "bench") as vault:
                for user in self.users:
                    vault.add(user, Secret(_key()), now=NOW)
        self.identities = load_identities(identity)
        self.file = "".join(f"{user},{_key()},{user}-v2\n" for user in self.users).encode()
        self.states: Mapping[str, DesiredState] = {
            user: DesiredState(
                user, PROFILE, Place("inventory.yaml"), recipients=("age1",), endpoint_key="ssh-ed25519 A"
            )
            for user in self.users
        }

    def floor_s(self) -> tuple[float, float, float, float]:
        """Seconds to seal each key to its user (age), to seal it for the vault (the cipher alone; with what names and binds
        it), and to write the file once, durably. Processor time, as everywhere here: the machine may be busy."""
        cipher, values, bound = ChaCha20Poly1305(os.urandom(32)), [_key().encode() for _ in self.users], os.urandom(100)
        recipient = pyrage.x25519.Identity.generate().to_public()
        began = time.process_time()
        for value in values:
            pyrage.encrypt(value, [recipient], armored=True)
        age = time.process_time() - began
        began = time.process_time()
        for value in values:
            cipher.encrypt(os.urandom(12), value, bound)
        bare = time.process_time() - began
        vault = open_vault(self.path, self.identities)
        known = [vault.current(user) for user in self.users]
        keys = [Secret(value.decode()) for value in values]
        began = time.process_time()
        for version, key in zip(known, keys, strict=True):
            assert version is not None
            vault.fingerprint(key)
            vault._data_key.seal_line(version, key)
        whole = time.process_time() - began
        data = self.path.read_bytes() * 2
        began = time.process_time()
        with (self.folder / "floor").open("wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        return age, bare, whole, time.process_time() - began

    def rotate(self, name: str) -> dict[str, float]:
        """Plan, write the plan, change the vault; seconds of each. The vault is put back."""
        before = self.path.read_bytes()
        told: dict[str, float] = {}
        mark = time.process_time()

        def lap(what: str) -> None:
            nonlocal mark
            told[what] = time.process_time() - mark
            mark = time.process_time()

        keys = read_keys(self.file, "new.csv").keys
        lap("read the new keys")
        vault = open_vault(self.path, self.identities)
        lap("open the vault")
        found = plan_rotation(keys, PlanInputs(vault, self.states, {}), ("1", "10%", "100%"), NOW)
        lap("plan")
        terms = Terms(name, RotationKind.SCHEDULED, "bench", NOW, vault.workspace_id)
        path = self.folder / f"{name}.jsonl"
        with Journal(path) as journal:
            journal.append([terms.entry(vault.generation), *plan_entries(found.people, terms)])
        lap("write the plan")
        wanted = {new.user: new for new in keys}
        with editing(self.path, self.identities, "bench") as vault:
            lap("open the vault to change it")
            filing.add_pending_keys(vault, found.people, wanted, NOW)
            lap("seal")
        lap("save the vault, with its events")
        rotation = replay(read_entries(path), path)
        assert rotation is not None
        assert len(rotation.people) == len(self.users)
        lap("fold the plan")
        self.path.write_bytes(before)
        (self.folder / "events.jsonl").unlink()
        return told


def test_planning_and_the_vault(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    bench = Bench(tmp_path, USERS)
    floors, turns = [], []
    for turn in range(3):  # interleaved, so that a busy machine slows both
        floors.append(bench.floor_s())
        turns.append(bench.rotate(f"2026-06-01-0{turn}"))
    best = min(turns, key=lambda laps: sum(laps.values()))
    age, bare, whole, write = (min(column) for column in zip(*floors, strict=True))
    total = sum(best.values())
    found = {"users": USERS, "total_s": total, "age_s": age, "cipher_s": bare, "vault_seal_s": whole, "write_s": write}
    found |= {"total/(age+write)": total / (age + write), "total/(vault_seal+write)": total / (whole + write), **best}
    record_property("rotate", found)
    print(json.dumps(found, indent=1))
    assert total <= 2 * (age + write), found


def test_what_a_step_costs_in_the_journal(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    terms = Terms("2026-06-01-01", RotationKind.SCHEDULED, "bench", NOW, "0" * 32)
    users = [f"user-{n:06}" for n in range(USERS)]
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.append([terms.entry(1)])
        began = time.perf_counter()
        for _ in range(200):
            journal.append(event_entries(RotationEvent.TAKEN, users[:1], NOW))
        one = (time.perf_counter() - began) / 200
        size = path.stat().st_size
        began = time.perf_counter()
        journal.append(event_entries(RotationEvent.TAKEN, users, NOW))
        together = (time.perf_counter() - began) / USERS
        size = path.stat().st_size - size
    began = time.perf_counter()
    for _ in range(200):
        with (tmp_path / "plain").open("ab") as file:
            file.write(b"x" * 80)
            file.flush()
            os.fsync(file.fileno())
    fsync = (time.perf_counter() - began) / 200
    found = {"alone_ms": one * 1e3, "fsync_ms": fsync * 1e3, "together_us": together * 1e6, "bytes": size / USERS}
    record_property("journal", found)
    print(json.dumps(found, indent=1))
    assert one < 2 * fsync + 1e-3, found
    assert together < 50e-6, found


MEMORY = """
import re, sys
sys.path[:0] = [{tests!r}, {bench!r}]
from pathlib import Path
import test_bench_rotate as b
def peak():  # not ru_maxrss: that begins with the peak of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
bench = b.Bench(Path(sys.argv[1]), int(sys.argv[2]))
base = peak()
if len(sys.argv) > 3:
    bench.rotate("2026-06-01-01")
print(peak() - base, bench.path.stat().st_size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the peak")
def test_memory_is_that_of_the_vault_and_the_plan(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    here = Path(__file__).resolve()
    code = MEMORY.format(tests=str(here.parents[1] / "craft"), bench=str(here.parent))

    def measured(users: int, *more: str) -> tuple[float, float]:
        folder = tmp_path / str(users)
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", code, str(folder), str(users), *more]
        peak, size = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        return peak / 1024, size / 2**20

    for users in (USERS // 10, USERS):
        measured(users)  # makes the vault, in a process of its own
    (small, _), (large, vault) = measured(USERS // 10, "measure"), measured(USERS, "measure")
    found = {"users": USERS, "small_mib": small, "large_mib": large, "vault_mib": vault}
    found["kib_per_user"] = (large - small) * 1024 / (USERS * 0.9)
    record_property("memory", found)
    print(json.dumps(found, indent=1))
    assert 1 < found["kib_per_user"] < 8, found  # less than one was not measured
