"""`audit --fix` on real files: what it fixes, what it does not, and that `--undo` restores the old content."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from auditcraft import Machine, aisa_key, leaks
from bundlecraft import PROFILE, Shop, write_bundle

import provision.audit.fix.apply as module
from provision.audit.fix.apply import apply_fix, last_record, undo_fix
from provision.audit.fix.change import FixChange
from provision.audit.fix.mask import LARGEST_BYTES, MaskError, mask_content
from provision.audit.fix.replace import LateWriters
from provision.detect.detector import Detector
from provision.fleet.desired import SecretDelivery
from provision.keys.age import generate_identity, identity_file, load_identities
from provision.keys.vault.vault import new_vault


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, monkeypatch, capfd)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode))
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".cache" not in p.parts
    }


def install(machine: Machine, **state: object) -> Shop:
    """Install a bundle for ada, as IT and the endpoint do it."""
    shop = Shop(now=datetime.now(UTC))
    (machine.folder / "signers").write_text(shop.allowed_signers)
    shop.identity_file("ada", machine.config / "identity.txt")
    machine.provision("enroll", "--user", "ada", "--signer", machine.folder / "signers", code=0)
    bundle = write_bundle(shop.bundle("ada", **state), machine.folder / "bundle")  # type: ignore[arg-type]
    machine.provision("install", bundle, "--home", machine.home, code=0)
    return shop


def test_a_hijacked_home_goes_back_to_what_is_installed(machine: Machine) -> None:
    install(machine)
    assert machine.audit(code=0)["findings"] == []
    config = machine.home / "config.yaml"
    config.write_text(
        config.read_text().replace(
            "providers:\n", f"providers:\n  AISA:\n    api: https://evil.example/v1\n    api_key: {aisa_key()}\n"
        )
    )
    env = machine.home / ".env"
    env.write_text(env.read_text() + "CUSTOM_BASE_URL=https://evil.example/v1\nHERMES_INFERENCE_MODEL=other\nMINE=1\n")
    report = machine.audit(code=10)
    assert report["routes"][0]["as_expected"] != "yes"
    assert {"route-second-entry", "route-inference-model"} <= {f["rule"] for f in report["findings"]}

    before = snapshot(machine.home)
    machine.provision("audit", "--fix", "--yes")
    assert "evil" not in config.read_text() + env.read_text()
    assert "MINE=1" in env.read_text()
    report = machine.audit(code=0)
    assert report["routes"][0]["as_expected"] == "yes"

    machine.provision("audit", "--undo", "--yes", code=0)
    assert snapshot(machine.home) == before
    assert list((machine.config / "fixes").iterdir()) == []


def test_a_key_on_disk_although_it_is_delivered_in_memory(machine: Machine) -> None:
    shop = install(machine, profile=replace(PROFILE, secret_delivery=SecretDelivery.RUN))
    key = shop.keys["ada"].reveal()
    env = machine.home / ".env"
    env.write_text((env.read_text() if env.exists() else "") + f"AISA_API_KEY={key}\nMINE=1\n")
    rules = {f["rule"] for f in machine.audit(code=10)["findings"]}
    assert "key-on-disk" in rules
    machine.provision("audit", "--fix", "--yes")
    assert key not in env.read_text()
    assert "MINE=1" in env.read_text()
    assert "key-on-disk" not in {f["rule"] for f in machine.audit()["findings"]}


def test_drift_is_a_finding(machine: Machine) -> None:
    install(machine)
    config = machine.home / "config.yaml"
    config.write_text(config.read_text().replace("gpt-5.2", "gpt-4o"))
    found = {(f["rule"], f["where"]) for f in machine.audit(code=10)["findings"]}
    assert ("drift", "model.default") in found


def test_copies_go_and_everything_else_stays_to_the_byte(machine: Machine) -> None:
    machine.hermes()
    key, old = machine.key, aisa_key()
    machine.write(".hermes/logs/agent.log", f"one\r\ntwo {key} \xff\n".encode("latin-1"))
    machine.write(".hermes/logs/utf16.log", f"two {key} three\n".encode("utf-16"))
    machine.write(".hermes/logs/old.log.gz", gzip.compress(f"x {old} y".encode()))
    machine.write(".hermes/config.yaml.bak.1", f"model:\n  api_key: '{old}' # mine\n")
    machine.write(".bash_history", f"ls\nhermes config set AISA_API_KEY {key}\ncd /\n", mode=0o644)
    machine.write(
        ".hermes/backups/b.zip",
        _zip({"home/.env": f"A={old}\n".encode(), "home/empty": b"", "n.tar": _tar({"x": old.encode()})}),
    )
    machine.write(".hermes/skills/deploy.py", f"KEY = '{old}'\n")
    machine.write(".claude/settings.json", f'{{"env": {{"ANTHROPIC_AUTH_TOKEN": "{key}"}}}}\n')
    machine.provision("enroll", code=0)
    before = snapshot(machine.user)
    machine.provision("audit", "--fix", "--yes", code=10)

    assert (machine.home / "logs/agent.log").read_bytes() == "one\r\ntwo masked... \xff\n".encode("latin-1")
    assert (machine.home / "logs/utf16.log").read_bytes().decode("utf-16") == "two masked... three\n"
    assert gzip.decompress((machine.home / "logs/old.log.gz").read_bytes()) == b"x masked... y"
    assert (machine.home / "config.yaml.bak.1").read_text() == "model:\n  api_key: 'masked...' # mine\n"
    history = machine.user / ".bash_history"
    assert history.read_text() == "ls\nhermes config set AISA_API_KEY masked...\ncd /\n"
    with zipfile.ZipFile(machine.home / "backups/b.zip") as archive:
        assert archive.read("home/.env") == b"A=masked...\n"
        with tarfile.open(fileobj=io.BytesIO(archive.read("n.tar"))) as tar:
            assert tar.extractfile("x").read() == b"masked..."  # type: ignore[union-attr]
    assert (machine.home / ".env").read_text() == f"AISA_API_KEY={key}\n"

    assert "a program may need it there" in machine.out, "code is not changed"
    assert (machine.home / "skills/deploy.py").read_bytes() == before[".hermes/skills/deploy.py"][0]
    assert "another program reads its settings from there" in machine.out
    assert (machine.user / ".claude/settings.json").read_bytes() == before[".claude/settings.json"][0]

    machine.provision("audit", "--undo", "--yes", code=0)
    after = snapshot(machine.user)
    assert after == before


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


KILLED_FIX = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
db.execute("PRAGMA cache_spill = 1")
db.execute("PRAGMA cache_size = 1")
db.execute("UPDATE m SET t = 'masked'")
os._exit(9)
"""


def test_a_key_in_the_journal_of_a_killed_change_is_masked_with_its_database(machine: Machine) -> None:
    """A program that was killed while it masked left the rows as they were in the journal, and SQLite puts them back."""
    machine.hermes()
    machine.provision("enroll", code=0)
    path = machine.home / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, t TEXT)")
        db.executemany("INSERT INTO m(t) VALUES (?)", [(f"say {machine.key} {'x' * 400}",) for _ in range(200)])
        db.commit()
    assert subprocess.run([sys.executable, "-c", KILLED_FIX, path], check=False).returncode == 9
    assert machine.key.encode() in (machine.home / "state.db-journal").read_bytes()
    path.write_bytes(path.read_bytes().replace(machine.key.encode(), b"*" * len(machine.key)))  # all pages were written
    machine.provision("audit", "--fix", "--yes", code=0)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), sum(t LIKE '%sk-aisa-_________%') FROM m").fetchone() == (200, 0)
    assert machine.key.encode() not in b"".join(p.read_bytes() for p in machine.home.glob("state.db*"))


def test_a_database_keeps_its_rows_and_loses_the_key_from_every_page(machine: Machine) -> None:
    machine.hermes()
    machine.provision("enroll", code=0)
    path, deleted = machine.home / "state.db", aisa_key()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, t TEXT UNIQUE, b BLOB, n INTEGER)")
        db.execute("CREATE VIRTUAL TABLE f USING fts5(t, content='m', content_rowid='id')")
        db.execute("CREATE TRIGGER i AFTER INSERT ON m BEGIN INSERT INTO f(rowid, t) VALUES (new.id, new.t); END")
        db.execute(
            "INSERT INTO m(t, b, n) VALUES (?, ?, 7)", (f"say {machine.key} loud", f"x:{machine.key}:y".encode())
        )
        db.execute("INSERT INTO m(t) VALUES ('harmless')")
        db.execute("INSERT INTO m(t) VALUES (?)", (f"gone {deleted}",))
        db.execute("DELETE FROM m WHERE t LIKE 'gone%'")
        db.commit()
        rows = db.execute("SELECT count(*) FROM m").fetchone()
    machine.provision("audit", "--fix", "--yes", code=0)
    raw = b"".join(p.read_bytes() for p in machine.home.glob("state.db*"))
    for key in (machine.key, deleted):
        assert key.encode() not in raw
        assert (
            max(key.removeprefix("sk-aisa-").replace("_", "-").split("-"), key=len).lower().encode() not in raw.lower()
        )
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM m").fetchone() == rows
        assert db.execute("SELECT t, b, n FROM m WHERE id = 1").fetchone() == (
            "say masked... loud",
            b"x:masked...:y",
            7,
        )
        assert db.execute("SELECT rowid FROM f WHERE f MATCH 'loud'").fetchall() == [(1,)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    machine.provision("audit", "--undo", "--yes", code=0)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT t FROM m WHERE id = 1").fetchone() == (f"say {machine.key} loud",)


def test_a_database_in_use_is_left_and_the_rest_is_fixed(machine: Machine) -> None:
    machine.hermes()
    machine.provision("enroll", code=0)
    path = machine.home / "state.db"
    log = machine.write(".hermes/logs/agent.log", machine.key)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE m (t TEXT)")
        db.execute("INSERT INTO m VALUES (?)", (machine.key,))
        db.commit()
        db.execute("BEGIN EXCLUSIVE")
        machine.provision("audit", "--fix", "--yes", code=10)
    assert "state.db cannot be backed up (it is in use) (stop Hermes" in machine.err
    assert machine.key.encode() in path.read_bytes()
    assert log.read_text() == "masked...", "one file in use does not stop the others"


def test_nothing_is_done_without_a_yes_or_a_recipient(machine: Machine) -> None:
    machine.hermes()
    machine.write(".hermes/logs/agent.log", machine.key)
    machine.provision("audit", "--fix", "--yes", code=1)
    assert "no age recipient to encrypt the backup to" in machine.err
    machine.provision("enroll", code=0)
    machine.provision("audit", "--fix", code=2)
    assert "--yes" in machine.err
    assert (machine.home / "logs/agent.log").read_text() == machine.key
    machine.provision("audit", "--undo", "--yes", code=3)


def test_the_backup_opens_for_operators_only(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.hermes()
    machine.write(".hermes/logs/agent.log", machine.key)
    secret, recipient = generate_identity()
    machine.provision("init", tmp_path / "ws", code=0)
    (tmp_path / "ws" / "keys.vault").write_bytes(new_vault([recipient]).serialised())
    machine.provision("--workspace", tmp_path / "ws", "audit", machine.home, "--fix", "--yes", code=0)
    assert "encrypted to the operators" in machine.err
    (backup,) = (machine.config / "fixes").glob("*.age")
    assert machine.key.encode() not in backup.read_bytes()
    machine.provision("audit", "--undo", "--yes", code=1)
    assert "none of your identities can open this file" in machine.err
    (tmp_path / "op.txt").write_bytes(identity_file(secret, recipient, "2026"))
    (tmp_path / "op.txt").chmod(0o600)
    done = undo_fix(last_record(machine.config / "fixes"), lambda: load_identities(tmp_path / "op.txt"))
    assert not done.left
    assert (machine.home / "logs/agent.log").read_text() == machine.key


def test_what_was_changed_since_is_not_put_back(machine: Machine) -> None:
    machine.hermes()
    log = machine.write(".hermes/logs/agent.log", machine.key)
    history = machine.write(".bash_history", machine.key)
    machine.provision("enroll", code=0)
    machine.provision("audit", "--fix", "--yes", code=0)
    log.write_text("newer\n")
    machine.provision("audit", "--undo", "--yes", code=4)
    assert "changed after the fix" in machine.err
    assert log.read_text() == "newer\n"
    assert history.read_text() == machine.key
    assert list((machine.config / "fixes").glob("*.age")), "the backup stays while something in it is not put back"


def test_a_fix_that_is_cut_short_can_be_taken_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is written before the first change, and after each: whatever was done can be undone."""
    secret, recipient = generate_identity()
    (machine.folder / "id.txt").write_bytes(identity_file(secret, recipient, "2026"))
    (machine.folder / "id.txt").chmod(0o600)
    files = [machine.write(f"f{number}", f"old {number}") for number in range(3)]
    changes = [FixChange(path, (), b"new", 0o600, was=path.read_bytes()) for path in files]

    class KilledError(BaseException):
        pass

    real, write, made = module.replace_unchanged, module.write_atomic, []

    def noted(path: Path, data: bytes) -> None:
        write(path, data)
        made.append(path)

    def killed(path: Path, was: bytes | None, data: bytes, mode: int, late: LateWriters) -> None:
        real(path, was, data, mode, late)
        made.append(path)
        if path == files[1]:
            raise KilledError

    monkeypatch.setattr(module, "write_atomic", noted)
    monkeypatch.setattr(module, "replace_unchanged", killed)
    with pytest.raises(KilledError):
        apply_fix(changes, Detector(()), machine.folder / "fixes", [recipient], datetime.now(UTC), clean=str)
    monkeypatch.setattr(module, "replace_unchanged", real)
    assert [p.read_text() for p in files] == ["new", "new", "old 2"]
    assert made[0].suffix == ".age", "nothing is changed before the backup is there"
    done = undo_fix(last_record(machine.folder / "fixes"), lambda: load_identities(machine.folder / "id.txt"))
    assert not done.left
    assert [p.read_text() for p in files] == ["old 0", "old 1", "old 2"]


def test_a_file_that_was_written_meanwhile_is_not_replaced(machine: Machine) -> None:
    _, recipient = generate_identity()
    path, other = machine.write("log", "one\n"), machine.write("other", "x")
    changes = [FixChange(other, (), b"y", 0o600, was=b"x"), FixChange(path, (), b"masked\n", 0o600, was=b"one\n")]
    path.write_text("one\ntwo\n")
    done = apply_fix(changes, Detector(()), machine.folder / "fixes", [recipient], datetime.now(UTC), clean=str)
    assert [left.path for left in done.left] == [str(path)]
    assert (path.read_text(), other.read_text()) == ("one\ntwo\n", "y")


def test_links_are_not_followed(machine: Machine) -> None:
    machine.hermes()
    machine.provision("enroll", code=0)
    real = machine.write("elsewhere/history", f"x {machine.key}\n")
    (machine.user / ".bash_history").symlink_to(real)
    (machine.home / "logs").mkdir()
    (machine.home / "logs" / "agent.log").symlink_to(real)
    machine.provision("audit", "--fix", "--yes")
    assert machine.key in real.read_text()
    assert (machine.user / ".bash_history").is_symlink()


def test_a_running_hermes_stops_the_fix(machine: Machine) -> None:
    machine.hermes()
    machine.write(".hermes/logs/agent.log", machine.key)
    machine.provision("enroll", code=0)
    fake = machine.write("bin/hermes", f"#!{sys.executable}\nimport time\ntime.sleep(60)\n", mode=0o700)
    with subprocess.Popen(
        [fake, "gateway"], env={"HERMES_HOME": str(machine.home), "PATH": os.environ["PATH"]}
    ) as process:
        try:
            while b"gateway" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                time.sleep(0.01)
            machine.provision("audit", "--fix", "--yes", code=1)
            assert f"(pid {process.pid})" in machine.err
        finally:
            process.kill()
    assert (machine.home / "logs" / "agent.log").read_text() == machine.key


def test_what_the_baseline_ignores_is_not_fixed(machine: Machine) -> None:
    machine.hermes()
    machine.provision("enroll", code=0)
    log = machine.write(".hermes/logs/agent.log", machine.key)
    baseline = machine.user / "baseline.json"
    machine.provision("audit", "--baseline", baseline, "--update-baseline", "--reason", "evidence", code=0)
    machine.provision("audit", "--baseline", baseline, "--fix", "--yes", code=0)
    assert "nothing can be fixed" in machine.err
    assert log.read_text() == machine.key


def test_modes_are_tightened(machine: Machine) -> None:
    machine.hermes()
    machine.provision("enroll", code=0)
    (machine.home / ".env").chmod(0o664)
    machine.home.chmod(0o777)
    rules = {f["rule"] for f in machine.audit(code=10)["findings"]}
    assert {"home-writable", "file-mode"} <= rules
    machine.provision("audit", "--fix", "--yes", code=0)
    assert stat.S_IMODE(machine.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((machine.home / ".env").stat().st_mode) == 0o600


def test_masking_twice_is_masking_once_and_bombs_are_left() -> None:
    detector, key = Detector(), aisa_key()
    for data in (
        f"a {key} b".encode(),
        gzip.compress(key.encode()),
        _zip({"a": key.encode()}),
        _tar({"a": key.encode()}),
    ):
        once = mask_content("x", data, detector)
        assert once != data
        assert mask_content("x", once, detector) == once
    nested = key.encode()
    for _ in range(9):
        nested = gzip.compress(nested)
    with pytest.raises(MaskError, match="nested more than 8 deep"):
        mask_content("x", nested, detector)
    with pytest.raises(MaskError, match="far more than its own size"):
        mask_content("x", gzip.compress(bytes(LARGEST_BYTES + 10), 1), detector)
    with pytest.raises(MaskError, match="damaged"):
        mask_content("x", b"\x1f\x8b\x08" + b"broken", detector)


def test_the_key_in_use_is_never_lost(machine: Machine) -> None:
    """The only copy stands in clear in `config.yaml`: afterwards it stands in `.env`."""
    machine.write(
        ".hermes/config.yaml",
        "model: {provider: 'custom:aisa', default: m}\n"
        f"providers: {{aisa: {{api: 'https://api.aisa.one/v1', api_key: {machine.key}}}}}\n"
        "_config_version: 33\n",
    )
    machine.provision("enroll", code=0)
    machine.provision("audit", "--fix", "--yes")
    assert (machine.home / ".env").read_text() == f"AISA_API_KEY={machine.key}\n"
    assert "key_env: AISA_API_KEY" in (machine.home / "config.yaml").read_text()
    assert leaks(machine.audit()) == []
    machine.provision("audit", "--undo", "--yes", code=0)
    assert not (machine.home / ".env").exists()
