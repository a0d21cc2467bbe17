"""Whatever a secret's characters are: it is found to its last one, and nothing beside it is."""

from __future__ import annotations

import random

import pytest
from corpus.kinds import OPAQUE, TOKENS, password
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.detect.detector import Detector
from provision.detect.rules.builtin import BUILTIN

DETECTOR = Detector(BUILTIN, engine="re2", decode=False)
ANYWHERE = (
    "{v}\n",
    "my key is {v} ok",
    'say "{v}", then',
    "({v})",
    "a\t{v}\r\n",
    "x={v}",
    "\x1b[32m{v}\x1b[0m",
    "<b>{v}</b>",
    "k={v}&x=1",
    "\\n{v}\\n",
)
NAMED = (
    "{n}={v}\n",
    "export {n}='{v}'\n",
    'a: 1\n  {l}: "{v}"\nb: 2\n',
    "{l}: {v}\nnext: 1\n",
    '{{"{l}": "{v}", "port": 80}}',
    "[s]\n{l} = '{v}'\n",
    "set {n}={v}\r\n",
    '{{\\"{l}\\": \\"{v}\\"}}',
    "base: http://h/v1\n{l}: {v}",
)
WORDS = st.sampled_from(
    ["get", "set", "user", "token", "value", "name", "default", "config", "parser", "next", "session"]
)
SEEDS = st.integers(0, 2**48)


def found(text: str) -> list[str]:
    return [match.secret.reveal() for match in DETECTOR.scan(text.encode())]


@settings(max_examples=200)
@given(seed=SEEDS, kind=st.sampled_from([each for each in TOKENS if each[0] != "sk"]), where=st.sampled_from(ANYWHERE))
def test_a_token_is_found_whole_wherever_it_stands(seed: int, kind: tuple[str, str, object], where: str) -> None:
    value = kind[2](random.Random(seed))  # type: ignore[operator]
    assert found(where.format(v=value)) == [value]


@settings(max_examples=250)
@given(seed=SEEDS, kind=st.sampled_from((*TOKENS, *OPAQUE)), where=st.sampled_from(NAMED))
def test_what_a_name_calls_a_secret_is_found_whole(seed: int, kind: tuple[str, str, object], where: str) -> None:
    value = kind[2](random.Random(seed))  # type: ignore[operator]
    assert found(where.format(v=value, n=kind[1], l=kind[1].lower())) == [value]


@settings(max_examples=200)
@given(
    seed=SEEDS,
    where=st.sampled_from(
        ("postgres://u:{v}@db/x", "redis://:{v}@10.0.0.1:6379", "'mongodb+srv://u:{v}@c.h.net/x?y=1'")
    ),
)
def test_a_password_in_an_address_is_found_whole(seed: int, where: str) -> None:
    value = password(random.Random(seed))
    assert found(where.format(v=value)) == [value]


@pytest.mark.parametrize("name", ["AISA_API_KEY", "clientSecret", "auth.token", "X-Api-Key"])
@settings(max_examples=20)
@given(words=st.lists(WORDS, min_size=1, max_size=4), joint=st.sampled_from("_-. "))
def test_words_are_no_secret_whatever_the_name_of_a_key(name: str, words: list[str], joint: str) -> None:
    text = joint.join(words)
    assert found(f'{name}: "{text}"\n{name}={text}\n{name} = {text}()\n') == []
