"""Kills `render` and `install` with SIGKILL at random instants, many times, and checks what is left. Run as a program.

It forks rather than starting programs, so that hundreds of kills take seconds.
usage: kill_driver.py render|install FOLDER ROUNDS SEED
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "craft"))

from bundlecraft import NOW, Shop, fresh_key

from provision.bundle import dist as dist_module
from provision.bundle.manifest import parse_manifest
from provision.bundle.render import examine_bundle, opened_dist
from provision.endpoint.apply import DiskWriter
from provision.endpoint.install import InstallRequest, install_bundle
from provision.endpoint.state import JOURNAL, kept_paths
from provision.fleet.desired import Platform
from provision.keys.age import load_identities
from provision.signing.sshsig import public_blob
from provision.transaction import recover


def killed_after(work: Callable[[], object], seconds: float) -> bool:
    """Run `work` in a fork and kill it after a while; whether it was still at work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def strays(folder: Path, secrets: list[bytes], allowed: set[str]) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name not in allowed and any(secret in path.read_bytes() for secret in secrets)
    ]


def render_rounds(root: Path, rounds: int, chance: random.Random) -> int:
    shop = Shop(users=("ada", "bob", "cyd", "dee", "eve"))
    signer = public_blob(shop.signer.public_key())
    lasts = timed(lambda: shop.render(root))
    caught, system = 0, dist_module.system_exchange

    def fingerprints() -> dict[str, str]:
        found = {}
        for user in shop.users:
            files = {p.name: p.read_bytes() for p in (root / user).iterdir()}
            there = examine_bundle(files, signer)
            assert there.genuine, f"{user} is half made"
            assert there.manifest is not None
            found[user] = there.manifest.key_fingerprint
        return found

    for turn in range(rounds):
        exchange = turn % 3 != 0
        dist_module.system_exchange = system if exchange else lambda: None  # type: ignore[assignment]
        old = fingerprints()
        keys_before = dict(shop.keys)
        for user in shop.users:
            shop.keys[user] = fresh_key(user)
        shop.now += timedelta(seconds=1)
        caught += killed_after(lambda: shop.render(root), chance.uniform(0, 1.2) * lasts)
        if not exchange:
            with opened_dist(root):  # puts back what had just been moved aside
                pass
        between = fingerprints()
        secrets = [k.reveal().encode() for k in (*keys_before.values(), *shop.keys.values())]
        assert not strays(root, secrets, set()), "a key is on the disk"
        lasts = 0.8 * lasts + 0.2 * timed(lambda: shop.render(root))
        new = fingerprints()
        assert all(between[u] in (old[u], new[u]) for u in shop.users), "neither old nor new"
        assert all(old[u] != new[u] for u in shop.users)
        assert sorted(p.name for p in (root / ".provision").iterdir()) == [".gitignore", "lock", "seen"]
    return caught


def install_rounds(folder: Path, rounds: int, chance: random.Random) -> int:
    shop = Shop(users=("ada",))
    home = folder / "home"
    home.mkdir()
    (home / "config.yaml").write_text(
        "# mine\ndisplay: {compact: true}\nmodel: {api_key: to-be-removed, base_url: x}\n"
    )
    (home / ".env").write_text("MINE=1\nCUSTOM_BASE_URL=https://evil.example\n")
    identities = load_identities(shop.identity_file("ada", folder / "identity"))
    request = InstallRequest(shop.signers, identities, Platform.LINUX, home)
    names = (".env", "config.yaml", kept_paths(home).rendering, kept_paths(home).marks, kept_paths(home).manifest)

    def run(files: dict[str, bytes]) -> object:
        return install_bundle(files, request, DiskWriter(folder), environ={"HOME": str(folder)}, now=NOW)

    def state() -> dict[str, bytes]:
        return {name: (home / name).read_bytes() for name in names}

    bundle = shop.bundle("ada", generation=1)
    lasts = timed(lambda: run(bundle))
    caught, secrets = 0, [shop.keys["ada"].reveal().encode()]
    for turn in range(rounds):
        old = state()
        shop.keys["ada"] = fresh_key("ada")
        secrets = [*secrets[-1:], shop.keys["ada"].reveal().encode()]
        bundle = shop.bundle("ada", generation=2 + turn)
        caught += killed_after(lambda: run(bundle), chance.uniform(0, 1.2) * lasts)  # noqa: B023
        committed = (home / JOURNAL).exists()
        left = state()
        recover(home, journal=JOURNAL)
        settled = state()
        lasts = 0.8 * lasts + 0.2 * timed(lambda: run(bundle))  # noqa: B023
        new = state()
        assert all(left[n] in (old[n], new[n]) for n in names), "a file that is neither old nor new"
        assert settled == (new if committed else left), "recovery did not finish what was committed"
        assert settled in (old, new), "a mixture"
        assert all(n in (".env", kept_paths(home).marks, kept_paths(home).manifest) or old[n] == new[n] for n in names)
        assert not strays(home, secrets, {".env"}), "a key is on the disk beside .env"
        assert secrets[0] not in new[".env"]
        assert b"MINE=1" in new[".env"]
        assert not list(home.rglob("*.provision-new"))
        assert parse_manifest(new[kept_paths(home).manifest]).generation == 2 + turn
    return caught


if __name__ == "__main__":
    what, where, count, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    doing = render_rounds if what == "render" else install_rounds
    print(doing(where / "dist" if what == "render" else where, count, random.Random(seed)))
