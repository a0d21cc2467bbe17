"""`doctor` on a real workspace and a real machine: each defect is found by its id, and a sound one is in order."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from companycraft import Company
from feedcraft import served

from provision.doctor.health import HealthFinding, Tier, examine
from provision.doctor.machine import MachineHealth
from provision.doctor.operator import OperatorHealth
from provision.endpoint.identity import EndpointFolder
from provision.endpoint.obeyed_order import FILE as OBEYED
from provision.errors import Exit
from provision.fleet.workspace import read_workspace
from provision.keys.age import generate_identity, identity_file, load_identities
from provision.keys.vault.file import create_vault, editing, read_vault
from provision.signing.sshsig import new_signing_key

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company in order: committed, published, recovery tested, and its machine has pulled. Only copied."""
    company = Company(tmp_path_factory.mktemp("sound"))
    company.ok("ada", "recovery", "test", str(company.paper))
    with served(company.feed) as running:
        told = company.ok("ada", "publish", str(company.feed), "--addresses", "--url", running.url, "-f", "json")
        assert company.machine("pull", json.loads(told.stdout)["users"][0]["address"]).returncode == Exit.OK
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all"),
    ):
        subprocess.run(["git", "-C", str(company.ws), *words], env=GIT, check=True)
    return company


@pytest.fixture
def company(sound: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    root = tmp_path / "company"
    shutil.copytree(sound.root, root)
    _follow_path(root, sound.ws)
    copy = object.__new__(Company)
    copy.root, copy.ws, copy.feed, copy.paper = root, root / "ws", root / "feed", root / "paper"
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(root / "ada"))
    (tmp_path / "tmp").mkdir()  # what others on this machine leave in the shared one is not of this company
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return copy


def _follow_path(root: Path, before: Path) -> None:
    """What was approved is kept by the workspace's path: move it along with the copy."""
    for folder in list((root / "ada" / "approved").glob("*")):
        for file, was, now in (
            ("settings.json", before, root / "ws"),
            ("vault.json", before / "keys.vault", root / "ws/keys.vault"),
        ):
            if (folder / file).exists() and str(was) in json.loads((folder / file).read_text()).values():
                folder.rename(folder.with_name(hashlib.sha256(str(now.resolve()).encode()).hexdigest()[:32]))
                break


def operator(company: Company, days: float = 0, *, programs: bool = False, **how: bool) -> dict[str, HealthFinding]:
    """The worst finding of each id, `days` from now."""
    workspace, problems = read_workspace(company.ws)
    environ = {**GIT, "PROVISION_CONFIG_DIR": str(company.root / "ada")}
    now = datetime.now(UTC) + timedelta(days=days)
    health = OperatorHealth(workspace, problems, environ=environ, now=now, feed=company.feed, **how)
    return _worst(examine(check for check in health.checks() if programs or check[0] != "programs"))


def machine(company: Company, days: float = 0) -> dict[str, HealthFinding]:
    folder = EndpointFolder(company.root / "machine")
    now = datetime.now(UTC) + timedelta(days=days)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(company.root / "home")}
    return _worst(
        examine(MachineHealth(folder, company.root / "home/.hermes", None, environ=environ, now=now).checks())
    )


def _worst(found: Iterator[HealthFinding]) -> dict[str, HealthFinding]:
    order = list(Tier)
    by_id: dict[str, HealthFinding] = {}
    for each in found:
        if each.id not in by_id or order.index(each.tier) < order.index(by_id[each.id].tier):
            by_id[each.id] = each
    return by_id


def test_a_sound_workspace_and_machine_are_in_order(company: Company) -> None:
    found = operator(company, programs=True)
    unsound = {id_: each for id_, each in found.items() if each.tier is not Tier.OK}
    assert {id_ for id_ in unsound if not id_.startswith("programs.")} == {"gateway.reachable"}
    assert unsound["gateway.reachable"].tier is Tier.SKIPPED
    unsound = {id_: each for id_, each in machine(company).items() if each.tier is not Tier.OK}
    assert set(unsound) <= {"machine.hermes", "machine.route", "feed.reachable"}, unsound
    assert all(each.tier is not Tier.FAILED for each in unsound.values())


def _replace_identity(c: Company) -> None:
    secret, recipient = generate_identity()
    (c.root / "ada/identity.txt").write_bytes(identity_file(secret, recipient, "now"))


def _older_vault(c: Company) -> None:
    before = (c.ws / "keys.vault").read_bytes()
    c.ok("ada", "operators", "check", "--renew")
    (c.ws / "keys.vault").write_bytes(before)


def _hold(c: Company) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    import socket

    note = {"who": "ada", "host": socket.gethostname(), "pid": gone.pid, "doing": "publish", "since": 0}
    (c.ws / ".keys.vault.lock.holder").write_text(json.dumps(note))


def _leave(c: Company) -> None:
    code = (
        "import sys, pathlib; from provision.files import staged_path; staged_path(pathlib.Path(sys.argv[1])).touch()"
    )
    subprocess.run([sys.executable, "-c", code, str(c.ws / "keys.vault")], check=True)


def _append(name: str, text: str) -> Callable[[Company], None]:
    def act(c: Company) -> None:
        with (c.ws / name).open("a") as file:
            file.write(text)

    return act


def _set(c: Company, line: str) -> None:
    path = c.ws / "provision.toml"
    path.write_text(line + "\n" + path.read_text())


def _renew(c: Company) -> None:
    c.ok("ada", "operators", "check", "--renew")


def _lose(pattern: str) -> Callable[[Company], None]:
    def act(c: Company) -> None:
        _renew(c)
        for path in c.ws.glob(pattern):
            path.unlink()

    return act


def _forge_vault(c: Company) -> None:
    """Another vault, with the same workspace id, that opens for the operator too."""
    from unittest.mock import patch

    there = read_vault(c.ws / "keys.vault")
    for name in ("keys.vault", "events.jsonl"):
        (c.ws / name).unlink()
    with patch("provision.keys.vault.vault.secrets.token_hex", lambda _: there.workspace_id):
        create_vault(c.ws / "keys.vault", [*there.operators, generate_identity()[1]])


def _drop_recovery(c: Company) -> None:
    with editing(c.ws / "keys.vault", load_identities(c.root / "ada/identity.txt"), "test") as vault:
        vault.set_recovery([])


def _ignore(c: Company) -> None:
    (c.ws / ".gitignore").write_text("keys.vault\n")
    subprocess.run(["git", "-C", str(c.ws), "rm", "-q", "--cached", "keys.vault"], env=GIT, check=True)
    line = ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", "ignore")
    subprocess.run(["git", "-C", str(c.ws), *line], env=GIT, check=True)


def _rewrite_event(c: Company) -> None:
    path = c.ws / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1].replace('"who":"', '"who":"not '), *lines[2:]]))


def _order(c: Company) -> None:
    (c.ws / "orders").mkdir()
    (c.ws / "orders/u1.order").write_text("halt\n")


DEFECTS: dict[str, tuple[str, Tier, Callable[[Company], object], float]] = {
    "a wrong setting": ("workspace.settings", Tier.FAILED, _append("provision.toml", "\nunknown = 1\n"), 0),
    "a key that others can read": (
        "keys.private", Tier.FAILED, lambda c: (c.root / "ada/signing_key").chmod(0o644), 0,
    ),
    "a folder that others can write": ("keys.private", Tier.FAILED, lambda c: (c.root / "ada").chmod(0o777), 0),
    "another identity": ("keys.identity", Tier.FAILED, _replace_identity, 0),
    "no identity": ("keys.identity", Tier.FAILED, lambda c: (c.root / "ada/identity.txt").unlink(), 0),
    "another signing key": (
        "signer.trusted", Tier.FAILED, lambda c: (c.root / "ada/signing_key").write_bytes(new_signing_key()[1]), 0,
    ),
    "no trust lists": ("trust.list", Tier.FAILED, lambda c: shutil.rmtree(c.ws / "trust"), 0),
    "a list that expires soon": ("trust.expiry", Tier.WARNING, lambda _: None, 150),
    "a list that expired": ("trust.expiry", Tier.FAILED, lambda _: None, 181),
    "signers edited by hand": ("trust.derived", Tier.FAILED, _append("allowed_signers", "eve ssh-ed25519 AAAA\n"), 0),
    "a key_command from git": (
        "approvals.pending", Tier.WARNING, lambda c: _set(c, 'key_command = ["sh"]'), 0,
    ),
    "recovery never tested": (
        "recovery.tested", Tier.WARNING,
        lambda c: [p.unlink() for p in (c.root / "ada").rglob("recovery_tested")], 0,
    ),
    "recovery tested long ago": ("recovery.tested", Tier.WARNING, lambda _: None, 366),
    "an older vault": ("vault.log", Tier.WARNING, _older_vault, 0),
    "a feed that expires soon": ("feed.expiry", Tier.WARNING, lambda _: None, 5.5),
    "a feed that expired": ("feed.expiry", Tier.FAILED, lambda _: None, 8),
    "a feed without an index": ("feed.expiry", Tier.FAILED, lambda c: shutil.rmtree(c.feed / "index"), 0),
    "a clock that is behind": ("clock.behind", Tier.FAILED, lambda _: None, -1),
    "an interrupted change": (
        "files.unfinished", Tier.WARNING, lambda c: (c.ws / ".provision/change.json").write_text("{}"), 0,
    ),
    "a lock of a dead process": ("locks.stale", Tier.WARNING, _hold, 0),
    "a file of a killed run": ("files.left", Tier.WARNING, _leave, 0),
    "an uncommitted vault": ("git.committed", Tier.WARNING, _append("keys.vault", "\n"), 0),
    "a workspace without git": ("git.committed", Tier.WARNING, lambda c: shutil.rmtree(c.ws / ".git"), 0),
    "an unfinished merge": (
        "git.merge-marks", Tier.FAILED, _append("inventory.yaml", "<<<<<<< ours\n=======\n>>>>>>> theirs\n"), 0,
    ),
    "a first list that is gone": ("trust.list", Tier.FAILED, _lose("trust/1-1.json"), 0),
    "a signature of an older list that is gone": ("trust.list", Tier.FAILED, _lose("trust/1-1.json.*.sig"), 0),
    "a feed without the newest list": ("feed.trust", Tier.WARNING, _renew, 0),
    "a feed without a bundle": ("feed.files", Tier.FAILED, lambda c: [p.unlink() for p in c.feed.glob("e/*/*.tar")], 0),
    "a recovery page in the workspace": (
        "keys.workspace", Tier.FAILED, lambda c: shutil.copy(c.paper, c.ws / "paper.txt"), 0,
    ),
    "an identity in the workspace": (
        "keys.workspace", Tier.FAILED, lambda c: shutil.copy(c.root / "ada/identity.txt", c.ws / "mine"), 0,
    ),
    "a signing key in the workspace": (
        "keys.workspace", Tier.FAILED, lambda c: shutil.copy(c.root / "ada/signing_key", c.ws / "profiles/key"), 0,
    ),
    "an inventory that cannot be read": (
        "approvals.pending", Tier.SKIPPED, lambda c: (c.ws / "inventory.yaml").write_text("users: [\n"), 0,
    ),
    "a vault that git ignores": ("git.committed", Tier.WARNING, _ignore, 0),
    "a recovery key that does not open the vault": ("recovery.exists", Tier.FAILED, _drop_recovery, 0),
    "another vault": ("keys.identity", Tier.FAILED, _forge_vault, 0),
    "an event that was rewritten": ("vault.log", Tier.FAILED, _rewrite_event, 0),
    "an order that no machine obeys": ("orders.valid", Tier.FAILED, _order, 0),
    "a merge in a template": (
        "git.merge-marks", Tier.FAILED, _append("templates/WELCOME.md", "<<<<<<< ours\n=======\n>>>>>>> theirs\n"), 0,
    ),
}  # fmt: skip


AGAIN = {
    *("no identity", "a folder that others can write", "a list that expired", "a feed without an index"),
    *("a signature of an older list that is gone", "an identity in the workspace", "a signing key in the workspace"),
    *(
        "a merge in a template",
        "a damaged manifest",
        "a damaged state of the feed",
        "no pull for days",
        "another vault",
    ),
    *("a workspace without git", "recovery tested long ago", "a feed that expires soon", "a list that expires soon"),
}
"""Second defects of a check."""


def defects(table: Iterable[str]) -> list[Any]:
    return [pytest.param(what, marks=[pytest.mark.slow] if what in AGAIN else []) for what in table]


@pytest.mark.parametrize("what", defects(DEFECTS))
def test_a_defect_of_the_workspace_is_found(what: str, company: Company) -> None:
    id_, tier, act, days = DEFECTS[what]
    act(company)
    found = operator(company, days)[id_]
    assert (found.tier, bool(found.fix)) == (tier, True), found


MACHINE_DEFECTS: dict[str, tuple[str, Tier, Callable[[Company], object], float]] = {
    "not enrolled": ("machine.enrolled", Tier.FAILED, lambda c: (c.root / "machine/endpoint_key").unlink(), 0),
    "a key that others can read": (
        "machine.private", Tier.FAILED, lambda c: (c.root / "machine/identity.txt").chmod(0o644), 0,
    ),
    "a lost list": ("machine.signers", Tier.FAILED, lambda c: (c.root / "machine/trust_list.json").unlink(), 0),
    "a list that expires soon": ("machine.signers", Tier.WARNING, lambda _: None, 150),
    "a list that expired": ("machine.signers", Tier.FAILED, lambda _: None, 181),
    "nothing installed": ("machine.bundle", Tier.FAILED, lambda c: shutil.rmtree(c.root / "home/.hermes"), 0),
    "a bundle that expires soon": ("machine.bundle", Tier.WARNING, lambda _: None, 80),
    "a bundle that expired": ("machine.bundle", Tier.FAILED, lambda _: None, 91),
    "a changed model": (
        "machine.route", Tier.FAILED, lambda c: (c.root / "home/.hermes/config.yaml").write_text("{}\n"), 0,
    ),
    "a feed that expired": ("machine.feed", Tier.FAILED, lambda _: None, 8),
    "a clock that is behind": ("clock.behind", Tier.FAILED, lambda _: None, -1),
    "a damaged key for receipts": (
        "machine.enrolled", Tier.FAILED, lambda c: (c.root / "machine/endpoint_key").write_text("no key\n"), 0,
    ),
    "a damaged state of the feed": (
        "machine.feed", Tier.WARNING, lambda c: (c.root / "machine/pull.json").write_text("{}\n"), 0,
    ),
    "a damaged note of the last order": (
        "machine.order", Tier.WARNING, lambda c: (c.root / "machine" / OBEYED).write_text("{}\n"), 0,
    ),
    "no pull for days": ("machine.feed", Tier.WARNING, lambda _: None, 4),
    "a damaged manifest": (
        "machine.bundle", Tier.FAILED, lambda c: (c.root / "home/.hermes/.provision/manifest.json").write_text("{"), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", defects(MACHINE_DEFECTS))
def test_a_defect_of_the_machine_is_found(what: str, company: Company) -> None:
    id_, tier, act, days = MACHINE_DEFECTS[what]
    act(company)
    found = machine(company, days)[id_]
    assert (found.tier, bool(found.fix)) == (tier, True), found


def test_every_check_has_a_defect(company: Company) -> None:
    """Those without one here need other tests: they are asked for below, or say what is on PATH."""
    elsewhere = {"gateway.reachable", "clock.server", "signer.trusted", "recovery.exists", "trust.pending"}
    ids = {id_ for id_ in operator(company) if not id_.startswith("programs.")}
    assert ids - elsewhere <= {id_ for id_, *_ in DEFECTS.values()}


def test_programs_that_are_missing_are_warnings(company: Company, tmp_path: Path) -> None:
    workspace, problems = read_workspace(company.ws)
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "age"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    environ = {"PATH": str(tmp_path / "bin"), "PROVISION_CONFIG_DIR": str(company.root / "ada")}
    health = OperatorHealth(workspace, problems, environ=environ, now=datetime.now(UTC))
    found = _worst(examine(health.checks()))
    assert "not on PATH" in found["programs.git"].text
    assert "does not say its version" in found["programs.age"].text
    assert found["git.committed"].tier is Tier.SKIPPED
    assert all(found[f"programs.{name}"].tier is Tier.WARNING for name in ("git", "age", "ssh", "ssh-keygen"))


def test_online_asks_the_gateway(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(company.root / "gateway") as running:
        monkeypatch.setenv("PROVISION_GATEWAY", running.url)
        found = operator(company, online=True)
        assert found["gateway.reachable"].tier is Tier.OK, "without a key any answer shows that it is there"
        assert found["clock.server"].tier is Tier.OK
    found = operator(company, online=True)
    assert (found["gateway.reachable"].tier, "does not answer" in found["gateway.reachable"].text) == (
        Tier.FAILED,
        True,
    )


def test_by_command(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 0 with warnings only, 10 with a failure; JSON has the same; the home folder is masked; nothing is written."""
    for path in (company.root / "ada").rglob("recovery_tested"):
        path.unlink()
    before = {p: p.read_bytes() for p in company.root.rglob("*") if p.is_file()}
    monkeypatch.setenv("HOME", str(company.root))
    done = company.it("ada", "doctor", "-f", "json")
    assert done.returncode == Exit.OK, done.stdout
    document = json.loads(done.stdout)
    assert (document["schema"], document["tier"]) == ("provision/doctor/v1", "warning")
    assert {p: p.read_bytes() for p in company.root.rglob("*") if p.is_file()} == before
    (company.root / "ada/signing_key").chmod(0o640)
    done = company.it("ada", "doctor", "-f", "json")
    assert done.returncode == Exit.FINDINGS
    (bad,) = [each for each in json.loads(done.stdout)["findings"] if each["id"] == "keys.private"]
    assert bad["tier"] == "failed"
    assert str(company.root / "home") not in done.stdout
    assert bad["remediation"]["commands"][0].startswith("chmod 600 ")
    assert bad["affects"]
    assert company.machine("doctor", "--home", str(company.root / "home/.hermes")).stdout.count("machine.bundle") == 1
    assert company.it("ada", "doctor", "--machine", "--feed", str(company.feed)).returncode == Exit.USAGE
