"""The prefilter: one pass over the bytes finds where rules have to run.

There are three engines: Hyperscan (extra `[fast]`), RE2 with an Aho-Corasick automaton, and one in Python, for systems without
wheels of these. All lead to the same matches; only the time differs.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Literal, Protocol

from provision.detect.engines.patterns import RE2_INSTALLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.engines.hits import Gate, Hits
    from provision.detect.engines.needles import Needle

EngineName = Literal["auto", "hyperscan", "re2", "python"]


class Engine(Protocol):
    """What each engine implements."""

    def hits(self, data: bytes) -> Hits:
        """Return every keyword (ignoring case) and every needle in `data`, with overlaps; gates near their keywords."""


def make_engine(
    name: EngineName, words: tuple[bytes, ...], needles: Sequence[Needle], gates: tuple[Gate, ...] = ()
) -> Engine:
    """Return the engine called `name`; `auto` uses the fastest that is installed.

    Raises ImportError when `hyperscan` is requested and not installed.
    """
    if name == "hyperscan" or (name == "auto" and importlib.util.find_spec("hyperscan")):
        from provision.detect.engines.hyperscan import HyperscanEngine  # noqa: PLC0415  an extra that may not be installed

        return HyperscanEngine(words, needles, gates)
    if name == "re2" or (name == "auto" and RE2_INSTALLED):
        from provision.detect.engines.re2 import Re2Engine  # noqa: PLC0415  takes half a second to import

        return Re2Engine(words, needles)
    from provision.detect.engines.plain import PlainEngine  # noqa: PLC0415  rarely needed

    return PlainEngine(words, needles)
