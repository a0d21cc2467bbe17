"""Members of archives: limits, names, and what happens to a member that cannot be examined."""

from __future__ import annotations

import io

import pytest
from redactcraft import aisa_key, session

from provision.redact.archives import members
from provision.redact.archives.members import Budget, copy_within, leave_out, redact_member, safe_name
from provision.redact.session import CannotExamineError


def test_the_budget_is_used_up_after_its_last_byte() -> None:
    budget = Budget(left=10)
    copy_within(io.BytesIO(b"12345"), io.BytesIO(), budget)
    copy_within(io.BytesIO(b"67890"), io.BytesIO(), budget)
    with pytest.raises(CannotExamineError, match="unpacks to more than"):
        copy_within(io.BytesIO(b"x"), io.BytesIO(), budget)


def test_members_are_counted() -> None:
    budget = Budget(members=2)
    budget.member()
    budget.member()
    with pytest.raises(CannotExamineError, match="members"):
        budget.member()


def test_a_member_is_redacted_by_its_own_kind_and_name() -> None:
    out = io.BytesIO()
    redact_member(io.BytesIO(b"TEAM=blue-team-7\n"), out, "a.zip!.env", session(), depth=1)
    assert out.getvalue().startswith(b"TEAM=[REDACTED:env-value#")


@pytest.mark.parametrize(("nested", "refused"), [(members.MAX_DEPTH - 1, False), (members.MAX_DEPTH, True)])
def test_depth_counts_the_archives_in_the_name(nested: int, refused: bool) -> None:
    out = io.BytesIO()
    if refused:
        with pytest.raises(CannotExamineError, match="nested"):
            redact_member(io.BytesIO(b"x"), out, "a!" * nested, session(), depth=1)
    else:
        redact_member(io.BytesIO(b"x"), out, "a!" * nested, session(), depth=1)
        assert out.getvalue() == b"x"


def test_a_name_is_redacted_and_other_bytes_in_it_stay() -> None:
    key = aisa_key("member name")
    used = session()
    assert safe_name(f"logs/{key}.txt", "a.zip", used).startswith("logs/[REDACTED:aisa-key#")
    assert safe_name("logs/\udcff.txt", "a.zip", used) == "logs/\udcff.txt"
    assert [place.where for place in used.notes.places] == ["name of a member"]


def test_a_member_that_is_left_out_is_remarked_with_its_hint() -> None:
    used = session()
    leave_out(used, "a.zip", "b.7z", CannotExamineError("this file format is not supported", hint="unpack it"))
    assert [str(remark) for remark in used.notes.left_out] == [
        "a.zip, b.7z: this file format is not supported (unpack it)"
    ]
