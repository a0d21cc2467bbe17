"""The promise on the generated machine: every known key, nearly every unknown secret, nothing that is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from corpus import LANES, Corpus, Hit, build, judge

from provision.audit.finding import RawFinding
from provision.audit.scan import scan
from provision.containers.blob import Unreadable
from provision.detect.detector import Detector

pytestmark = pytest.mark.timeout(600)

SEEDS = (70_001, 70_002)
"""No rule was ever looked at with these. `tests/bench/test_bench_recall.py` draws new ones each time."""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    return [build(tmp_path_factory.mktemp("corpus") / str(seed), seed, rounds=1) for seed in SEEDS]


def hits(corpus: Corpus, detector: Detector) -> list[Hit]:
    found = list(scan([corpus.root], detector, companions=False))
    assert not [each for each in found if isinstance(each, Unreadable) and each.failed]
    return [
        Hit(Path(each.place.path).relative_to(corpus.root).as_posix(), each.place.line, each.match.secret.reveal())
        for each in found
        if isinstance(each, RawFinding)
    ]


def test_recall_and_precision(machines: list[Corpus]) -> None:
    scores = [judge(corpus, hits(corpus, Detector(known=corpus.known()))) for corpus in machines]
    missed = [each for score in scores for each in score.missed]
    unknown = [each for score in scores for each in (*score.found, *score.missed) if not each.known]
    assert not [each for each in missed if each.known]
    assert len(missed) <= 0.02 * len(unknown), [(each.lane, each.kind) for each in missed]
    assert [each for score in scores for each in score.false] == []


def test_whose_key_it_is_comes_from_its_fingerprint(machines: list[Corpus]) -> None:
    corpus = machines[0]
    users = {value: user for user, value in corpus.users.items()}
    for each in scan([corpus.root / "dotenv", corpus.root / "glued"], Detector(known=corpus.known()), companions=False):
        if isinstance(each, RawFinding) and each.match.secret.reveal() in users:
            assert each.match.known
            assert each.match.known.user == users.pop(each.match.secret.reveal())
    assert len(users) == len(corpus.users) - 2


def test_a_seed_makes_the_same_machine_each_time(tmp_path: Path) -> None:
    lanes = {"dotenv", "wrapped-60", "sqlite-rows", "zip-in-tar", "home-copies"}
    one, two = (build(tmp_path / name, 3, rounds=1, lanes=lanes) for name in "ab")
    assert one.planted == two.planted
    assert _digests(one.root) == _digests(two.root)
    assert build(tmp_path / "c", 4, rounds=1, lanes=lanes).planted != one.planted


def test_every_lane_plants_something(machines: list[Corpus]) -> None:
    assert {each.lane for each in machines[0].planted} == {lane.__name__.replace("_", "-") for lane in LANES}
    assert len({each.value for each in machines[0].planted}) > 100


def test_judging_is_generous_with_forms_and_strict_with_places(machines: list[Corpus]) -> None:
    corpus = machines[0]
    one = next(each for each in corpus.planted if each.lane == "dotenv")
    other = next(each for each in corpus.planted if each.lane == "yaml")
    assert judge(corpus, [Hit(one.path, None, f"KEY={one.value}")]).found == [one]
    assert judge(corpus, [Hit(one.path, None, one.value[: len(one.value) * 2 // 3])]).found == [one]
    assert judge(corpus, [Hit(one.path, one.lines[0])]).found == [one]
    digest = hashlib.sha1(one.value.encode()).hexdigest()
    assert judge(corpus, [Hit(one.path, 99, digest=digest)]).found == [one]
    for hit in (
        Hit(other.path, None, one.value),
        Hit(one.path, 99),
        Hit(one.path, None, "PORT=8080"),
        Hit("none", 1, "x"),
    ):
        score = judge(corpus, [hit])
        assert score.found == []
        assert score.false == [hit]


def _digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }
