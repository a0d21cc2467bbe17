"""No output of an audit holds a secret: not a finding, format, log, baseline, record or error; not eight characters of one.

The corpus plants secrets of every kind in every lane; names of files, settings, tables and members of archives hold some too.
What may be seen of a key is its mask: the first and the last four characters.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import corpus
import pytest
from auditcraft import Machine, aisa_key
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.audit.baseline import update_baseline, write_baseline
from provision.cli.context import Run
from provision.cli.leaks.audit.output import audit_text
from provision.cli.leaks.audit.scan import ScanOptions, scan_machine
from provision.detect.known import USUAL_PREFIXES
from provision.detect.known_file import parse_known_keys
from provision.report.formats import Format

PIECE = 8
LANES = {lane.__name__.replace("_", "-") for lane in corpus.LANES} - {"chunk-borders", "long-line"}
"""All but the two that are large, and the same as `bare` otherwise."""
PUBLIC = (
    *USUAL_PREFIXES,
    "-----BEGIN",
    "PRIVATE KEY-----",
    "-----END",
    "github_pat_",
    "AGE-SECRET-KEY-1",
    "b3BlbnNzaC1rZXktdjE",
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, monkeypatch, capfd)


def pieces(secret: str) -> set[str]:
    """Every eight characters of a secret that are not public anyway."""
    found = {secret[i : i + PIECE] for i in range(len(secret) - PIECE + 1)} or {secret}
    return {p for p in found if not any(p in public for public in PUBLIC) and len(set(p)) > 3}


def oddly_named(machine: Machine) -> list[str]:
    """Keys in unexpected places: in names."""
    keys = [aisa_key() for _ in range(7)]
    machine.write(f"odd/{keys[0]}.txt", f"see {keys[0]}\n")
    machine.write("odd/settings.yaml", f"{keys[1]}: {{api_key: {keys[1]}}}\n")
    with closing(sqlite3.connect(machine.user / "odd" / "notes.db")) as db:
        db.execute(f'CREATE TABLE "{keys[2]}" (token TEXT)')
        db.execute(f'INSERT INTO "{keys[2]}" VALUES (?)', (keys[2],))
        db.commit()
    with zipfile.ZipFile(machine.user / "odd" / "old.zip", "w") as archive:
        archive.writestr(f"{keys[3]}/.env", f"KEY={keys[3]}\n")
    machine.write(f"odd/{keys[4]}.zip", b"PK\x03\x04 broken")
    machine.write(
        ".hermes/config.yaml",
        f"model: {{provider: custom, api_key: {keys[5]}, base_url: 'https://x.example/{keys[5]}'}}\n",
    )
    machine.write(".hermes/.env", f"CUSTOM_BASE_URL=https://u:{keys[6]}@x.example/v1\n", mode=0o644)
    (machine.user / "odd" / f"link-{keys[4]}").symlink_to("/nowhere")
    return keys


def test_nothing_that_an_audit_says_holds_a_secret(machine: Machine, tmp_path: Path) -> None:
    planted = corpus.build(machine.user / "corpus", seed=11, rounds=1, lanes=LANES)
    secrets = {p.value for p in planted.planted} | set(oddly_named(machine))
    known = tmp_path / "known.json"
    known.write_bytes(planted.known().dump())
    said = {"known keys": known.read_text()}
    targets = (machine.user / "corpus", machine.user / "odd", machine.home)
    baseline = tmp_path / "base.json"
    arguments = (*targets, "--known", known, "--entropy", "--all", "--output", tmp_path / "report.json")
    machine.provision("--verbose", "audit", *arguments, "--format", "json", code=10)
    said |= {"json": (tmp_path / "report.json").read_text(), "stderr": machine.out + machine.err}
    wanted = ScanOptions(targets, False, known, None, True, None, None, "low", "low")
    looked = scan_machine(Run(), None, wanted)
    audit = looked.audit({})
    describe = looked.raw.context.describe
    said |= {
        str(name): "".join(audit_text(audit, describe, name, everything=True)) for name in Format if name != "yaml"
    }
    said["repr"] = repr((audit, looked))
    write_baseline(baseline, update_baseline((), audit.findings, looked.started.date(), "known", None).entries)
    said["baseline"] = baseline.read_text()
    machine.provision("audit", "--merge", tmp_path / "report.json", code=10)
    said["merged"] = machine.out + machine.err
    machine.provision("enroll", code=0)
    machine.provision("audit", *targets, "--known", known, "--fix", "--yes")
    said["fix"] = machine.out + machine.err
    said["records"] = "".join(p.read_text() for p in (machine.config / "fixes").glob("*.json"))
    machine.provision("audit", "--undo", "--yes")
    said["undo"] = machine.out + machine.err

    assert len(said["json"]) > 10_000, "there was something to find"
    for name, text in said.items():
        held = {p for secret in secrets for p in pieces(secret) if p in text}
        assert not held, f"{name} holds {len(held)} pieces: {[_around(text, p) for p in sorted(held)[:3]]}"


def _around(text: str, piece: str) -> str:
    at = text.index(piece)
    return text[max(0, at - 60) : at + 40]


@pytest.mark.programs("strace")
def test_no_program_is_started_with_a_secret_or_writes_one_into_a_temporary_file(
    machine: Machine, tmp_path: Path
) -> None:
    machine.hermes()
    with zipfile.ZipFile(machine.home / "backup.zip", "w") as archive:
        archive.writestr("state.env", f"KEY={machine.key}\n")
        inner = tmp_path / "inner.db"
        with closing(sqlite3.connect(inner)) as db:
            db.execute("CREATE TABLE t (x TEXT)")
            db.execute("INSERT INTO t VALUES (?)", (machine.key,))
            db.commit()
        archive.write(inner, "state.db")
    inner.unlink()
    machine.write(".hermes/logs/agent.log", f"{machine.key}\n")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    machine.provision("enroll", code=0)
    strace = shutil.which("strace")
    assert strace, "this test needs strace"
    trace = tmp_path / "trace"
    calls = "trace=openat,execve,write,pwrite64,writev"
    program = [sys.executable, "-m", "provision", "audit", "--fix", "--yes"]
    line = [strace, "--seccomp-bpf", "-f", "-y", "-s", "100000", "-e", calls, "-o", str(trace), *program]
    done = subprocess.run(
        line, env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    guilty = [
        text[:160]
        for text in trace.read_text(errors="replace").splitlines()
        if machine.key in text and ("execve(" in text or "write" in text.split("(")[0])
    ]
    assert not [text for text in guilty if "pipe:" not in text], guilty


COPIES = """#!{python}
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
variables = pathlib.Path(words[words.index("--extra-vars") + 1].removeprefix("@"))
shutil.copytree(variables.parent, {out!r})
pathlib.Path({out!r}, "words").write_text(json.dumps([words, dict(os.environ), sys.stdin.read()]))
"""


def test_the_machines_of_a_fleet_get_fingerprints_and_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that Ansible is given: its folder, words, environment and input. Former keys count, too."""
    with Simulator() as sim:
        fleet = Fleet(tmp_path, sim)
        new = fleet.new_keys()
        fleet.provision("keys", "import", fleet.keys_file(new))
        keys = [key for pair in zip(fleet.keys.values(), new.values(), strict=True) for key in pair]
        fleet.provision("machines", "set", "ada", "--host", "ada.example")
    program, out = tmp_path / "ansible-playbook", tmp_path / "given"
    program.write_text(COPIES.format(python=sys.executable, out=str(out)))
    program.chmod(0o755)
    monkeypatch.setattr("provision.push.auditing.find_playbook_command", lambda _: program)
    assert fleet.provision("audit", "--hosts", "-f", "json") == 4, "the machine did not answer"
    given = {path: path.read_text(errors="replace") for path in out.rglob("*") if path.is_file()}
    known = parse_known_keys(given[out / "known.json"].encode())
    for key in keys:
        assert known.find(key) is not None
        assert [path for path, text in given.items() if any(piece in text for piece in pieces(key))] == []
