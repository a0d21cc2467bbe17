"""Find secrets in bytes: known keys first, then rules; plain, encoded, and taken apart by a terminal.

`Detector.scan` is for what is in memory or mapped, `scan_chunks` for what comes in pieces. Both look at the bytes in the
same windows, so both find the same, however the pieces were cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.confirm import Confirmer
from provision.detect.engines.needles import Needle, make_needles, mark_needles
from provision.detect.engines.prefilter import make_engine
from provision.detect.entropy import HINT
from provision.detect.resolve import resolve_overlaps
from provision.detect.rules.builtin import BUILTIN
from provision.detect.stream.sliding import Sliding, slide
from provision.detect.views.encodings import base64_blocks, decoded_views
from provision.detect.views.split_keys import colour_views, wrapped_keys

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.detect.engines.hits import Hits
    from provision.detect.engines.prefilter import EngineName
    from provision.detect.known import KnownKeys
    from provision.detect.match import Match
    from provision.detect.rule import Rule

WINDOW_BYTES = 1 << 20
"""What is looked at in one go: enough to make little of what is looked at twice, and it fits into a cache."""
OVERLAP_BYTES = 64 << 10
"""How far a window looks beyond what it answers for: a secret with all that is needed to recognise it may be this long."""
_NESTING = 2
_SHORTEST_NEEDLE = 3
_USUAL = "sk-"
_GUESSED = ("assigned-", "high-entropy", "dsn-")


class WindowScan(NamedTuple):
    """What a look at some bytes gave: matches, sorted and without overlaps, and the hits behind them."""

    matches: list[Match]
    hits: Hits


class Detector:
    """Rules and known keys, compiled. It pickles as its arguments, so that each worker process compiles its own."""

    def __init__(
        self,
        rules: Sequence[Rule] = BUILTIN,
        known: KnownKeys | None = None,
        *,
        engine: EngineName = "auto",
        decode: bool = True,
        entropy: bool = False,
    ) -> None:
        # the rules that everybody has hold functions, which do not pickle
        self._arguments = (None if rules is BUILTIN else tuple(rules), known, engine, decode, entropy)
        self._decode = decode
        self._confirmer = Confirmer((*rules, HINT) if entropy else tuple(rules), known)
        words = self._confirmer.words
        prefixes = _prefixes(rules, known)
        self._prefixes = {index: word for index, word in enumerate(words) if word in prefixes}
        own = {prefix.lower().encode() for prefix, _ in known.shapes if len(prefix) > len(_USUAL)} if known else set()
        self._sure = frozenset({b"sk-aisa-", *own})
        marks = mark_needles((rule.mark for rule in rules if rule.mark), decode=decode)
        needles = (*marks, *(_needles(words, prefixes, known) if decode else ()))
        self._engine = make_engine(engine, words, needles, self._confirmer.gates)

    @property
    def known(self) -> KnownKeys | None:
        """The keys that it knows by fingerprint."""
        return self._arguments[1]

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, self._arguments

    def scan(self, data: bytes | mmap.mmap | memoryview) -> list[Match]:
        """Every secret in `data`, sorted by place; of overlapping ones the surest."""
        return list(slide(data, self._whole_window, WINDOW_BYTES, OVERLAP_BYTES))

    def scan_chunks(self, chunks: Iterable[bytes]) -> Iterator[Match]:
        """The same over what arrives in pieces of any size, with offsets into the whole; memory stays bounded."""
        sliding = Sliding(self._whole_window, WINDOW_BYTES, OVERLAP_BYTES)
        for chunk in chunks:
            yield from sliding.feed(chunk)
        yield from sliding.finish()

    def scan_window(self, data: bytes) -> WindowScan:
        """What is in `data` itself, without asking whether a line goes on in the next: for `stream`."""
        hits = self._engine.hits(data)
        return WindowScan(resolve_overlaps(self._found(data, hits, _NESTING if self._decode else 0)), hits)

    def known_at(self, data: bytes, longer_than: int) -> Match | None:
        """The known key of more than so many bytes with which `data` begins."""
        return self._confirmer.known_at(data, longer_than)

    def hits(self, data: bytes) -> Hits:
        """Where in `data` it is worth looking."""
        return self._engine.hits(data)

    @property
    def sure(self) -> frozenset[bytes]:
        """Keywords that stand in nothing but a key: the gateway's, and the prefixes of the known keys."""
        return self._sure

    @property
    def prefixes(self) -> Mapping[int, bytes]:
        """The keywords with which keys begin, by their index in `Hits.words`."""
        return self._prefixes

    @property
    def words(self) -> Sequence[bytes]:
        """All keywords, lower case, in the order of `Hits.words`."""
        return self._confirmer.words

    def _whole_window(self, data: bytes) -> list[Match]:
        hits = self._engine.hits(data)
        if not hits and not self._confirmer.looks_everywhere and not (self._decode and base64_blocks(data)):
            return []  # as in most files
        return resolve_overlaps(self._matches(data, hits, _NESTING if self._decode else 0))

    def _matches(self, data: bytes, hits: Hits, nesting: int) -> Iterator[Match]:
        """All matches, unsorted, overlapping ones too."""
        yield from self._found(data, hits, nesting)
        if nesting:
            yield from wrapped_keys(data, hits, self._prefixes, lambda text: resolve_overlaps(self._inside(text, 0)))

    def _inside(self, text: bytes, nesting: int) -> Iterator[Match]:
        return self._matches(text, self._engine.hits(text), nesting)

    def _found(self, data: bytes, hits: Hits, nesting: int) -> Iterator[Match]:
        yield from self._confirmer.matches(data, hits)
        if not nesting:
            return
        for view in (*decoded_views(data, hits), *colour_views(data, hits)):
            for match in self._inside(view.text, nesting - 1):
                if home := view.home(match):
                    yield home


def _prefixes(rules: Sequence[Rule], known: KnownKeys | None) -> frozenset[bytes]:
    """Keywords that stand at the beginning of the key itself, not in the name it was assigned to."""
    words = {word for rule in rules if not rule.id.startswith(_GUESSED) for word in rule.keywords}
    words |= {prefix.lower() for prefix, _ in known.shapes if prefix} if known else set()
    return frozenset(word.encode() for word in words)


def _needles(words: Sequence[bytes], prefixes: frozenset[bytes], known: KnownKeys | None) -> tuple[Needle, ...]:
    stems = {_stem(word.decode()) for word in words}
    nested = {_USUAL, *(prefix for prefix, _ in known.shapes if prefix)} if known else {_USUAL}
    return make_needles(
        tuple(sorted(stem for stem in stems if len(stem) >= _SHORTEST_NEEDLE)),
        tuple(sorted(word.decode() for word in prefixes)),
        tuple(sorted(nested)),
    )


def _stem(word: str) -> str:
    """What of a keyword is worth looking for in other encodings: the name without what stands behind it."""
    return "://" if "://" in word else word.removesuffix("%3d").rstrip(" =:\"'\\>])\r\n")


def _rebuilt(rules: tuple[Rule, ...] | None, known: KnownKeys | None, engine: EngineName, *flags: bool) -> Detector:
    decode, entropy = flags
    return Detector(BUILTIN if rules is None else rules, known, engine=engine, decode=decode, entropy=entropy)
