"""Without Hyperscan, RE2 and the automaton, for which some systems have no wheels, the same is found; only the time differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import build
from detectcraft import aisa_key, encoded, known, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st
from test_property_detect import NOISE, RELAXED
from without_libraries import Other, other_detector, shown

from provision.detect.detector import Detector
from provision.detect.rules.builtin import BUILTIN

KEYS = [aisa_key() for _ in range(2)]
WITH = Detector(known=known(*KEYS))
EXAMPLES = [
    (each() if callable(each) else each).encode()
    for rule in BUILTIN
    for each in (*rule.examples, *rule.counter_examples)
]
FORMS = [data for key in KEYS for _, data in (*encoded(key), *wrapped(key))]


@pytest.fixture(scope="module")
def without() -> Iterator[Other]:
    """The detector in a process without the libraries."""
    with other_detector(*KEYS) as other:
        yield other


@settings(RELAXED, max_examples=40)
@given(
    data=st.lists(
        st.one_of(st.sampled_from(FORMS), st.sampled_from(EXAMPLES), st.sampled_from(NOISE), st.binary(max_size=30)),
        min_size=1,
        max_size=12,
    ).map(b"".join)
)
def test_the_same_is_found_without_the_libraries(data: bytes, without: Other) -> None:
    assert without.scan(data) == shown(WITH.scan(data))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_same_is_found_in_every_example_and_file(tmp_path: Path, without: Other) -> None:
    corpus = build(tmp_path, 7, rounds=2)
    files = [path.read_bytes() for path in sorted(corpus.root.rglob("*")) if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    found = 0
    for data in (*EXAMPLES, *FORMS, *files):
        expected = shown(WITH.scan(data))
        found += len(expected)
        assert without.scan(data) == expected, data[:200]
    assert found > 500
