"""The event log on disk: appended to whole, mended after a crash, anchored to the vault; and the commands that show it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import seeded

from provision.cli.main import run
from provision.keys.age import generate_identity, load_identities
from provision.keys.events.log import Event, EventLogError, append, log_path, read_events, verify_log
from provision.keys.events.text import event_line, parse_line
from provision.keys.vault.file import editing, read_vault
from provision.keys.vault.ledger import Stage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _event(what: str, **fields: object) -> Event:
    return Event(NOW, "alice@ops", what, **fields)  # type: ignore[arg-type]


def _key() -> str:
    return "sk-aisa-CANARY" + seeded.token_urlsafe(32)[:37]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "fleet"
    assert run(["--quiet", "init", str(folder)]) == 0
    users = "".join(f"  - {{id: {user}, profile: engineering, recipients: []}}\n" for user in ("ada", "bob", "cat"))
    (folder / "inventory.yaml").write_text(f"users:\n{users}")
    monkeypatch.chdir(folder)
    return folder


def _import(folder: Path, *users: str) -> dict[str, str]:
    keys = {user: _key() for user in users}
    file = folder.parent / "new.csv"
    file.write_text("".join(f"{user},{key}\n" for user, key in keys.items()))
    assert run(["-q", "keys", "import", str(file)]) == 0
    return keys


def _identities(folder: Path) -> list:
    return load_identities(folder.parent / "config" / "identity.txt")


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_last_line_is_removed_and_that_is_recorded(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events.jsonl"
    append(path, [_event("one"), _event("two")])
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    torn = last[: len(last) * cut // 12]
    path.write_bytes(whole[: len(whole) - len(last) - 1] + torn)
    found = verify_log(path)
    assert (found.count, found.torn_bytes, found.faults) == (2, len(torn), ())
    assert append(path, [_event("three")]).cut_bytes == len(torn)
    assert [each.event.what for each in read_events(path)][-2:] == [
        "log repaired: a torn last line was removed",
        "three",
    ]
    assert verify_log(path).faults == ()


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, [_event("one")])
    path.write_bytes(path.read_bytes()[:-1])
    assert append(path, [_event("two")]).cut_bytes == 0
    assert [each.event.what for each in read_events(path)] == ["log begins", "one", "two"]
    assert verify_log(path).faults == ()


def test_an_altered_end_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    append(path, [_event("one")])
    for end in (b"<<<<<<< HEAD\n", b"{}\n", b"\x00" * 99 + b"\n"):
        damaged = path.read_bytes() + end
        other = tmp_path / "damaged.jsonl"
        other.write_bytes(damaged)
        with pytest.raises(EventLogError) as caught:
            append(other, [_event("two")])
        assert "keys log --verify" in caught.value.hint
        assert other.read_bytes() == damaged


def test_keys_are_masked_even_when_a_caller_hands_them_over(tmp_path: Path) -> None:
    path, key = tmp_path / "events.jsonl", _key()
    append(path, [_event(f"used {key}", user=key, detail={"why": f"Bearer {key}"})])
    assert key[12:30] not in path.read_text()


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    threads = [
        threading.Thread(target=lambda n=n: [append(path, [_event(f"{n}.{i}")]) for i in range(10)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verify_log(path)
    assert (found.count, found.faults) == (41, ())


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from provision.keys.events.log import Event, append
for i in range(10_000):
    append(Path(sys.argv[1]), [Event(datetime.now(UTC), "w", f"{i}.{j}") for j in range(20)])
    print(i, flush=True)
"""


def test_a_writer_killed_at_any_instant_leaves_a_log_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    acknowledged = 0
    for round_ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(3 + round_):
            acknowledged += bool(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += len(writer.stdout.readlines())
        writer.wait()
        writer.stdout.close()
        assert verify_log(path).faults == ()
    append(path, [_event("after")])
    found = verify_log(path)
    assert found.faults == ()
    assert found.count >= 20 * acknowledged, "what was acknowledged is there"


def test_every_change_of_the_vault_is_in_the_log(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = _import(workspace, "ada", "bob")
    _import(workspace, "ada")
    assert run(["-q", "keys", "demo", "bob", "--until", "2999-01-01"]) == 0
    recipient = "age1ncl2fjcug7jh3v7myxquaaaye8v2jm6j940awndzz75thzvyn5rsmdp586"
    assert run(["-q", "operators", "add", "zoe", recipient]) == 0
    assert run(["-q", "operators", "remove", "zoe"]) == 0
    told = [(each.event.what, each.event.user) for each in read_events(log_path(workspace / "keys.vault"))]
    assert told == [
        ("log begins", ""),
        ("vault made", ""),
        ("key added", "ada"),
        ("key added", "bob"),
        ("key became previous", "ada"),
        ("key added", "ada"),
        ("demo key", "bob"),
        ("operator added", ""),
        ("operator removed, vault sealed again", ""),
    ]
    text = (workspace / "events.jsonl").read_text()
    assert not any(key[8:20] in text for key in keys.values())
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 0
    assert "the chain is intact: 9 events" in capsys.readouterr().out
    assert run(["keys", "log", "nobody"]) == 3
    capsys.readouterr()
    assert run(["keys", "log", "ada", "--format", "json"]) == 0
    assert [each["what"] for each in json.loads(capsys.readouterr().out)["events"]] == [
        "key added",
        "key became previous",
        "key added",
    ]


def test_a_render_records_each_key_that_is_new_in_a_bundle(workspace: Path) -> None:
    _, recipient = generate_identity()
    users = "".join(f"  - {{id: {user}, profile: engineering, recipients: [{recipient}]}}\n" for user in ("ada", "bob"))
    (workspace / "inventory.yaml").write_text(f"users:\n{users}")

    def rendered(*options: str) -> list[str]:
        assert run(["-q", "render", *options]) == 0
        found = [each.event for each in read_events(workspace / "events.jsonl") if each.event.what == "key rendered"]
        current = read_vault(workspace / "keys.vault")
        assert all(current.find(event.fingerprint) for event in found)
        return [event.user for event in found]

    _import(workspace, "ada", "bob")
    assert rendered() == ["ada", "bob"]
    assert rendered() == ["ada", "bob"]
    assert rendered("--force") == ["ada", "bob"], "the same keys again are no event"
    _import(workspace, "bob")
    assert rendered() == ["ada", "bob", "bob"]
    assert run(["-q", "keys", "log", "--verify"]) == 0


def test_a_log_cut_off_at_its_end_is_behind_the_vault(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _import(workspace, "ada")
    _import(workspace, "bob")
    log = workspace / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 10
    assert "its end was cut off" in capsys.readouterr().out
    log.unlink()
    assert run(["keys", "log", "--verify", "--format", "json"]) == 10
    assert json.loads(capsys.readouterr().out)["verified"]["intact"] is False
    _import(workspace, "cat")
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 0
    assert "the log starts at generation 3 of the vault" in capsys.readouterr().out


def test_a_change_that_was_never_saved_is_told_by_the_next(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = workspace / "keys.vault"

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    _import(workspace, "ada")

    def change() -> None:
        with editing(vault, _identities(workspace), "test") as opened:
            opened.set_label("ada", 1, "never")

    with monkeypatch.context() as patched:
        patched.setattr("provision.keys.vault.file.write_atomic", dies)
        with pytest.raises(KeyboardInterrupt):
            change()
    generation = read_vault(vault).generation
    assert "was not saved (a crash)" in verify_log(log_path(vault), generation).faults[0].what
    with editing(vault, _identities(workspace), "test") as opened:
        opened.set_stage("ada", 1, Stage.RETIRED)
    told = [each.event.what for each in read_events(log_path(vault))]
    assert told[-2:] == [
        "vault is behind the log: a change was not saved, or an older vault was restored",
        "key became retired",
    ]
    assert verify_log(log_path(vault), generation + 1).faults == ()


def test_two_branches_logs_become_one_chain(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _import(workspace, "ada")
    names = ("keys.vault", "events.jsonl")
    before = {name: (workspace / name).read_bytes() for name in names}
    _import(workspace, "bob")
    theirs = {name: tmp_path / f"theirs-{name}" for name in names}
    for name, path in theirs.items():
        path.write_bytes((workspace / name).read_bytes())
        (workspace / name).write_bytes(before[name])
    _import(workspace, "cat")
    merge = ["keys", "merge", str(theirs["keys.vault"]), "--log", str(theirs["events.jsonl"])]
    assert run(merge) == 0
    assert "git add keys.vault events.jsonl" in capsys.readouterr().err
    told = [
        (each.event.what, each.event.user, each.event.detail.get("command"))
        for each in read_events(workspace / names[1])
    ]
    assert told[3:] == [
        ("key added", "cat", "keys import"),
        ("key added", "bob", "keys merge"),
        ("key added", "bob", "keys import"),
    ]
    assert run(["keys", "log", "--verify"]) == 0
    assert run(merge) == 0
    assert len(list(read_events(workspace / names[1]))) <= len(told) + 1, "what was taken over is not taken over again"
    altered = theirs["events.jsonl"]
    altered.write_bytes(altered.read_bytes().replace(b'"user":"bob"', b'"user":"eve"'))
    assert run(merge) == 1


def test_a_log_that_cannot_be_written_stops_the_change(workspace: Path) -> None:
    (workspace / "events.jsonl").unlink()
    (workspace / "events.jsonl").mkdir()
    before = (workspace / "keys.vault").read_bytes()
    file = workspace.parent / "new.csv"
    file.write_text(f"ada,{_key()}\n")
    assert run(["-q", "keys", "import", str(file)]) == 1
    assert (workspace / "keys.vault").read_bytes() == before


def test_the_limit_of_a_profile_makes_old_keys_errors(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with editing(workspace / "keys.vault", _identities(workspace), "test") as vault:
        from provision.detect.secret import Secret

        for user, days in (("ada", 100), ("bob", 40), ("eve", 1)):
            vault.add(user, Secret(_key()), now=datetime.now(UTC) - timedelta(days=days))
    assert run(["check", "--format", "json"]) == 0, "without a limit of the profile it is advice"
    told = {p["rule"]: p for p in json.loads(capsys.readouterr().out)["problems"]}
    assert told["key-overdue"]["severity"] == "warning"
    assert told["key-without-user"]["severity"] == "warning"
    assert run(["keys", "policy"]) == 0
    profile = workspace / "profiles" / "engineering.yaml"
    profile.write_text(profile.read_text() + "key_max_age_days: 30\n")
    assert run(["check"]) == 10
    out = capsys.readouterr().out
    assert "the current key of bob (version 1) is 40 days old; its profile allows 30" in out
    assert run(["keys", "policy", "--format", "json"]) == 10
    policy = json.loads(capsys.readouterr().out)
    (row,) = policy["profiles"]
    assert (row["max_age_days"], row["keys"], row["oldest_days"], row["overdue"]) == (30, 2, 100, 2)
    assert {each["user"] for each in policy["findings"]} == {"ada", "bob", "eve"}


def test_a_demo_key_past_its_day_is_an_error_until_it_is_retired(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _import(workspace, "ada", "bob", "cat")
    assert run(["-q", "keys", "demo", "ada", "bob", "--until", "2999-01-01"]) == 0
    assert run(["-q", "keys", "demo"]) == 0
    with editing(workspace / "keys.vault", _identities(workspace), "test") as vault:
        vault.set_demo("ada", 1, datetime.now(UTC).date() - timedelta(days=1))
    capsys.readouterr()
    assert run(["keys", "demo"]) == 10
    assert "expired" in capsys.readouterr().out
    assert run(["check"]) == 10
    assert "is a demo key that expired on" in capsys.readouterr().out
    _import(workspace, "ada")
    assert run(["check"]) == 10, "replaced, and it still spends"
    with editing(workspace / "keys.vault", _identities(workspace), "test") as vault:
        vault.set_stage("ada", 1, Stage.RETIRED)
    assert run(["check"]) == 0
    assert run(["keys", "demo", "nobody", "--until", "2999-01-01"]) == 3


def test_a_damaged_vault_is_a_finding_of_check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "keys.vault").write_text("<<<<<<< HEAD\n")
    assert run(["check"]) == 10
    assert "[bad-vault]" in capsys.readouterr().out


def test_events_cut_off_the_end_are_noticed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also events that changed nothing in the vault, once a bundle or the vault has recorded a later end."""
    _import(workspace, "ada")
    log = workspace / "events.jsonl"
    append(log, [_event("a remark that changes no key")])
    _import(workspace, "bob")
    whole = log.read_bytes().splitlines(keepends=True)
    count, head = read_vault(workspace / "keys.vault").header.log_head or (0, "")
    assert (count, head) == (len(whole), json.loads(whole[-1])["sha256"])
    assert run(["keys", "log", "--verify"]) == 0
    log.write_bytes(b"".join(whole[:-1]))
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 10
    assert "its end was cut off" in capsys.readouterr().out


def test_a_log_rewritten_from_the_start_is_noticed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _import(workspace, "ada")
    log = workspace / "events.jsonl"
    events = [each.event for each in read_events(log)]
    log.unlink()
    append(log, [Event(e.at, "mallory@ops", e.what, e.user, e.fingerprint, e.detail, e.generation) for e in events[1:]])
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 10
    assert "the log was rewritten" in capsys.readouterr().out


def test_a_bundle_that_knows_a_later_end_shows_that_the_log_was_cut(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipient = generate_identity()[1]
    users = f"  - {{id: ada, profile: engineering, recipients: [{recipient}]}}\n"
    (workspace / "inventory.yaml").write_text(f"users:\n{users}")
    _import(workspace, "ada")
    log = workspace / "events.jsonl"
    append(log, [_event("somebody looked at a key")])
    assert run(["-q", "render"]) == 0
    bundle = (workspace / "dist" / "ada" / "manifest.json").read_bytes()
    assert json.loads(bundle)["log_head"]["count"] == len(log.read_bytes().splitlines()) - 1
    append(log, [_event("another remark")])
    assert run(["-q", "render"]) == 0
    assert (workspace / "dist" / "ada" / "manifest.json").read_bytes() == bundle  # the head alone renews nothing
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    capsys.readouterr()
    assert run(["keys", "log", "--verify"]) == 10
    assert "dist/ada/manifest.json knows" in capsys.readouterr().out


def test_a_published_feed_shows_that_vault_bundles_and_log_were_put_back_together(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when nothing in the workspace knows the later end any more; and a part that is not signed proves nothing."""
    recipient = generate_identity()[1]
    (workspace / "inventory.yaml").write_text(
        f"users:\n  - {{id: ada, profile: engineering, recipients: [{recipient}]}}\n"
    )
    _import(workspace, "ada")
    before = {path: path.read_bytes() for path in (workspace / "keys.vault", workspace / "events.jsonl")}
    _import(workspace, "ada")
    feed = workspace.parent / "feed"
    assert run(["-q", "render"]) == 0
    assert run(["-q", "publish", str(feed)]) == 0
    assert run(["keys", "log", "--verify", "--feed", str(feed)]) == 0
    for path, data in before.items():
        path.write_bytes(data)
    shutil.rmtree(workspace / "dist")
    assert run(["keys", "log", "--verify"]) == 0
    capsys.readouterr()
    assert run(["keys", "log", "--verify", "--feed", str(feed)]) == 10
    assert f"{feed}/index/" in (said := capsys.readouterr().out)
    assert "its end was cut off" in said
    (part,) = (feed / "index").iterdir()
    part.write_bytes(part.read_bytes().replace(b'"version"', b'"Version"'))
    assert run(["keys", "log", "--verify", "--feed", str(feed)]) == 4
    assert f"{part}: not read" in capsys.readouterr().err
    assert run(["keys", "log", "--verify", "--feed", str(workspace)]) == 3
    assert run(["keys", "log", "--feed", str(feed)]) == 2


@pytest.mark.parametrize("cut", ["removed", "emptied", "shortened", "rewritten"])
def test_a_log_that_is_shorter_than_the_vault_records_is_noticed_by_every_command_that_reads_it(
    workspace: Path, capsys: pytest.CaptureFixture[str], cut: str
) -> None:
    """An older vault could be put back together with the log's removal."""
    log = workspace / "events.jsonl"
    _import(workspace, "ada")
    lines = log.read_bytes().splitlines(keepends=True)
    if cut == "removed":
        log.unlink()
    elif cut == "rewritten":
        before, last = (parse_line(line.rstrip(b"\n")) for line in lines[-2:])
        changed, _ = event_line(replace(last.event, who="eve"), last.number, before.sha256)
        log.write_bytes(b"".join(lines[:-1]) + changed)
    else:
        log.write_bytes(b"".join(lines[:-1]) if cut == "shortened" else b"")
    said = "rewritten" if cut == "rewritten" else "its end was cut off, or it was removed"
    commands = (
        (["keys", "list"], {0}),
        (["check"], {1, 10}),
        (["reconcile", "--dry-run"], {0, 4}),
        (["render"], {0, 4}),
    )
    for words, codes in commands:
        capsys.readouterr()
        assert run(words) in codes, words
        shown = capsys.readouterr()
        assert said in shown.out + shown.err, words


@pytest.mark.parametrize("how", ["changed", "removed", "inserted", "rewritten to the end", "recorded head"])
def test_a_change_in_the_middle_of_the_log_is_noticed_by_check_and_doctor(
    workspace: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    log = workspace / "events.jsonl"
    _import(workspace, "ada", "bob")
    lines = log.read_bytes().splitlines(keepends=True)
    recorded = [parse_line(line.rstrip(b"\n")) for line in lines]
    before = recorded[1].sha256
    if how in {"rewritten to the end", "recorded head"}:
        for at, each in enumerate(recorded[2:], 2):
            lines[at], before = event_line(replace(each.event, who="eve"), each.number, before)
        if how == "recorded head":  # of a log that goes on, as after a crash between log and vault
            lines.append(event_line(recorded[-1].event, len(lines) + 1, before)[0])
    elif how == "changed":
        lines[2] = lines[2].replace(b'"who":"', b'"who":"x', 1)
    else:
        lines[2:3] = [] if how == "removed" else [lines[2], lines[2]]
    log.write_bytes(b"".join(lines))
    for command in ("check", "doctor"):
        capsys.readouterr()
        assert run([command]) in (1, 10)
        shown = "".join(capsys.readouterr())
        assert "events.jsonl" in shown, command
        assert "changed" in shown or "rewritten" in shown or "is not the one" in shown, command


def test_an_older_vault_put_back_is_noticed_by_every_command_that_reads_it(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = workspace / "keys.vault"
    old = vault.read_bytes()
    _import(workspace, "ada")
    between = vault.read_bytes()
    _import(workspace, "bob")
    vault.write_bytes(between)  # one generation: perhaps only a crash
    capsys.readouterr()
    assert run(["keys", "list"]) == 0
    assert "an older vault was put back, or a crash" in capsys.readouterr().err
    assert run(["render"]) in (0, 4)
    assert "an older vault was put back, or a crash" in capsys.readouterr().err
    vault.write_bytes(old)
    assert run(["keys", "list"]) == 0
    assert "an older vault was put back" in capsys.readouterr().err
    assert run(["check"]) != 0
    shown = capsys.readouterr()
    assert "an older vault was put back" in shown.out + shown.err
    for words in (["render"], ["reconcile"]):
        assert run(words) not in (0, 4), words
        assert "an older vault was put back" in capsys.readouterr().err, words
