"""What a fix changes, and what it does not touch and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from leakcraft import LiteralDetector, context, literal, match, raw

from provision.audit.fix import plan
from provision.audit.fix.plan import plan_fix
from provision.audit.homes import HomeReport
from provision.audit.leaks import collect_leaks
from provision.audit.locations import AuditedHome, MachineLayout
from provision.audit.result import Counts
from provision.audit.run import RawAudit
from provision.containers.blob import ContentKind

KEY = literal(1)


@pytest.fixture(autouse=True)
def homes_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that Hermes reads are fixed by another module."""
    monkeypatch.setattr(plan, "fix_home", lambda *_: ([], []))


def audit_of(tmp_path: Path, kind: ContentKind = ContentKind.TEXT, **files: bytes) -> RawAudit:
    """An audit that found `KEY` in these files; `__` in a name is a dot, `_in_` a slash."""
    raws = []
    for name, data in files.items():
        path = tmp_path / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
        raws += [raw(str(path), match(KEY.decode()), kind=kind)] * data.count(KEY)
    home = AuditedHome(tmp_path / "home")
    here = context(MachineLayout((home,)))
    found = collect_leaks(raws, here)
    return RawAudit(found.leaks, HomeReport((home,)), here, LiteralDetector(), Counts(), ())  # type: ignore[arg-type]


def planned(audit: RawAudit) -> tuple[dict[str, bytes | None], dict[str, str]]:
    result = plan_fix(audit, lambda *_: {})
    return {c.path.name: c.data for c in result.changes}, {Path(n.path).name: n.why for n in result.left}


def test_copies_in_a_home_and_notes_are_masked(tmp_path: Path) -> None:
    audit = audit_of(
        tmp_path,
        home_in_logs_in_a__log=b"x " + KEY + b" y " + KEY,
        home_in_notes__md=KEY,
        home_in_tool__py=KEY,
        __bash_history=b"run " + KEY,
        app__log=KEY,
    )
    changes, left = planned(audit)
    assert changes == {"a.log": b"x masked... y masked...", "notes.md": b"masked...", ".bash_history": b"run masked..."}
    assert left == {
        "tool.py": "a program may need it there: remove it by hand",
        "app.log": "it does not belong to Hermes: mask it with "
        f"`provision redact --in-place {tmp_path / 'app.log'}`, or delete it",
    }
    assert ("2 secrets masked",) in [change.lines for change in plan_fix(audit, lambda *_: {}).changes]


def test_git_history_is_never_changed(tmp_path: Path) -> None:
    changes, left = planned(audit_of(tmp_path, ContentKind.GIT, home_in_logs_in_a__log=KEY))
    assert changes == {}
    assert "never rewritten" in left["a.log"]


def test_a_journal_counts_as_its_database(tmp_path: Path) -> None:
    audit = audit_of(tmp_path, ContentKind.SQLITE, home_in_state__db=b"SQLite format 3\0" + KEY)
    (tmp_path / "home" / "state.db-wal").write_bytes(KEY)
    wal = raw(str(tmp_path / "home" / "state.db-wal"), match(KEY.decode()), kind=ContentKind.SQLITE)
    both = collect_leaks([*(leak.raw for leak in audit.leaks), wal], audit.context)
    (change,) = plan_fix(
        RawAudit(both.leaks, audit.home, audit.context, audit.detector, Counts(), ()), lambda *_: {}
    ).changes
    assert (change.path.name, change.database, change.data) == ("state.db", True, None)
    assert change.lines == ("2 secrets masked", "rewritten without free pages")


def test_links_and_secrets_that_cannot_be_found_again_are_not_changed(tmp_path: Path) -> None:
    audit = audit_of(tmp_path, home_in_logs_in_a__log=KEY, home_in_logs_in_b__log=KEY)
    link = tmp_path / "home" / "logs" / "a.log"
    link.rename(tmp_path / "real.log")
    link.symlink_to(tmp_path / "real.log")
    (tmp_path / "home" / "logs" / "b.log").write_bytes(b"no longer there")
    changes, left = planned(audit)
    assert changes == {}
    assert left == {
        "a.log": "it is a symbolic link: fix its target",
        "b.log": "the secret cannot be separated from the rest of the file: remove it by hand",
    }


def test_modes_of_secret_files_become_private(tmp_path: Path) -> None:
    audit = audit_of(tmp_path)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / ".env").touch()
    (home / ".env").chmod(0o644)
    home.chmod(0o777)
    assert {c.path.name: (c.mode, c.lines) for c in plan_fix(audit, lambda *_: {}).changes} == {
        "home": (0o700, ("mode 0777 becomes 0700",)),
        ".env": (0o600, ("mode 0644 becomes 0600",)),
    }
