"""A generated machine with secrets in it, and the truth about where each one is.

    corpus = build(folder, seed=7)
    corpus.planted      every secret, with its value, file, lane and how it looks there
    corpus.known(salt)  fingerprints of the keys that a vault would know
    judge(corpus, reports)  which were found, which findings are false

Nothing here knows a detection rule: secrets are made from what their issuers say of them, and values come from the seed.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from corpus.containers import CONTAINER_LANES
from corpus.decoys import plant_decoys
from corpus.homes import HOME_LANES
from corpus.lanes import TEXT_LANES
from corpus.truth import Corpus, Hit, Planted, Score, Writer, judge

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

LANES = (*TEXT_LANES, *CONTAINER_LANES, *HOME_LANES)
"""Every lane is a function (writer) that plants secrets in files of one sort; its name is its lane's name."""

__all__ = ["LANES", "Corpus", "Hit", "Planted", "Score", "build", "judge"]


def build(
    root: Path, seed: int, *, rounds: int = 3, lanes: Collection[str] | None = None, decoys: bool = True
) -> Corpus:
    """Write the corpus of `seed` under `root`; each lane is planted `rounds` times, with other secrets each time."""
    writer = Writer(root, random.Random(seed))
    for lane in LANES:
        name = lane.__name__.replace("_", "-")
        if lanes is None or name in lanes:
            for turn in range(rounds):
                writer.begin(name, turn)
                lane(writer)
    if decoys:
        writer.begin("decoys", 0)
        plant_decoys(writer)
    return writer.corpus()
