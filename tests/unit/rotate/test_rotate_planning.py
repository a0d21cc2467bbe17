"""Labels that show that two keys were swapped, and what a receipt must say."""

from __future__ import annotations

import pytest

from provision.detect.secret import Secret
from provision.errors import Place, Severity
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.keys.import_file import NewKey
from provision.receipts.receipt import Receipt, ReceiptRoute
from provision.rotate.delivery import check_receipt
from provision.rotate.model import Grade, RotationUser
from provision.rotate.planning import swapped_labels
from provision.rotate.states import Course, State

PROFILE = EffectiveProfile("team", "gpt-5.2", "https://api.aisa.one/v1")
STATES = {user: DesiredState(user, PROFILE, Place("i")) for user in ("ada", "bob", "ada-b", "cy.d")}


@pytest.mark.parametrize(
    ("labels", "rules"),
    [
        ({"ada": "ada-v2", "bob": "bob laptop"}, []),
        ({"ada": "", "bob": "laptop"}, []),
        ({"ada": "bob-v2", "bob": "ada-v2"}, ["swapped-keys", "swapped-keys"]),
        ({"ada": "Bob_v2", "bob": "ADA"}, ["swapped-keys", "swapped-keys"]),
        ({"ada": "bob-v2", "bob": "bob-v3"}, ["label-of-another"]),
        ({"ada": "bobby", "bob": "adamant"}, []),
        ({"bob": "ada-b-v2", "ada-b": "bob"}, ["swapped-keys", "swapped-keys"]),
        ({"ada-b": "ada-b2"}, []),
    ],
)
def test_labels_that_name_somebody_else(labels: dict[str, str], rules: list[str]) -> None:
    keys = [NewKey(user, Secret("x"), label, Place("f", n)) for n, (user, label) in enumerate(labels.items(), 1)]
    found = list(swapped_labels(keys, STATES))
    assert [problem.rule for problem in found] == rules
    assert all((p.severity is Severity.ERROR) == (p.rule == "swapped-keys") for p in found)


def receipt(fingerprint: str, expected: str) -> Receipt:
    route = ReceiptRoute(
        url=None,
        path=None,
        model=None,
        api_mode=None,
        key_fingerprint=fingerprint,
        as_expected=expected,  # type: ignore[arg-type]
    )
    return Receipt(
        workspace="0f" * 16, user="ada", machine=None, profile="team", bundle="0" * 64, generation=9,
        expires="2027-01-01T00:00:00Z",
        key_fingerprint=fingerprint, route=route, hazards=(), drift=(), destinations=None, policy=None,
        hermes_version=None, hermes_verified=None, provision_version="0",
        host="h", made="2026-06-01T12:00:00Z", counter=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "expected", "cause"),
    [("a", "yes", None), ("b", "yes", "other-bundle"), ("a", "no", "misrouted"), ("a", "unknown", "route-unknown")],
)
def test_only_the_target_in_use_is_a_confirmation(key: str, expected: str, cause: str | None) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 6, 1, tzinfo=UTC)
    target = "fp_" + "a" * 16
    person = RotationUser("ada", "team", 0, Course.SCHEDULED, target, "fp_old", State.DELIVERED, now, now, generation=9)
    found = check_receipt(receipt("fp_" + key * 16, expected), person)
    assert (found.cause if found else None) == cause
    if found:
        assert found.cure
        assert (found.grade is Grade.UNSURE) == (cause == "route-unknown")
