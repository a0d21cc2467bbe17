"""The prefilter: one pass of a C library over the bytes says where it is worth looking.

Two libraries do it: Hyperscan, the extra `[fast]`, and RE2 with an Aho-Corasick automaton, which install everywhere. Both
return the same hits, so what is found never depends on which is there; only the time does.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from provision.detect.engines.hits import Gate, Hits
    from provision.detect.engines.needles import Needle

EngineName = Literal["auto", "hyperscan", "re2"]


class Engine(Protocol):
    """What a library must do."""

    def hits(self, data: bytes) -> Hits:
        """Every keyword, whatever its case, and every needle in `data`, overlapping ones too; gates near their keywords."""


def make_engine(
    name: EngineName, words: tuple[bytes, ...], needles: tuple[Needle, ...], gates: tuple[Gate, ...] = ()
) -> Engine:
    """The engine called `name`; `auto` takes Hyperscan where it is installed. Raises ImportError when it is not."""
    if name == "hyperscan" or (name == "auto" and importlib.util.find_spec("hyperscan")):
        from provision.detect.engines.hyperscan import HyperscanEngine  # noqa: PLC0415  an extra: may not be there

        return HyperscanEngine(words, needles, gates)
    from provision.detect.engines.re2 import Re2Engine  # noqa: PLC0415  half a second that Hyperscan need not pay

    return Re2Engine(words, needles)
