"""`audit --fix` and `--undo` while Hermes writes: no line that another program writes is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import pytest
from auditcraft import aisa_key

import provision.audit.fix.replace as module
from provision.audit.fix.apply import FixResult, apply_fix, last_record, undo_fix
from provision.audit.fix.change import FixChange
from provision.audit.fix.replace import FileInUseError, LateWriters, replace_unchanged
from provision.detect.detector import Detector
from provision.keys.age import generate_identity, identity_file, load_identities

LINUX = sys.platform == "linux"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WRITER = """
import os, sys, time
path, style, number = sys.argv[1], sys.argv[2], 0
held = open(path, "a")
if style == "opens":
    held.close()
print("ready", flush=True)
while not os.path.exists(path + ".stop"):
    file = held if style == "holds" else open(path, "a")
    file.write(f"line {number}\\n")
    file.flush()
    if style == "opens":
        file.close()
        time.sleep(0.001)
    number += 1
    if style == "holds":
        time.sleep(0.01)
print(number)
"""


@contextmanager
def writing(path: Path, style: str) -> Iterator[list[int]]:
    """A program that appends to the file all the time; yields how many lines it wrote, once that is known."""
    written: list[int] = []
    with subprocess.Popen([sys.executable, "-c", WRITER, path, style], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        yield written
        Path(f"{path}.stop").touch()
        written.append(int(program.stdout.read()))


def fix(path: Path, key: str, folder: Path, turn: int) -> FixResult:
    was = path.read_bytes()
    change = FixChange(path, ("masked",), was.replace(key.encode(), b"[masked]"), 0o600, was=was)
    recipient = generate_identity()[1]
    at = NOW + timedelta(seconds=turn)
    return apply_fix([change], Detector(), folder, [recipient], at, clean=str)


@pytest.mark.skipif(not LINUX, reason="leases are Linux")
def test_a_history_that_is_written_all_the_time_keeps_every_line(tmp_path: Path) -> None:
    history, key = tmp_path / "history.jsonl", aisa_key()
    history.write_text("begin\n")
    fixed = refused = 0
    with LateWriters() as late, writing(history, "opens") as written:
        while (fixed < 100 or refused < 20) and fixed + refused < 5000:
            with history.open("a") as file:
                file.write(f"key {key}\n")
            was = history.read_bytes()
            try:
                replace_unchanged(history, was, was.replace(key.encode(), b"[masked]"), 0o600, late)
                fixed += 1
            except FileInUseError:
                refused += 1
        assert not late.finish()
    assert fixed >= 100
    lines = [line for line in history.read_text().splitlines() if line.startswith("line ")]
    assert sorted(lines) == sorted(f"line {number}" for number in range(written[0])), (
        "a late line may stand after newer ones"
    )
    assert not list(tmp_path.glob("*.provision-new"))


@pytest.mark.skipif(not LINUX, reason="leases are Linux")
def test_a_file_that_a_program_holds_open_for_writing_is_left(tmp_path: Path) -> None:
    history, key = tmp_path / "history.jsonl", aisa_key()
    history.write_text(f"key {key}\n")
    with writing(history, "holds") as written:
        result = fix(history, key, tmp_path / "fixes", 0)
        assert result.changed == ()
        assert any(why in result.left[0].why for why in ("another program is writing", "in the meantime"))
    assert history.read_text().count("line ") == written[0]
    assert fix(history, key, tmp_path / "fixes", 1).changed


@pytest.mark.skipif(not LINUX, reason="leases are Linux")
@pytest.mark.parametrize("when", ["compared", "exchanged"])
def test_lines_written_at_the_worst_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """A program that has opened the old file waits until the exchange is taken back, or its lines are carried over."""
    path = tmp_path / "history.jsonl"
    path.write_text("old\n")
    real, exchange = module._content, module.system_exchange()
    assert exchange is not None
    late = "import sys; open(sys.argv[1], 'a').write('late\\n')"
    program: list[subprocess.Popen[bytes]] = []

    def opened_meanwhile() -> None:
        if not program:
            program.append(subprocess.Popen([sys.executable, "-c", late, path]))
            while program[0].poll() is None and not _waits(program[0].pid):
                pass

    if when == "compared":
        monkeypatch.setattr(module, "_content", lambda file: (real(file), opened_meanwhile())[0])
        with pytest.raises(FileInUseError):
            replace_unchanged(path, b"old\n", b"new\n", 0o600, LateWriters())
        program[0].wait()
        assert path.read_text() == "old\nlate\n"
    else:
        held = path.open("a")  # opened before the lease was looked at: as if the lookup had come first
        monkeypatch.setattr(module, "_WAIT_S", 0.05)
        lease = module._Lease(lambda: held.closed, lambda: True, lambda: (held.write("late\n"), held.close())[1])
        with path.open("rb") as file:
            other = tmp_path / "other"
            other.write_text("new\n")
            exchange(str(other), str(path))
            lease.carry_over(path, file, len(b"old\n"))
        assert path.read_text() == "new\nlate\n"


@pytest.mark.skipif(not LINUX, reason="leases are Linux")
@pytest.mark.parametrize("closes", [True, False])
def test_a_program_that_opens_the_old_file_after_the_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    """It looked up the name before, and got to open it only later: its line is carried over, or the file is reported."""
    path, key = tmp_path / "history.jsonl", aisa_key()
    path.write_text(f"key {key}\n")
    opened: list[TextIO] = []

    def write_late(self: LateWriters) -> None:
        (replaced,) = self._replaced
        opened.append(Path(f"/proc/self/fd/{replaced.file.fileno()}").open("a"))  # noqa: SIM115  closed below
        opened[0].write("late\n")
        opened[0].flush()
        if closes:
            opened[0].close()

    monkeypatch.setattr(LateWriters, "make_room", write_late)
    result = fix(path, key, tmp_path / "fixes", 0)
    opened[0].close()
    assert bool(result.changed) is closes
    assert [left.why for left in result.left] == [
        "history.jsonl was replaced while another program had it open (stop Hermes, then compare the file with the backup)"
    ] * (not closes)
    assert path.read_text() == "key [masked]\n" + "late\n" * closes


def _waits(pid: int) -> bool:
    """Whether a process sleeps in the kernel because of a lease."""
    return "lease" in Path(f"/proc/{pid}/wchan").read_text() or "break_lease" in Path(f"/proc/{pid}/stack").read_text()


def test_an_undo_takes_back_only_what_the_fix_wrote(tmp_path: Path) -> None:
    """Not the lines written since, not a file that was not fixed, and after a kill at any record exactly what was changed."""
    private, recipient = generate_identity()
    (tmp_path / "identity").write_bytes(identity_file(private, recipient, str(NOW)))
    (tmp_path / "identity").chmod(0o600)
    identities = load_identities(tmp_path / "identity")
    fixed, busy, since = (tmp_path / name for name in ("fixed", "busy", "since"))
    for path in (fixed, busy, since):
        path.write_text("key\n")
    changes = [FixChange(path, ("masked",), b"masked\n", 0o600, was=b"key\n") for path in (fixed, busy, since)]
    with busy.open("a") as held:
        result = apply_fix(changes, Detector(), tmp_path / "fixes", [recipient], NOW, clean=str)
        held.write("a line of Hermes\n")
    if LINUX:
        assert [left.path for left in result.left] == [str(busy)]
    since.write_text("masked\nwritten since\n")
    undone = undo_fix(last_record(tmp_path / "fixes"), lambda: identities)
    assert fixed.read_text() == "key\n"
    assert busy.read_text() == "key\na line of Hermes\n"
    assert since.read_text() == "masked\nwritten since\n"
    assert [left.path for left in undone.left] == [str(since)]
