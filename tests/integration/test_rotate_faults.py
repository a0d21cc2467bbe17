"""What goes wrong in a rotation: each fault ends in a named state with a cure, exit 4 or 10, and nothing is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rotatecraft import Fleet, new_key

from provision.aisa import retry
from provision.aisa.simulator import KeyState, ModelFault, Reply, Simulator
from provision.cli.main import run
from provision.rotate.model import stamp

GO = ("--yes", "--idle-for", "0", "--waves", "100%")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.01, 0.01))


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


def start(fleet: Fleet, keys: dict[str, str], *more: str) -> int:
    return fleet.provision("rotate", "start", "--from", fleet.keys_file(keys), *GO, *more)


def resume(fleet: Fleet, *more: str) -> int:
    return fleet.provision("rotate", "resume", "--receipts", str(fleet.drop), *more)


def to_the_end(fleet: Fleet) -> None:
    """Everything is mended: the rotation goes on to its end by itself."""
    for _ in range(6):
        fleet.poll()
        assert resume(fleet) == 0
        fleet.nobody_without_a_key()
        fleet.revoke_listed()
    assert set(fleet.states().values()) == {"retired"}
    assert fleet.provision("rotate", "finish") == 0


def untouched(fleet: Fleet) -> None:
    """Nothing was begun."""
    assert all(fleet.stages(user) == ["current"] for user in fleet.users)
    assert not fleet.journals()


def test_a_gateway_that_is_down_for_a_while(fleet: Fleet, sim: Simulator) -> None:
    port, requests = sim.port, len(sim.requests)
    (fleet.root / "profiles" / "team.yaml").write_text("model: gpt-5.2\nbase_url: http://127.0.0.1:9/v1\n")
    keys = fleet.new_keys()
    assert start(fleet, keys) == 4
    assert set(fleet.states().values()) == {"pending"}
    assert fleet.trouble("ada")["cause"] == "gateway-unreachable"
    assert "resume" in fleet.trouble("ada")["cure"]
    assert len(sim.requests) == requests
    (fleet.root / "profiles" / "team.yaml").write_text(f"model: gpt-5.2\nbase_url: http://127.0.0.1:{port}/v1\n")
    to_the_end(fleet)


def test_a_silent_gateway_is_not_asked_for_everybody(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim, [f"user{n:02}" for n in range(40)])
    (fleet.root / "profiles" / "team.yaml").write_text("model: gpt-5.2\nbase_url: http://127.0.0.1:9/v1\n")
    assert start(fleet, fleet.new_keys()) == 4
    assert "users not checked" in fleet.out
    troubled = [user for user in fleet.status()["users"] if user["trouble"]]  # type: ignore[attr-defined,index]
    assert 8 <= len(troubled) < 40


@pytest.mark.parametrize("fault", ["502", "authentication_unavailable"])
def test_what_says_nothing_about_a_key_is_no_verdict(fleet: Fleet, sim: Simulator, fault: str) -> None:
    if fault == "502":
        sim.script(Reply(502, b"bad gateway", "text/plain"), path="/v1/credits/balance")
    else:
        sim.configure(auth_available=False)
    assert start(fleet, fleet.new_keys()) == 4
    assert set(fleet.states().values()) == {"pending"}
    assert fleet.trouble("bob")["grade"] == "unknown"
    assert all(fleet.stages(user) == ["current", "pending"] for user in fleet.users)
    sim.clear_faults()
    to_the_end(fleet)


@pytest.mark.parametrize("fault", ["502", "authentication_unavailable", "timeout", "everybody refused", "403"])
def test_only_a_401_beside_a_live_key_proves_death(fleet: Fleet, sim: Simulator, fault: str) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    for _ in range(2):
        fleet.poll()
        assert resume(fleet) == 0
    assert set(fleet.states().values()) == {"to revoke"}
    old = fleet.keys["ada"]
    if fault == "502":
        sim.script(Reply(502, b"bad gateway", "text/plain"), key=old)
    elif fault == "authentication_unavailable":
        sim.configure(auth_available=False)
    elif fault == "timeout":
        sim.script(Reply(reset=True), key=old)
    elif fault == "403":
        sim.set_key(old, KeyState.FORBIDDEN)
    else:
        refusal = Reply(401, json.dumps({"error": {"code": "invalid_api_key", "message": "no"}}).encode())
        sim.script(refusal, path="/v1/credits/balance")
    code = resume(fleet)
    assert code in {4, 10}
    assert fleet.states()["ada"] == "to revoke"
    assert fleet.stages("ada") == ["previous", "current"]
    assert fleet.trouble("ada")["cure"]
    sim.clear_faults()
    sim.set_key(old, KeyState.VALID)
    assert resume(fleet) == 0
    fleet.revoke_listed()
    to_the_end(fleet)


def test_new_keys_that_are_dead(fleet: Fleet) -> None:
    keys = fleet.new_keys() | fleet.new_keys("bob", state=KeyState.REVOKED)
    assert start(fleet, keys) == 10
    states = fleet.states()
    assert states["bob"] == "rejected"
    assert fleet.trouble("bob")["cause"] == "new-key-dead"
    assert fleet.stages("bob") == ["current", "retired"], "nothing stays pending"
    fleet.poll()
    assert fleet.machines["bob"].key == fleet.keys["bob"]
    assert resume(fleet) == 10
    assert fleet.provision("rotate", "finish") == 10
    # the cure: another key, another rotation; the dead one is never tried again
    assert start(fleet, fleet.new_keys("bob")) == 0
    fleet.poll()
    resume(fleet)
    resume(fleet)
    fleet.revoke_listed()
    assert resume(fleet) == 0  # a user who has another key since does not keep the first rotation open
    assert fleet.stages("bob") == ["retired", "retired", "current"]


def test_a_dead_key_among_many_halts_the_waves(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim, [f"user{n:02}" for n in range(10)])
    keys = fleet.new_keys() | fleet.new_keys("user00", state=KeyState.REVOKED)
    assert start(fleet, keys, "--waves", "1,100%") == 10
    assert "HALTED" in fleet.out
    assert fleet.states() == {"user00": "rejected"} | {f"user{n:02}": "pending" for n in range(1, 10)}
    assert resume(fleet) == 10
    assert fleet.states()["user01"] == "pending"
    assert resume(fleet, "--max-failures", "1") == 10
    assert fleet.states()["user01"] == "delivered"


BAD_FILES = {
    "duplicate user": ("ada,{a}\nada,{b}\n", "duplicate-user"),
    "duplicate key": ("ada,{a}\nbob,{a}\n", "shared-key"),
    "placeholder": ("ada,sk-aisa-your-key-here\nbob,{b}\n", "placeholder-key"),
    "empty": ("ada,\n", "empty-key"),
    "of another": ("ada,{old_bob}\n", "key-of-another"),
    "the same": ("ada,{old_ada}\n", "key-unchanged"),
    "swapped columns": ("{a},ada\n", "swapped-columns"),
    "swapped": ("ada,{a},bob-laptop-v2\nbob,{b},ada-laptop-v2\n", "swapped-keys"),
    "unknown user": ("adda,{a}\n", "unknown-user"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_new_keys_that_cannot_be_used(fleet: Fleet, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, rule = BAD_FILES[name]
    a, b = new_key(), new_key()
    rows = text.format(a=a, b=b, old_bob=fleet.keys["bob"], old_ada=fleet.keys["ada"])
    code = fleet.provision("rotate", "start", "--from", str(fleet.file("bad.csv", rows)), *GO)
    assert code == 10
    said = capsys.readouterr().err
    assert f"[{rule}]" in said
    assert not any(key in said for key in (a, b, *fleet.keys.values()))
    untouched(fleet)


def test_a_key_that_was_retired_does_not_come_back(fleet: Fleet) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    to_the_end(fleet)
    for key in fleet.keys.values():
        fleet.sim.set_key(key, KeyState.VALID)
    assert start(fleet, fleet.keys) == 10


def test_one_rotation_at_a_time_for_a_user(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(fleet, fleet.new_keys("ada", "bob")) == 0
    assert start(fleet, fleet.new_keys("bob", "cyd")) == 10
    assert f"bob is already in rotation {fleet.status()['id']}" in capsys.readouterr().err
    assert start(fleet, fleet.new_keys("cyd")) == 0, "somebody else may be rotated meanwhile"
    keys = fleet.file("other.csv", f"ada,{new_key()}\n")
    assert fleet.provision("keys", "import", str(keys)) == 1
    assert "in-rotation" in capsys.readouterr().err


def test_an_endpoint_that_never_confirms(fleet: Fleet) -> None:
    fleet.machines["bob"].asleep = True
    assert start(fleet, fleet.new_keys(), "--confirm-within", "0") in {0, 10}
    fleet.poll()
    assert resume(fleet) == 10
    assert fleet.states() == {"ada": "current", "bob": "delivered", "cyd": "current"}
    assert fleet.trouble("bob")["cause"] == "unconfirmed"
    assert fleet.keys["bob"] not in fleet.listed()
    assert fleet.provision("rotate", "finish", "--except", "bob=laptop lost") == 10, "others are not done"
    for _ in range(3):
        resume(fleet)
        fleet.revoke_listed()
    assert fleet.provision("rotate", "finish", "--except", "bob=laptop lost") == 0
    assert fleet.stages("bob") == ["previous", "current"], "the vault says what dist/ holds; the old key may be alive"
    (bob,) = (user for user in fleet.status()["users"] if user["user"] == "bob")  # type: ignore[attr-defined,index]
    assert (bob["state"], bob["reason"]) == ("excepted", "laptop lost")
    assert "laptop lost" in (fleet.root / "events.jsonl").read_text()


@pytest.mark.parametrize(("route", "cause", "code"), [("no", "misrouted", 10), ("unknown", "route-unknown", 4)])
def test_an_endpoint_whose_route_is_wrong(fleet: Fleet, route: str, cause: str, code: int) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    machine = fleet.machines["ada"]
    machine.route = route
    fleet.poll()
    assert resume(fleet) == code
    assert fleet.states()["ada"] == "delivered"
    assert fleet.trouble("ada")["cause"] == cause
    machine.route = "yes"
    machine.certify(fleet.drop)
    to_the_end(fleet)


def test_a_receipt_that_another_machine_signed_confirms_nothing(fleet: Fleet) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    ada, bob = fleet.machines["ada"], fleet.machines["bob"]
    fleet.poll()
    ada.signer, right = bob.signer, ada.signer
    ada.certify(fleet.drop)
    assert resume(fleet) == 4
    assert fleet.states() == {"ada": "delivered", "bob": "current", "cyd": "current"}
    ada.signer = right
    ada.certify(fleet.drop)
    to_the_end(fleet)


def test_a_full_disk(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    fleet.poll()
    plain = os.fsync

    def full(descriptor: int) -> None:
        if "keys.vault" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert resume(fleet) == 4
    monkeypatch.setattr(os, "fsync", plain)
    assert set(fleet.states().values()) == {"confirmed"}
    assert all(fleet.stages(user) == ["current", "pending"] for user in fleet.users)
    to_the_end(fleet)


def test_a_full_disk_while_the_journal_is_written(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, left = os.write, 3

    def full(descriptor: int, data: bytes) -> int:
        nonlocal left
        if "/rotations/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            left -= 1
            if left < 0:
                return plain(descriptor, data[: len(data) // 2])  # what a full disk does: a part of it
        return plain(descriptor, data)

    keys = fleet.new_keys()
    monkeypatch.setattr(os, "write", full)
    assert start(fleet, keys) == 4
    monkeypatch.setattr(os, "write", plain)
    assert resume(fleet) == 0
    to_the_end(fleet)


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_a_vault_that_cannot_be_written(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    fleet.poll()
    plain = os.open

    def read_only(path: str, flags: int, *more: int, **names: int) -> int:
        if "keys.vault." in str(path) and flags & os.O_CREAT and str(path).endswith("provision-new"):
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, flags, *more, **names)

    monkeypatch.setattr(os, "open", read_only)
    assert resume(fleet) == 4
    monkeypatch.setattr(os, "open", plain)
    assert set(fleet.states().values()) == {"confirmed"}
    to_the_end(fleet)


def test_a_clock_that_jumps_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provision.rotate import context as site

    assert start(fleet, fleet.new_keys()) == 0
    fleet.poll()
    plain = site.RotationContext

    def behind(**more: object) -> site.RotationContext:
        return plain(**{**more, "clock": lambda: datetime.now(UTC) - timedelta(days=400)})  # type: ignore[arg-type]

    monkeypatch.setattr(site, "RotationContext", behind)
    assert resume(fleet) == 4
    assert "set the clock" in capsys.readouterr().err
    monkeypatch.setattr(site, "RotationContext", plain)
    assert set(fleet.states().values()) == {"delivered"}
    to_the_end(fleet)


def test_an_older_vault_that_was_put_back(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    old = (fleet.root / "keys.vault").read_bytes()
    assert start(fleet, fleet.new_keys()) == 0
    new = (fleet.root / "keys.vault").read_bytes()
    (fleet.root / "keys.vault").write_bytes(old)
    assert resume(fleet) == 4
    assert "an older vault was restored" in capsys.readouterr().err
    (fleet.root / "keys.vault").write_bytes(new)
    to_the_end(fleet)


def test_a_journal_that_was_edited(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    (journal,) = fleet.journals()
    good = journal.read_text()
    journal.write_text(good.replace('"event":"built"', '"event":"promoted"'))
    assert resume(fleet) == 1
    assert "line " in capsys.readouterr().err
    journal.write_text(good)
    to_the_end(fleet)


def test_old_keys_that_are_still_used_are_not_listed(fleet: Fleet, sim: Simulator) -> None:
    assert start(fleet, fleet.new_keys()) == 0
    fleet.poll()
    assert resume(fleet) == 0
    today = datetime.now(UTC).date().isoformat()
    sim._gateway.keys[fleet.keys["ada"]].used[today] = 7
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "current", "bob": "to revoke", "cyd": "to revoke"}
    assert fleet.trouble("ada")["cause"] == "old-key-busy"
    assert "7 more requests" in fleet.trouble("ada")["message"]
    fleet.revoke_listed()
    to_the_end(fleet)


def test_whether_a_key_is_idle_may_not_be_told(fleet: Fleet, sim: Simulator) -> None:
    sim.configure(usage_served=False)
    assert start(fleet, fleet.new_keys()) == 0
    fleet.poll()
    assert resume(fleet) == 0
    assert {row["idle"] for row in fleet.status()["revoke"]} == {"unknown"}  # type: ignore[attr-defined]
    fleet.revoke_listed()
    to_the_end(fleet)


def test_a_shared_old_key_is_not_listed_while_somebody_uses_it(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim)
    shared = fleet.new_keys("ada")["ada"]
    rows = f"ada,{shared}\nbob,{shared}\n"
    assert fleet.provision("keys", "import", "--allow-shared", str(fleet.file("shared.csv", rows))) == 0
    assert fleet.provision("render") == 0
    fleet.poll()
    assert start(fleet, fleet.new_keys("ada")) == 0
    for _ in range(3):
        fleet.poll()
        resume(fleet)
    assert fleet.states()["ada"] == "current"
    assert fleet.trouble("ada")["cause"] == "shared-key"
    assert shared not in fleet.listed()
    fleet.nobody_without_a_key()
    assert start(fleet, fleet.new_keys("bob")) == 0
    for _ in range(4):
        fleet.poll()
        resume(fleet)
    assert fleet.states()["bob"] == "to revoke"


def test_a_model_that_the_new_key_may_not_use(fleet: Fleet, sim: Simulator) -> None:
    keys = fleet.new_keys()
    sim.add_key(keys["ada"], KeyState.NOT_PERMITTED)
    assert start(fleet, keys, "--probe", "chat", "--max-failures", "1") == 10
    assert fleet.states() == {"ada": "pending", "bob": "delivered", "cyd": "delivered"}
    assert fleet.trouble("ada")["cause"] == "not-permitted"
    calls = [seen.key for seen in sim.requests if seen.method == "POST"]
    assert sorted(calls) == sorted(keys.values())
    resume(fleet)
    assert len([seen for seen in sim.requests if seen.method == "POST"]) == 3, "a paid call was repeated"


def test_a_paid_call_is_tried_again_only_after_502(fleet: Fleet, sim: Simulator) -> None:
    sim.fault("gpt-5.2", ModelFault.BAD_GATEWAY, 3)
    keys = fleet.new_keys("ada")
    assert start(fleet, keys, "--probe", "chat") == 4
    assert resume(fleet) == 4
    assert resume(fleet) == 4
    assert resume(fleet) == 4
    assert len([seen for seen in sim.requests if seen.method == "POST"]) == 3


def test_a_paid_call_without_an_answer_is_not_made_again(fleet: Fleet, sim: Simulator) -> None:
    sim.script(Reply(reset=True), path="/v1/chat/completions")
    assert start(fleet, fleet.new_keys("ada"), "--probe", "chat") == 4
    assert fleet.states() == {"ada": "pending"}, "without an answer the route is unproved: no key is delivered"
    (journal,) = fleet.journals()
    lines = journal.read_text().splitlines(keepends=True)
    (called,) = (n for n, line in enumerate(lines) if '"call"' in line and '"answer"' not in line)
    assert resume(fleet) == 4
    assert fleet.provision("rotate", "resume", "--probe", "key,models") == 0
    assert fleet.states() == {"ada": "delivered"}
    journal.write_text("".join(lines[: called + 1]))  # as a crash after the call leaves it
    assert fleet.states() == {"ada": "pending"}
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "delivered"}
    assert len([seen for seen in sim.requests if seen.method == "POST"]) == 1


def test_two_operators_cannot_work_at_once(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    from provision.rotate.store import RotationStore

    now = datetime.now(UTC)
    assert start(fleet, fleet.new_keys("ada")) == 0
    with RotationStore(fleet.root).locked("rotate resume", now):
        assert resume(fleet) == 1
        said = capsys.readouterr().err
        assert f"pid {os.getpid()}" in said
        assert "rotate resume" in said
    note = fleet.root / ".provision" / "rotate.owner"
    elsewhere = {"who": "eve", "host": "far-away", "pid": 7, "doing": "rotate start"}
    note.write_text(json.dumps({**elsewhere, "since": stamp(now - timedelta(hours=3))}))
    assert resume(fleet) == 1
    said = capsys.readouterr().err
    assert "eve@far-away (pid 7, rotate start, started 3 h ago)" in said
    assert "--take-over" in said
    assert note.exists(), "never broken silently"
    assert resume(fleet, "--take-over") == 0
    assert not note.exists()


def test_another_render_meanwhile_keeps_the_new_key(fleet: Fleet) -> None:
    keys = fleet.new_keys()
    assert start(fleet, keys) == 0
    assert fleet.provision("render", "--force") == 0
    fleet.poll()
    assert {user: machine.key for user, machine in fleet.machines.items()} == keys
    to_the_end(fleet)


def test_a_pending_key_that_nobody_knows_of_blocks_nothing(fleet: Fleet) -> None:
    from provision.detect.secret import Secret
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing
    from provision.keys.vault.ledger import Stage

    with editing(fleet.root / "keys.vault", load_identities(fleet.config / "identity.txt"), "test") as vault:
        vault.add("ada", Secret(new_key()), now=datetime.now(UTC), stage=Stage.PENDING)
    assert start(fleet, fleet.new_keys("ada")) == 0
    assert fleet.stages("ada") == ["current", "previous", "pending"]


def test_nothing_says_a_key(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    keys = fleet.new_keys()
    start(fleet, keys, "--probe", "chat")
    to_the_end(fleet)
    for form in ("table", "json", "html"):
        run(["-w", str(fleet.root), "rotate", "status", "--all", "-f", form])
    said = capsys.readouterr()
    texts = [said.out, said.err, *(path.read_text() for path in fleet.journals())]
    texts.append((fleet.root / "events.jsonl").read_text())
    assert not any(key in text for key in (*keys.values(), *fleet.keys.values()) for text in texts)
