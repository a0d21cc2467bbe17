import copy
import dataclasses
import json
import logging
import pickle
import string

import pytest

from provision.detect.fingerprint import SALT_BYTES, fingerprint, new_salt
from provision.detect.secret import Secret

CANARY = "sk-aisa-CANARY-0123456789"


@dataclasses.dataclass(frozen=True)
class _Holder:
    key: Secret


def test_no_way_of_printing_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger("x").warning("%s %r", secret, secret)
    template = string.Template("$s").substitute(s=secret)
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        f"{_Holder(secret)}",
        repr({1: [secret]}),
        caplog.text,
        template,
    ):
        assert "CANARY" not in text
        assert "****" in text


def test_it_does_not_leave_by_accident() -> None:
    secret = Secret(CANARY)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as e:
            leave(secret)
        assert "CANARY" not in str(e.value)
    with pytest.raises(TypeError):
        dataclasses.asdict(_Holder(secret))
    with pytest.raises(TypeError):
        vars(secret)
    assert secret.reveal() == CANARY


def test_equality_and_truth() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")
    assert Secret("\ud800") == Secret("\ud800") != Secret("ä")


def test_only_a_long_one_gives_four_characters_away() -> None:
    assert Secret(CANARY).last_four == "6789"
    assert Secret("short-one").last_four == ""


def test_a_fingerprint_is_stable_keyed_and_short() -> None:
    salt = bytes(range(SALT_BYTES))
    name = fingerprint("one", salt)
    assert name == "fp_qqho7bvmiuclwitp", "published reports and vaults hold these: the function may not change"
    assert fingerprint("one", new_salt()) != name
    assert fingerprint("two", salt) != name
    assert fingerprint("\ud800", salt) != fingerprint("?", salt)
    assert len(new_salt()) == SALT_BYTES
