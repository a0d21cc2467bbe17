"""All new keys are probed before the first wave, and the terms of a rotation can be changed when it is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet

from provision.aisa.simulator import KeyState, Reply, Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


def test_a_dead_key_of_the_last_wave_is_known_before_the_first(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys()
    sim.set_key(new["cyd"], KeyState.REVOKED)
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--idle-for", "0", "--waves", "1,1,100%")
    assert fleet.provision(*start, "--probe", "key,models,chat") == 10
    assert fleet.states() == {"ada": "pending", "bob": "pending", "cyd": "rejected"}
    assert fleet.trouble("cyd")["cause"] == "new-key-dead"
    assert not any(request.method == "POST" for request in sim.requests), "the survey is free of charge"
    assert fleet.poll() == 0, "nothing is delivered before it is known whether to go on"
    assert fleet.provision("rotate", "resume", "--max-failures", "1") == 10
    assert fleet.states()["ada"] == "delivered"
    free = [request.path for request in sim.requests if request.key == new["bob"]]
    assert free == ["/v1/credits/balance", "/v1/models"], "bob was probed once, in the survey"


def test_a_failure_of_a_later_wave_is_probed_again_on_resume(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys()
    sim.set_key(new["cyd"], KeyState.UNFUNDED)
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--idle-for", "0", "--waves", "1,100%")
    assert fleet.provision(*start) == 10
    assert fleet.trouble("cyd")["cause"] == "unfunded"
    assert fleet.states()["ada"] == "pending"
    sim.set_key(new["cyd"], KeyState.VALID)
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.trouble("cyd") == {}
    assert fleet.states() == {"ada": "delivered", "bob": "pending", "cyd": "pending"}


def test_a_silent_gateway_leaves_the_survey_to_the_next_resume(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys()
    sim.script(Reply(reset=True))
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--waves", "1,100%")
    assert fleet.provision(*start) == 4
    sim.clear_faults()
    sim.set_key(new["cyd"], KeyState.DISABLED)
    assert fleet.provision("rotate", "resume") == 10
    assert fleet.states()["cyd"] == "rejected"


def test_the_terms_can_be_changed_on_resume(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys()
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--idle-for", "12h", "--waves", "100%")
    assert fleet.provision(*start) == 0
    fleet.poll()
    assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0
    assert set(fleet.states().values()) == {"current"}
    assert fleet.provision("rotate", "resume") == 0
    assert set(fleet.states().values()) == {"current"}, "the old keys must be idle for 12 hours"
    assert fleet.provision("rotate", "resume", "--idle-for", "0") == 0
    assert fleet.listed() == set(fleet.keys.values())
    assert fleet.provision("rotate", "resume", "--idle-for", "soon") == 2


def test_an_endpoint_that_is_late_fails_after_the_new_time(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys("ada")
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(new), "--yes") == 0
    assert fleet.trouble("ada") == {}
    assert fleet.provision("rotate", "resume", "--confirm-within", "0") == 10
    assert fleet.trouble("ada")["cause"] == "unconfirmed"
    assert fleet.provision("rotate", "resume", "--confirm-within", "2w") == 0
    assert fleet.trouble("ada") == {}, "later resumes keep the new terms"
    assert fleet.provision("rotate", "resume") == 0


def test_a_paid_call_without_a_result_can_be_dropped(fleet: Fleet, sim: Simulator) -> None:
    new = fleet.new_keys("ada")
    sim.script(Reply(200, b'{"error": "upstream timeout"}'), path="/v1/chat/completions")
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--probe", "key,chat")
    assert fleet.provision(*start) == 4
    assert fleet.states() == {"ada": "pending"}, "an error inside a 200 delivers no key"
    assert fleet.poll() == 0
    assert fleet.provision("rotate", "resume") == 4
    assert sum(request.method == "POST" for request in sim.requests) == 1, "no paid call is repeated unasked"
    assert "--probe key,models" in fleet.trouble("ada")["cure"]
    assert fleet.provision("rotate", "resume", "--probe", "key,models") == 0
    assert fleet.states() == {"ada": "delivered"}
    other = fleet.new_keys("bob")
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(other), "--yes", "--probe", "key") == 0
    assert fleet.provision("rotate", "resume", str(fleet.status()["id"]), "--probe", "key,chat") == 2
    assert sum(request.method == "POST" for request in sim.requests) == 1, "and none is added without a question"


def test_the_requests_for_one_user_are_those_of_the_page(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim, ["ada"])

    def asked(*command: str) -> list[str]:
        before = len(sim.requests)
        assert fleet.provision("rotate", *command) == 0
        return [request.path.rpartition("/")[2] for request in sim.requests[before:]]

    start = asked("start", "--from", fleet.keys_file(fleet.new_keys()), "--yes", "--idle-for", "0")
    assert start == ["balance", "models"]
    fleet.poll()
    assert asked("resume", "--receipts", str(fleet.drop)) == ["balance", "balance", "usage"]
    assert asked("resume") == ["balance", "usage"]
    assert asked("resume") == ["balance"] * 2
    fleet.revoke_listed()
    assert asked("resume") == ["balance"] * 3
    assert asked("finish") == []


def test_an_exception_counts_while_others_are_unfinished(fleet: Fleet) -> None:
    start = ("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), "--yes", "--idle-for", "0")
    assert fleet.provision(*start, "--waves", "1,100%") == 0
    assert fleet.provision("rotate", "finish", "--except", "adda=lost") == 3
    assert fleet.provision("rotate", "finish", "--dry-run", "--except", "ada=lost") == 10
    assert fleet.states()["ada"] == "delivered"
    assert fleet.provision("rotate", "finish", "--except", "ada=laptop lost") == 10
    assert fleet.states() == {"ada": "excepted", "bob": "pending", "cyd": "pending"}
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.states() == {"ada": "excepted", "bob": "delivered", "cyd": "delivered"}, "the next wave is free"
    assert fleet.provision("rotate", "finish", "--except", "bob=x", "--except", "c*=y") == 0
    assert fleet.status()["ended_as"] == "finished"
