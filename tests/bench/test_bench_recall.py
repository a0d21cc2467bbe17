"""Recall and precision beside other scanners, on one corpus that nobody has seen before.

    RECALL_PEERS=/path/to/venv/bin pytest -m bench tests/bench/test_bench_recall.py -s

Each run draws new seeds unless `RECALL_SEEDS` names some; the table goes to standard output as it stands in
`docs/audit-recall.md`. Clean trees are measured if they are there: Python's standard library, the site-packages that hold
hermes-agent (or `RECALL_HERMES`), and what `RECALL_NODE_MODULES` names.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest
from corpus import LANES, Corpus, Hit, Score, build, judge
from corpus.peers import PEERS, program

from provision.audit.finding import RawFinding
from provision.audit.scan import scan
from provision.detect.detector import Detector

pytestmark = pytest.mark.bench
TEN_MB = 10_000_000
SLOW = frozenset({"detect-secrets"})


def ours(corpus: Corpus, *, known: bool = True) -> list[Hit]:
    detector = Detector(known=corpus.known() if known else None)
    found = scan([corpus.root], detector, companions=False)
    return [
        Hit(Path(each.place.path).relative_to(corpus.root).as_posix(), each.place.line, each.match.secret.reveal())
        for each in found
        if isinstance(each, RawFinding)
    ]


def merged(scores: list[Score]) -> Score:
    return Score(
        [each for score in scores for each in score.found],
        [each for score in scores for each in score.missed],
        sum(score.true for score in scores),
        [each for score in scores for each in score.false],
    )


def table(scores: dict[str, Score], planted: int, seeds: list[int]) -> str:
    names = list(scores)
    rows = [
        f"seeds {', '.join(map(str, seeds))}: {planted} secrets",
        "",
        "| | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    rows.append("| **recall %** | " + " | ".join(f"**{100 * scores[n].recall:.1f}**" for n in names) + " |")
    rows.append("| **precision %** | " + " | ".join(f"**{100 * scores[n].precision:.1f}**" for n in names) + " |")
    rows.append(
        "| findings, false ones | "
        + " | ".join(f"{scores[n].true + len(scores[n].false)}, {len(scores[n].false)}" for n in names)
        + " |"
    )
    lanes = {name: score.by_lane() for name, score in scores.items()}
    for lane in (each.__name__.replace("_", "-") for each in LANES):
        cells = [f"{100 * lanes[n][lane][0] / lanes[n][lane][1]:.0f}" for n in names]
        rows.append(f"| {lane} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def test_recall_and_precision_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = [int(each) for each in os.environ.get("RECALL_SEEDS", "").split(",") if each] or [
        secrets.randbelow(10**6) for _ in range(3)
    ]
    rounds = int(os.environ.get("RECALL_ROUNDS", "2"))
    peers = {name: run for name, run in PEERS.items() if program(name)}
    scores: dict[str, list[Score]] = {}
    planted = 0
    for seed in seeds:
        corpus = build(tmp_path / str(seed), seed, rounds=rounds)
        planted += len(corpus.planted)
        scores.setdefault("provision", []).append(judge(corpus, ours(corpus)))
        scores.setdefault("provision, no vault", []).append(judge(corpus, ours(corpus, known=False)))
        for name, run in peers.items():
            scores.setdefault(name, []).append(judge(corpus, run(corpus)))
    all_of = {name: merged(them) for name, them in scores.items()}
    with capsys.disabled():
        print("\n" + table(all_of, planted, seeds))
        for name, score in all_of.items():
            missed = sorted({f"{p.lane}/{p.kind}" for p in score.missed})
            print(f"\n{name} missed: {', '.join(missed[:60])}" if name.startswith("provision") else "")
    mine = all_of["provision"]
    known = [p for p in mine.missed if p.known]
    unknown = [p for p in (*mine.found, *mine.missed) if not p.known]
    assert not known
    assert sum(not p.known for p in mine.missed) <= 0.02 * len(unknown)
    for name in peers:
        assert mine.recall > all_of[name].recall
        assert all_of["provision, no vault"].recall > all_of[name].recall
        assert mine.precision >= all_of[name].precision


def trees() -> dict[str, Path]:
    hermes = find_spec("hermes_cli")
    named = {
        "python": Path(sysconfig.get_path("stdlib")),
        "hermes-agent": Path(
            os.environ.get("RECALL_HERMES") or Path(hermes.origin if hermes and hermes.origin else "/-").parents[1]
        ),
        "node_modules": Path(os.environ.get("RECALL_NODE_MODULES", "/-")),
    }
    return {name: path for name, path in named.items() if path.is_dir()}


@pytest.mark.parametrize("name", ["python", "hermes-agent", "node_modules"])
def test_clean_trees_stay_clean(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others are run beside it; `RECALL_SLOW_PEERS` adds those that need hours."""
    path = trees().get(name)
    if path is None:
        pytest.skip(f"{name} is not here")
    root = tmp_path / "tree"
    shutil.copytree(
        path, root, symlinks=True, ignore=shutil.ignore_patterns("site-packages") if name == "python" else None
    )
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    tree = Corpus(root, (), {})
    false = {"provision": _false(ours(tree))}
    for peer, run in PEERS.items():
        if program(peer) and (peer not in SLOW or "RECALL_SLOW_PEERS" in os.environ):
            false[peer] = _false(run(tree))
    with capsys.disabled():
        print(f"\n{name}: {size / 1e6:.0f} MB; false findings, and per 10 MB")
        for who, them in false.items():
            print(f"  {who}: {len(them)}, {len(them) / (size / TEN_MB):.2f}")
        for each in false["provision"]:
            print(f"    {each.path}:{each.line}")
    assert len(false["provision"]) <= max(1.0, size / TEN_MB)


def _false(hits: list[Hit]) -> list[Hit]:
    """CPython ships private keys, real ones, for its tests of TLS: whoever reports those is right."""
    return [each for each in hits if not ("certdata" in each.path and each.path.endswith(".pem"))]
