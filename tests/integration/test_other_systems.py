"""Homes, installs, transactions and audits on the file systems of Windows and macOS, as pyfakefs imitates them.

Backslashes, drives and names without case on Windows; names without case on macOS. What a system's own calls do (access lists,
sharing of open files) is tried elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock  # noqa: F401  with the means of this system, before a test changes it
import pytest
from bundlecraft import Shop
from pyfakefs.fake_filesystem import FakeFilesystem, OSType
from seeded import token_hex

from provision import transaction, windows_acl
from provision.audit.sources.walk import FoundFile, FoundHome, walk
from provision.bundle.manifest import parse_manifest
from provision.endpoint import privileges, process_listing
from provision.endpoint.apply import DiskWriter
from provision.endpoint.install import InstallReport, InstallRequest, install_bundle
from provision.files import write_atomic
from provision.fleet.desired import Platform
from provision.hermes.home import default_home, read_home
from provision.keys.age import Identity
from provision.keys.identities import load_identities
from provision.transaction import Transaction, recover

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Machine:
    platform: Platform
    user: Path
    environ: dict[str, str]
    identities: Sequence[Identity]

    @property
    def home(self) -> Path:
        return Path(default_home(self.platform, self.environ))


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada",), now=NOW)


@pytest.fixture
def identities(shop: Shop, tmp_path: Path) -> Sequence[Identity]:
    """Loaded from the real disk, before it is hidden."""
    return load_identities(shop.identity_file("ada", tmp_path / "identity.txt"))


@pytest.fixture(params=["windows", "macos"])
def machine(
    request: pytest.FixtureRequest, identities: Sequence[Identity], fs: FakeFilesystem, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    monkeypatch.setenv("USERNAME", "ada")
    if request.param == "windows":
        fs.os = OSType.WINDOWS
        monkeypatch.setattr(os, "name", "nt")
        monkeypatch.setattr(sys, "platform", "win32")
        user = Path("C:/Users/Ada Lovelace")
        local = user / "AppData" / "Local"
        made = Machine(Platform.WINDOWS, user, {"LOCALAPPDATA": str(local), "USERPROFILE": str(user)}, identities)
    else:
        fs.os = OSType.MACOS
        monkeypatch.setattr(sys, "platform", "darwin")
        user = Path("/Users/ada")
        made = Machine(Platform.MACOS, user, {"HOME": str(user)}, identities)
    monkeypatch.setattr(privileges, "is_root", lambda: False)
    monkeypatch.setattr(process_listing, "_output", lambda _: None)  # no program runs on an imitated disk
    monkeypatch.setattr(windows_acl, "_run", lambda *_: None)
    made.home.mkdir(parents=True)
    return made


def install(machine: Machine, shop: Shop, bundle: dict[str, bytes]) -> InstallReport:
    request = InstallRequest(signers=shop.signers, identities=machine.identities, platform=machine.platform, user="ada")
    writer = DiskWriter(machine.user)
    return install_bundle(bundle, request, writer, environ=machine.environ, now=NOW)


def test_the_default_home_is_where_hermes_looks(machine: Machine) -> None:
    expected = {"windows": "C:\\Users\\Ada Lovelace\\AppData\\Local\\hermes", "macos": "/Users/ada/.hermes"}
    assert str(machine.home) == expected[machine.platform.value]


def test_an_install_merges_and_a_second_one_changes_nothing(machine: Machine, shop: Shop) -> None:
    (machine.home / "CONFIG.YAML").write_text("# mine\ndisplay: {skin: dark}\nmodel: {default: other}\n")
    (machine.home / ".env").write_bytes(b"MINE=1\r\nAISA_API_KEY=old\r\n")
    bundle = shop.bundle("ada")
    report = install(machine, shop, bundle)
    assert report.ok, report
    root = read_home(machine.home, managed_dir=None).root
    assert root.config is not None
    assert b"# mine" in root.config
    assert b"skin: dark" in root.config
    assert root.env is not None
    assert shop.keys["ada"].reveal().encode() in root.env
    assert b"MINE=1" in root.env
    assert [path.name.lower() for path in machine.home.iterdir()].count("config.yaml") == 1, (
        "one file, whatever its case"
    )
    manifest = parse_manifest((machine.home / ".PROVISION" / "manifest.json").read_bytes())
    assert manifest.user == "ada"
    before = {name: (machine.home / name).read_bytes() for name in ("config.yaml", ".env")}
    install(machine, shop, bundle)  # a mode may be set again: the imitation does not keep modes as the systems do
    assert {name: (machine.home / name).read_bytes() for name in before} == before


def test_a_named_home_is_expanded_or_refused(machine: Machine, shop: Shop) -> None:
    named = {"windows": "%LOCALAPPDATA%\\team hermes", "macos": "~/team hermes"}[machine.platform.value]
    report = install(machine, shop, shop.bundle("ada", hermes_home=named))
    assert report.home == Path(str(machine.home).rpartition(os.sep)[0]) / "team hermes"
    assert (report.home / ".env").is_file()


def change_both(root: Path) -> None:
    with Transaction(root, journal=".provision/transaction.json") as change:
        change.write(".env", b"A=2\n")
        change.write("config.yaml", b"b: 2\n")


def test_a_crash_between_two_renames_is_finished(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    root = machine.home
    write_atomic(root / ".env", b"A=1\n")
    real, calls = transaction.replace_file, list[Path]()

    def dies(staged: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:  # behind the journal and the first file
            raise KeyboardInterrupt
        real(staged, target)

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "replace_file", dies)
        with pytest.raises(KeyboardInterrupt):
            change_both(root)
    assert (root / ".env").read_bytes() == b"A=2\n"
    assert not (root / "config.yaml").exists()
    assert recover(root, journal=".provision/transaction.json")
    assert (root / "config.yaml").read_bytes() == b"b: 2\n"
    assert sorted(path.name for path in root.iterdir()) == [".env", ".provision", "config.yaml"]


@pytest.mark.parametrize("name", ["..\\..\\out", "C:\\out", "a:stream", "\\\\server\\share"])
def test_no_journal_leads_out_of_the_home(machine: Machine, name: str) -> None:
    from json import dumps

    from provision.files import FileProblemError

    journal = machine.home / ".provision" / "transaction.json"
    journal.parent.mkdir()
    journal.write_text(dumps({"steps": [{"target": name, "staged": None}]}))
    with pytest.raises(FileProblemError, match="not a valid journal"):
        recover(machine.home, journal=".provision/transaction.json")


def test_an_audit_lists_a_home_once_whatever_its_case(machine: Machine) -> None:
    (machine.home / "config.yaml").write_text("_config_version: 33\n")
    (machine.home / ".env").write_text(f"AISA_API_KEY=sk-{token_hex(20)}\n")
    (machine.home / "sessions").mkdir()
    (machine.home / "sessions" / "a.json").write_text("{}")
    again = Path(str(machine.home).upper()) if machine.platform is Platform.WINDOWS else machine.home
    found = list(walk([machine.user, again]))
    assert [item.path for item in found if isinstance(item, FoundHome)] == [str(machine.home)]
    names = sorted(item.path.rpartition(os.sep)[2] for item in found if isinstance(item, FoundFile))
    assert names == [".env", "a.json", "config.yaml"]
