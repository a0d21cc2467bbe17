"""What a bundle should be: its inputs digest changes with each input and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from bundlecraft import PROFILE, Shop, fresh_key

from provision.bundle.plan import ImpossibleBundle, PlannedBundle, RenderInputs, plan_bundles
from provision.fleet.desired import DesiredState, Platform
from provision.signing.sshsig import public_line

SHOP = Shop(users=("ada", "bob"))


def planned(state: DesiredState, common: RenderInputs) -> PlannedBundle:
    (found,) = plan_bundles([state], common)
    assert isinstance(found, PlannedBundle), found
    return found


def inputs(state: DesiredState | None = None, common: RenderInputs | None = None) -> bytes:
    return planned(state or SHOP.state("ada"), common or SHOP.common).inputs


@pytest.mark.parametrize(
    "change",
    [
        lambda state: replace(state, platform=Platform.MACOS),
        lambda state: replace(state, hermes_home="/opt/hermes"),
        lambda state: replace(state, hermes_profile="work"),
        lambda state: replace(state, recipients=(*state.recipients, SHOP.identities["bob"][1])),
        lambda state: replace(state, profile=replace(PROFILE, model="gpt-5.3")),
        lambda state: replace(state, profile=replace(PROFILE, managed=True)),
        lambda state: replace(state, profile=replace(PROFILE, env={"TEAM": "sales"})),
    ],
)
def test_each_part_of_a_state_counts(change: Callable[[DesiredState], DesiredState]) -> None:
    assert inputs(change(SHOP.state("ada"))) != inputs()


def test_each_shared_input_counts() -> None:
    common = SHOP.common
    keys = type(SHOP.keys)({**SHOP.keys, "ada": fresh_key("ada2")})
    others = [
        replace(common, digest_key=b"x" * 32),
        replace(common, bundle_days=30),
        replace(common, operators=(SHOP.identities["bob"][1],)),
        replace(common, keys=keys),
    ]
    digests = {inputs(), *(inputs(common=each) for each in others)}
    assert len(digests) == len(others) + 1


def test_time_tags_and_comments_do_not_count() -> None:
    key = public_line(SHOP.signer.public_key())
    one = replace(SHOP.state("ada"), recipients=(f"{key} ada@laptop",))
    assert inputs(replace(one, recipients=(f"{key} old comment",), tags=("pilot",))) == inputs(one)
    assert inputs(common=replace(SHOP.common, now=SHOP.now + timedelta(days=40))) == inputs()


def test_the_manifest_names_workspace_user_and_lifetime() -> None:
    fields = planned(SHOP.state("ada"), SHOP.common).fields(SHOP.common, 9)
    assert (fields["workspace"], fields["user"], fields["generation"]) == (SHOP.workspace_id, "ada", 9)
    assert (fields["created"], fields["expires"]) == ("2026-06-01T12:00:00Z", "2026-08-30T12:00:00Z")


def test_what_cannot_be_made_has_a_reason_and_the_others_go_on() -> None:
    states = [
        replace(SHOP.state("ada"), recipients=()),
        replace(SHOP.state("ada"), user="eve"),
        replace(SHOP.state("ada"), profile=replace(PROFILE, base_url="https://evil.example/v1")),
        SHOP.state("bob"),
    ]
    found = list(plan_bundles(states, SHOP.common))
    reasons = [each.reason for each in found if isinstance(each, ImpossibleBundle)]
    assert [each.user for each in found] == ["ada", "eve", "ada", "bob"]
    assert [
        part in reason for part, reason in zip(("no recipients", "no current key", "base_url"), reasons, strict=True)
    ]
    assert isinstance(found[3], PlannedBundle)
