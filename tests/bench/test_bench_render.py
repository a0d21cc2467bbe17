"""`render` of 10,000 users against the physical limit, measured in the same run: see docs/performance.md for the goals.

The floor is one process doing only what cannot be left out: an X25519 seal of 200 bytes, an Ed25519 signature over 1 KiB,
and the same six files in a folder put in place by a rename.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from bundlecraft import Shop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.bundle.manifest import BUNDLE_FILES, PAGE

pytestmark = pytest.mark.bench

USERS = int(os.environ.get("BENCH_USERS", "10000"))
PROVISION = Path(sys.executable).with_name("provision")


def floor_s(root: Path, sizes: dict[str, int], count: int) -> float:
    """Seconds for `count` users: seal, sign, write."""
    recipient = pyrage.x25519.Identity.generate().to_public()
    key, data = Ed25519PrivateKey.generate(), b"x" * 1024
    blobs = {name: b"y" * size for name, size in sizes.items()}
    stage = root / "stage"
    stage.mkdir(parents=True)
    started = time.perf_counter()
    for i in range(count):
        pyrage.encrypt(b"z" * 200, [recipient], armored=True)
        key.sign(data)
        folder = f"{stage}/{i}"
        os.mkdir(folder)  # noqa: PTH102  a floor has no path objects in it
        for name, blob in blobs.items():
            descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(descriptor, blob)
            os.close(descriptor)
        os.rename(folder, f"{root}/{i}")  # noqa: PTH104
    return time.perf_counter() - started


@pytest.mark.timeout(1200)
def test_full_render_is_near_the_floor_and_an_unchanged_one_far_below(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    shop = Shop(users=tuple(f"user{i:05}" for i in range(USERS)), now=datetime.now(UTC))
    shop.render(tmp_path / "warm" / "dist", workers=None)
    sizes = {name: (tmp_path / "warm" / "dist" / shop.users[0] / name).stat().st_size for name in (*BUNDLE_FILES, PAGE)}
    shutil.rmtree(tmp_path / "warm")
    floors, fulls, unchanged = [], [], []
    for turn in range(2):  # interleaved, so that a busy machine slows both
        floors.append(floor_s(tmp_path / f"floor{turn}", sizes, USERS))
        root = tmp_path / f"dist{turn}"
        for times in (fulls, unchanged):
            started = time.perf_counter()
            outcomes = shop.render(root, workers=None)
            times.append(time.perf_counter() - started)
            assert len(outcomes) == USERS
        assert {o.status.value for o in outcomes.values()} == {"unchanged"}
        shutil.rmtree(root)
        shutil.rmtree(tmp_path / f"floor{turn}")
    floor, full, same = min(floors), min(fulls), min(unchanged)
    found = {"users": USERS, "floor_s": floor, "full_s": full, "unchanged_s": same}
    found |= {"full/floor": full / floor, "unchanged/full": same / full, "ms_per_user": full / USERS * 1000}
    record_property("render", found)
    print(json.dumps(found, indent=1))
    assert full <= 2.5 * floor, found
    assert same <= full / 5, found


def _workspace(folder: Path, users: int) -> dict[str, str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PROVISION_CONFIG_DIR": str(folder / "config")}
    if "PYTHONPATH" in os.environ:  # a checkout beside the installed one
        environ["PYTHONPATH"] = os.environ["PYTHONPATH"]

    def run(*arguments: str, data: str = "") -> None:
        subprocess.run(
            [PROVISION, "-q", *arguments],
            env=environ,
            cwd=folder,
            input=data,
            text=True,
            check=True,
            capture_output=True,
        )

    run("init", "ws")
    identities = [pyrage.x25519.Identity.generate() for _ in range(users)]
    (folder / "u00000.txt").write_text(f"{identities[0]}\n")
    (folder / "u00000.txt").chmod(0o600)
    recipients = [str(each.to_public()) for each in identities]
    entries = [f"  - {{id: u{i:05}, profile: engineering, recipients: [{recipients[i]}]}}\n" for i in range(users)]
    (folder / "ws" / "inventory.yaml").write_text("users:\n" + "".join(entries))
    keys = "user,key\n" + "".join(f"u{i:05},sk-aisa-TEST-{i:05}-{os.urandom(8).hex()}\n" for i in range(users))
    run("-w", "ws", "keys", "import", "-", data=keys)
    return environ


@pytest.mark.timeout(1200)
def test_the_whole_command_is_near_the_floor_too(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    """With the start of Python, the inventory and the vault in its time, which a render with nothing to do pays as well."""
    environ = _workspace(tmp_path, USERS)

    def command_s() -> float:
        started = time.perf_counter()
        subprocess.run(
            [PROVISION, "-q", "-w", "ws", "render"], env=environ, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - started

    fulls, unchanged, floors = [], [], []
    for turn in range(2):
        fulls.append(command_s())
        unchanged.append(command_s())
        dist = tmp_path / "ws" / "dist"
        sizes = {name: (dist / "u00000" / name).stat().st_size for name in (*BUNDLE_FILES, PAGE)}
        shutil.rmtree(dist)
        floors.append(floor_s(tmp_path / f"floor{turn}", sizes, USERS))
        shutil.rmtree(tmp_path / f"floor{turn}")
    floor, full, same = min(floors), min(fulls), min(unchanged)
    found = {"users": USERS, "floor_s": floor, "full/floor": full / floor, "unchanged/full": same / full}
    record_property("command", found)
    print(json.dumps(found, indent=1))
    assert full <= 2.5 * floor, found


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _pss_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _peak_mib(folder: Path, users: int) -> tuple[float, float]:
    """Peak of the whole process tree, in MiB, and seconds, for the real command on a workspace of so many users."""
    folder.mkdir()
    environ = _workspace(folder, users)
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen([PROVISION, "-w", "ws", "render"], env=environ, cwd=folder, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(_pss_kib, _tree(process.pid))))
        time.sleep(0.05)
    assert process.returncode == 0
    return peak / 1024, time.perf_counter() - started


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_hardly_grows_with_the_fleet(tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    small, _ = _peak_mib(tmp_path / "small", 1000)
    large, seconds = _peak_mib(tmp_path / "large", 10000)
    found = {"peak_1000_mib": small, "peak_10000_mib": large, "growth_mib": large - small, "command_10000_s": seconds}
    record_property("memory", found)
    print(json.dumps(found, indent=1))
    assert large - small < 100, found
