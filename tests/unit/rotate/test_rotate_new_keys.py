"""Probing new keys: accepted, refused for good, inconclusive; and a paid call that is never repeated blindly."""

from __future__ import annotations

from typing import Any

import pytest
from rotate_memory import ACCEPTED, REFUSED, ROUTE, advance, context, entries, probe_all_with, rotating, vault_with

from provision.aisa.answers import GatewayAnswer
from provision.aisa.verdicts import Diagnosis, Verdict
from provision.keys.vault.ledger import Stage
from provision.rotate import new_keys
from provision.rotate.model import Grade
from provision.rotate.probes import KeyProber
from provision.rotate.recorder import Recorder
from provision.rotate.states import RotationEvent, State

CHAT = GatewayAnswer(200, body=b'{"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}')
LIST = b'{"data": [{"id": "gpt-5.2"}]}'


def pending(*users: str, **terms: Any) -> Recorder:
    recorder = advance(rotating(vault_with(*users), *users, **terms), RotationEvent.SEALED)
    entries(recorder).clear()
    return recorder


def probe(monkeypatch: pytest.MonkeyPatch, recorder: Recorder, **answers: GatewayAnswer) -> None:
    given = {name.replace("_", "-"): answer for name, answer in answers.items()}
    monkeypatch.setattr(new_keys, "probe_all", probe_all_with(**given))
    new_keys.probe_new_keys(recorder, list(recorder.rotation.people.values()))


def test_an_accepted_key_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pending("ada", probes=("key",))
    probe(monkeypatch, recorder, new_ada=ACCEPTED)
    assert recorder.rotation.people["ada"].state is State.PROBED


def test_a_refused_key_is_retired_in_the_vault_and_the_user_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pending("ada", probes=("key",))
    probe(monkeypatch, recorder, new_ada=REFUSED, old_ada=ACCEPTED)
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.REJECTED
    assert ada.trouble is not None
    assert ada.trouble.cause == "new-key-dead"
    assert [known.stage for known in context(recorder).vault.versions("ada")] == [Stage.CURRENT, Stage.RETIRED]


def test_a_refused_key_beside_a_refused_old_one_rejects_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pending("ada", probes=("key",))
    probe(monkeypatch, recorder, new_ada=REFUSED, old_ada=REFUSED)
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.PENDING
    assert ada.trouble is not None
    assert (ada.trouble.cause, ada.trouble.grade) == ("both-refused", Grade.FAILED)
    assert "base_url" in ada.trouble.message
    assert context(recorder).edits == []


def test_an_inconclusive_answer_counts_against_no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pending("ada", probes=("key",))
    probe(monkeypatch, recorder, new_ada=GatewayAnswer(301))
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.PENDING
    assert ada.trouble is not None
    assert (ada.trouble.cause, ada.failed) == ("gateway-unknown", False)


def test_a_key_that_the_vault_lost_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pending("ada", probes=("key",))
    recorder.rotation.people["ada"].target = "fp_lost"
    probe(monkeypatch, recorder)
    assert (trouble := recorder.rotation.people["ada"].trouble) is not None
    assert trouble.cause == "no-new-key"


@pytest.mark.parametrize(
    ("recorded", "calls"),
    [
        ("lost", 0),
        ({"verdict": "unreachable", "http": None, "code": "", "advice": "", "tries": 1}, 0),
        ({"verdict": "ok", "http": 200, "code": "", "advice": "", "tries": 1}, 0),
        ({"verdict": "upstream_error", "http": 502, "code": "", "advice": "", "tries": 1}, 1),
        ({"verdict": "upstream_error", "http": 502, "code": "", "advice": "", "tries": 3}, 0),
        ({"verdict": "upstream_error", "http": 500, "code": "", "advice": "", "tries": 1}, 0),
    ],
)
def test_a_paid_call_is_repeated_only_after_a_gateway_error_and_thrice_at_most(
    monkeypatch: pytest.MonkeyPatch, recorded: Any, calls: int
) -> None:
    recorder = pending("ada", probes=("key", "chat"))
    question = ROUTE.question(recorder.rotation.people["ada"].target)
    recorder.rotation.calls[question] = None if recorded == "lost" else recorded
    made = []

    async def paid(*_: object) -> Any:
        made.append(1)
        return Diagnosis(Verdict.OK, http_status=200)

    monkeypatch.setattr(KeyProber, "run_paid_call", paid)
    probe(monkeypatch, recorder, new_ada=ACCEPTED)
    assert len(made) == calls
    accepted = recorded == "lost" or calls == 1 or recorded["verdict"] == "ok"
    assert recorder.rotation.people["ada"].state is (State.PROBED if accepted else State.PENDING)
    if calls:
        assert [entry.get("answer", {}).get("tries") for entry in entries(recorder) if "call" in entry] == [None, 2]
