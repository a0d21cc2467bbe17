"""Find secrets in bytes: known keys first, then rules; in plain text, encoded, or wrapped by a terminal.

`Detector.scan` takes data in memory or a memory map, `scan_chunks` takes chunks. Both scan the same windows, so both return
the same matches wherever the chunks are cut.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.confirm import Confirmer
from provision.detect.engines.needle_plan import NeedleWords, planned_needles
from provision.detect.engines.prefilter import make_engine
from provision.detect.entropy import HINT
from provision.detect.policy import Policy
from provision.detect.resolve import resolve_overlaps
from provision.detect.rules.builtin import BUILTIN
from provision.detect.rules.columns import columns_of_secrets, open_table
from provision.detect.rules.pieces import is_one_run
from provision.detect.rules.several import open_members, several_values
from provision.detect.stream.sliding import Sliding, slide
from provision.detect.stream.tables import TableWindows
from provision.detect.views.continued import bare_chains, chains, known_in, whole_keys
from provision.detect.views.encodings import base64_blocks, decoded_views
from provision.detect.views.lists import listed_views
from provision.detect.views.packed import packed_views
from provision.detect.views.rows import row_views, rows_of
from provision.detect.views.signs import shown_views
from provision.detect.views.spelling import spelled_views
from provision.detect.views.split_keys import colour_views, wrapped_keys
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provision.detect.engines.hits import Hits
    from provision.detect.engines.prefilter import EngineName
    from provision.detect.known import KnownKeys
    from provision.detect.match import Match
    from provision.detect.rule import Rule
    from provision.detect.rules.columns import OpenTable
    from provision.detect.views.continued import Chain
    from provision.detect.views.view import View

WINDOW_BYTES = 1 << 20
"""Size of one window: large enough that the overlaps cost little, small enough for a CPU cache."""
OVERLAP_BYTES = 64 << 10
"""How far a window reaches beyond its own bytes: a secret and the context that identifies it may be this long."""
_NESTING = 3
_SHORTEST_NEEDLE = 3
_BESIDE = "assigned-by-"
"""How the ids of the rules begin that find a value by the name beside it, in words, commands, tags and tables."""
_USUAL = "sk-"
_DECLARED = lazy_regex(r" (?:string|(?:\.|\+|\?{1,2}|\|\|)=)$")
"""What follows a name in `var name string = …`, `$name .= …`."""
_NESTED = (
    "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "akia", "asia", "aiza", "xoxb-", "xoxp-", "eyj", "hf_", "npm_", "gsk_",
    "pypi-",
)  # fmt: skip
"""Prefixes of other services that are searched for in base64 of base64."""
_GUESSED = ("assigned-", "high-entropy", "dsn-", "named-")


class WindowScan(NamedTuple):
    """The result for one window: matches, sorted and without overlaps, and the engine's hits."""

    matches: list[Match]
    hits: Hits


class BlockScan(NamedTuple):
    """The result for complete lines of a stream: matches over lines, which lines are settled, whether a dump continues."""

    matches: list[Match]
    settled: int
    inside: bool


class Detector:
    """Compiled rules and known keys. It pickles as its arguments, so each worker process compiles its own."""

    def __init__(
        self,
        rules: Sequence[Rule] = BUILTIN,
        known: KnownKeys | None = None,
        *,
        engine: EngineName = "auto",
        decode: bool = True,
        entropy: bool = False,
        policy: Policy = Policy.AUDIT,
    ) -> None:
        # the built-in rules hold functions, which cannot be pickled
        self._arguments = (None if rules is BUILTIN else tuple(rules), known, engine, policy, decode, entropy)
        rules = policy.rules(rules)
        self._decode = decode
        self._confirmer = Confirmer((*rules, HINT) if entropy else tuple(rules), known, policy)
        words = self._confirmer.words
        prefixes = _prefixes(rules, known)
        several = {word.lower().encode() for rule in rules if not is_one_run(rule) for word in rule.keywords}
        several |= {prefix.lower().encode() for prefix, _ in known.shapes} if known else set()
        self._in_runs = frozenset(index for index, word in enumerate(words) if word not in several)
        self._prefixes = {index: word for index, word in enumerate(words) if word in prefixes}
        own = {prefix.lower().encode() for prefix, _ in known.shapes if len(prefix) > len(_USUAL)} if known else set()
        self._sure = frozenset({b"sk-aisa-", *own})
        spelled = {b"sk-aisa-": b"sk-aisa-"}
        for prefix, _ in known.shapes if known else ():
            if len(prefix) > len(_USUAL):
                spelled[prefix.lower().encode()] = prefix.encode()
        self._spellings = {index: spelled[word] for index, word in enumerate(words) if word in spelled}
        needles = planned_needles(_needle_words(rules, words, prefixes, known, decode=decode))
        self._engine = make_engine(engine, words, needles, self._confirmer.gates)

    @property
    def policy(self) -> Policy:
        """What of the things that it finds counts."""
        return self._arguments[3]

    @property
    def known(self) -> KnownKeys | None:
        """The keys it recognises by fingerprint."""
        return self._arguments[1]

    def digest(self) -> str:
        """Return a digest that is equal for detectors with the same rules, known keys and options; it reveals no key.

        Functions of built-in rules are the program's: they change with its version.
        """
        rules, known, _, policy, decode, entropy = self._arguments
        seen = hashlib.sha256(repr((str(policy), decode, entropy)).encode())
        for rule in policy.rules(BUILTIN if rules is None else rules):
            accepts = rule.accept if is_dataclass(rule.accept) else None  # the allow lists of a rules file
            data = (rule.id, rule.keywords, rule.pattern, rule.entropy, rule.mark, rule.reach, rule.gate, accepts)
            seen.update(repr(data).encode())
        if known:
            seen.update(repr((known.salt, sorted(known.shapes), sorted(known.by_fingerprint))).encode())
        return seen.hexdigest()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, self._arguments

    def scan(self, data: bytes | mmap.mmap | memoryview) -> list[Match]:
        """Return every secret in `data`, sorted by offset; of overlapping matches the best one (see `resolve`)."""
        if len(data) < WINDOW_BYTES + OVERLAP_BYTES:  # one window, as nearly all files are
            return self._whole_window(bytes(data), None)[0]
        return list(slide(data, TableWindows(self._whole_window), WINDOW_BYTES, OVERLAP_BYTES))

    def scan_chunks(self, chunks: Iterable[bytes]) -> Iterator[Match]:
        """Yield the same for chunks of any size, with offsets into the whole; memory stays bounded."""
        sliding = Sliding(TableWindows(self._whole_window), WINDOW_BYTES, OVERLAP_BYTES)
        for chunk in chunks:
            yield from sliding.feed(chunk)
        yield from sliding.finish()

    def scan_window(self, data: bytes, hits: Hits | None = None) -> WindowScan:
        """Scan `data` (with the `hits` in it) without joining keys that continue in the next line: `stream` does that itself."""
        hits = self.hits(data) if hits is None else hits
        found = self._found(data, hits, hits.of(self._prefixes), _NESTING if self._decode else 0)
        return WindowScan(resolve_overlaps(found), hits)

    def blocks(self, data: bytes, start: int, hits: Hits, *, inside: bool, last: bool) -> BlockScan:
        """Scan the complete lines from `start` on for what spans lines. `hits` are those in `data`.

        `inside`: the first line continues a dump; `last`: no more lines follow.
        """
        if not self._decode:
            return BlockScan([], len(data), inside=False)
        hits = hits.since(max(start - 1, 0))
        rows = rows_of(data, hits, start if inside else None, last=last)
        settled, matches = rows.settled, list(self._through(rows.views, _NESTING))
        for chain in self._chains(data, hits, start):
            at = chain.ranges[0][0]
            if any(first <= at < end for first, end, _ in rows.dumps) or (chain.way == "wrapped" and not chain.bare):
                continue  # `batch` follows a key with a prefix through lines
            if not chain.open or last:
                matches += self._in_chain(data, chain)
            else:
                settled = min(settled, data.rfind(b"\n", 0, at) + 1)
        return BlockScan(resolve_overlaps(matches), settled, inside=settled == rows.settled and rows.inside)

    def _in_chain(self, data: bytes, chain: Chain) -> Iterator[Match]:
        if chain.bare:
            candidates = self._confirmer.candidates
            if candidates and (match := known_in(data, chain, candidates.whole)):
                yield match
        else:
            yield from whole_keys(data, chain, self._plain)

    def known_at(self, data: bytes, longer_than: int) -> Match | None:
        """Return the known key at the beginning of `data` that is longer than `longer_than` bytes."""
        return self._confirmer.known_at(data, longer_than)

    def hits(self, data: bytes) -> Hits:
        """Return the keywords, needles and gates in `data`."""
        return self._engine.hits(data)

    @property
    def sure(self) -> frozenset[bytes]:
        """Keywords that occur only in keys: the gateway's prefix and the prefixes of the known keys."""
        return self._sure

    @property
    def prefixes(self) -> Mapping[int, bytes]:
        """The keywords that begin a key, by their index in `Hits.words`."""
        return self._prefixes

    @property
    def words(self) -> Sequence[bytes]:
        """All keywords, lower case, in the order of `Hits.words`."""
        return self._confirmer.words

    def _whole_window(self, data: bytes, since: int | None) -> tuple[list[Match], OpenTable | None]:
        hits = self.hits(data)
        if not hits and not self._confirmer.scans_everything and not (self._decode and base64_blocks(data, hits)):
            return [], None  # most files
        table = None if since is None else self.open_at(data, hits, since)
        return resolve_overlaps(self._matches(data, hits, _NESTING if self._decode else 0)), table

    def open_at(self, data: bytes, hits: Hits, since: int) -> OpenTable | None:
        """Return the head of the table or of the list of secrets that has rows from `since` on."""
        table = open_table(data, self._confirmer.ranges(columns_of_secrets, data, hits), since)
        return table or open_members(data, self._confirmer.ranges(several_values, data, hits), since)

    def _matches(self, data: bytes, hits: Hits, nesting: int) -> Iterator[Match]:
        """Yield all matches, unsorted and with overlaps."""
        keys = hits.of(self._prefixes)
        yield from self._found(data, hits, keys, nesting)
        if nesting:
            if keys.words or keys.needles:
                yield from wrapped_keys(data, keys, self._prefixes, self._plain)
            for chain in self._chains(data, keys):
                yield from self._in_chain(data, chain)
            if keys.needles:
                yield from self._through(row_views(data, keys), nesting)

    def _chains(self, data: bytes, hits: Hits, start: int = 0) -> Iterator[Chain]:
        """Yield what may be keys in several pieces, from `start` on."""
        yield from chains(data, hits, self._prefixes)
        candidates = self._confirmer.candidates
        if candidates and candidates.stand_alone:
            yield from bare_chains(data, start, candidates.longest_bare)

    def _inside(self, text: bytes, nesting: int) -> Iterator[Match]:
        return self._matches(text, self.hits(text), nesting)

    def _found(self, data: bytes, hits: Hits, keys: Hits, nesting: int) -> Iterator[Match]:
        """Yield the matches of rules in `data` and in views of it; `keys` are those of the hits that may begin a key."""
        yield from self._confirmer.matches(data, hits)
        if not nesting:
            return
        yield from self._through(decoded_views(data, hits, self._in_runs), nesting)
        if keys.words or keys.needles:  # most text has neither
            views = (
                colour_views(data, keys),
                shown_views(data, keys, self._prefixes),
                listed_views(data, keys),
                packed_views(data, keys),
                spelled_views(data, keys, self._spellings),
            )
            yield from self._through(itertools.chain(*views), nesting)

    def _plain(self, text: bytes) -> list[Match]:
        """Return the matches in a joined text, without decoding it."""
        return resolve_overlaps(self._inside(text, 0))

    def _through(self, views: Iterable[View], nesting: int) -> Iterator[Match]:
        """Yield the matches in views, mapped back."""
        for view in views:
            for match in self._inside(view.text, nesting - 1):
                if original := view.to_original(match):
                    yield original


def _prefixes(rules: Sequence[Rule], known: KnownKeys | None) -> frozenset[bytes]:
    """Keywords at the beginning of the key itself, not in the name it is assigned to."""
    words = {word for rule in rules if not rule.id.startswith(_GUESSED) for word in rule.keywords}
    words |= {prefix.lower() for prefix, _ in known.shapes if prefix} if known else set()
    return frozenset(word.encode() for word in words)


def _encoded_words(rules: Iterable[Rule], words: Sequence[bytes]) -> list[bytes]:
    """Return the keywords that are searched for in other encodings too.

    The many names in words, other languages, commands and tables are not: they made the pass over clean source four times as
    long, and text that holds another keyword is decoded and searched for all of them.
    """
    chosen = {word.lower().encode() for rule in rules if not rule.id.startswith(_BESIDE) for word in rule.keywords}
    return [word for word in words if word in chosen]


def _needle_words(
    rules: Sequence[Rule], words: Sequence[bytes], prefixes: frozenset[bytes], known: KnownKeys | None, *, decode: bool
) -> NeedleWords:
    stems = {_stem(word.decode()) for word in _encoded_words(rules, words)}
    own = tuple(sorted({_USUAL, *(prefix for prefix, _ in known.shapes if prefix)} if known else {_USUAL}))
    return NeedleWords(
        marks=tuple(rule.mark for rule in rules if rule.mark),
        keywords=tuple(sorted(stem for stem in stems if len(stem) >= _SHORTEST_NEEDLE)),
        prefixes=tuple(sorted(word.decode() for word in prefixes)),
        nested=(*own, *_NESTED),
        own=own,
        bare=known is not None and any(not prefix for prefix, _ in known.shapes),
        decode=decode,
    )


def _stem(word: str) -> str:
    """The part of a keyword to search for in other encodings: the name without the characters that follow it."""
    plain = _DECLARED.sub("", word.removesuffix("%3d"))
    return "://" if "://" in word else plain.rstrip(" =:\"'\\>])\r\n")


def _rebuilt(
    rules: tuple[Rule, ...] | None, known: KnownKeys | None, engine: EngineName, policy: Policy, *flags: bool
) -> Detector:
    decode, entropy = flags
    return Detector(
        BUILTIN if rules is None else rules, known, engine=engine, decode=decode, entropy=entropy, policy=policy
    )
