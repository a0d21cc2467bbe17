"""Years of pull and publish: hundreds of generations over a server that fails at random; nothing grows, and every machine ends
with the newest bundle. The last result is in docs/security.md."""

from __future__ import annotations

import gc
import random
import resource
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from bundlecraft import Shop
from feedcraft import Publisher, Puller, served

from provision.bundle.manifest import parse_manifest
from provision.errors import ProvisionError

USERS = ("ada", "bob", "eve")
KEPT = 3


def _flapping(handler: SimpleHTTPRequestHandler) -> bool:
    """Fail one of four requests: an error, a cut connection, a wrong length, or other bytes."""
    how = random.randrange(16)
    if how == 0:
        handler.send_error(503)
    elif how == 1:
        handler.connection.close()
    elif how == 2:
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"half")
    elif how == 3:
        handler.send_response(200)
        handler.send_header("Content-Length", "9")
        handler.end_headers()
        handler.wfile.write(b"not a tar")
    return how < 4


def _size(*folders: Path) -> tuple[int, int]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def soak(folder: Path, rounds: int) -> dict[str, float]:
    shop = Shop(users=USERS)
    publisher = Publisher(folder, shop)
    publisher.keep = KEPT
    pulled = failed = 0
    early: dict[str, float] = {}
    with served(publisher.tree) as server:
        machines = [Puller(folder / user, shop, user, server.url) for user in USERS]
        for number in range(rounds):
            shop.now += timedelta(hours=random.randint(12, 60))
            publisher.render(force=True)
            publisher.publish()
            server.misbehaviour = None if number == rounds - 1 else _flapping
            for machine in machines:
                try:
                    machine.pull()
                    pulled += 1
                except (ProvisionError, OSError):
                    failed += 1
            server.requests.clear()
            server.statuses.clear()
            gc.collect()
            files, size = _size(publisher.tree)
            on_machines, machine_size = _size(*(machine.folder for machine in machines))
            now = {
                "feed_files": files,
                "feed_bytes": size,
                "machine_files": on_machines,
                "machine_bytes": machine_size,
                "descriptors": len(list(Path("/proc/self/fd").iterdir())),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
            if number == rounds // 4:
                early = now
        for machine in machines:
            newest = parse_manifest((publisher.dist / machine.user / "manifest.json").read_bytes())
            installed = parse_manifest((machine.home / ".provision" / "manifest.json").read_bytes())
            assert installed.generation == newest.generation
    grown = {f"{name}_grown": now[name] - early[name] for name in now}
    return {"pulled": pulled, "failed": failed, **now, **grown}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
@pytest.mark.parametrize(
    "rounds", [6, pytest.param(400, marks=[pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(7200)])]
)
def test_years_of_pull_and_publish_grow_nothing(tmp_path: Path, rounds: int) -> None:
    found = soak(tmp_path, rounds)
    print(found)
    assert found["pulled"]
    assert len(USERS) * KEPT < found["feed_files"] <= len(USERS) * (KEPT + 1) + 8
    assert found["machine_files_grown"] <= 2
    assert found["machine_bytes_grown"] < 4096
    assert found["descriptors_grown"] <= 2
    if rounds > 100:
        assert found["failed"]
        assert found["peak_mib_grown"] < 32
