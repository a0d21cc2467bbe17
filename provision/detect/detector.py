"""Find secrets in bytes: known keys first, then rules.

`Detector.scan` is for what fits into memory (or a memory map), `scan_chunks` for what does not. Both find the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from provision.detect.confirm import Confirmer
from provision.detect.resolve import resolved
from provision.detect.rules import BUILTIN

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Iterator, Sequence

    from provision.detect.known import KnownKeys
    from provision.detect.match import Match
    from provision.detect.rule import Rule

EngineName = Literal["auto", "hyperscan", "re2"]
CHUNK_BYTES = 1 << 20
OVERLAP_BYTES = 64 << 10


class Detector:
    """Rules and known keys, compiled. Pickles as its arguments, so that a worker process compiles its own."""

    def __init__(
        self,
        rules: Sequence[Rule] = BUILTIN,
        known: KnownKeys | None = None,
        *,
        engine: EngineName = "auto",
        decode: bool = True,
        entropy: bool = False,
    ) -> None:
        self._arguments = (tuple(rules), known, engine, decode, entropy)
        self._confirmer = Confirmer(tuple(rules), known)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, self._arguments

    def scan(self, data: bytes | mmap.mmap | memoryview) -> list[Match]:
        """Every secret in `data`, sorted by place; of overlapping ones the surest."""
        return resolved(self._confirmer.matches(data if isinstance(data, bytes) else bytes(data)))

    def scan_chunks(self, chunks: Iterable[bytes]) -> Iterator[Match]:
        """The same over what arrives in pieces, with offsets into the whole; memory stays bounded."""
        held, base, done = b"", 0, 0
        for chunk in chunks:
            held += chunk
            if len(held) < CHUNK_BYTES + 2 * OVERLAP_BYTES:
                continue
            limit = len(held) - OVERLAP_BYTES
            for match in self.scan(held):
                if match.start >= done and match.start < limit:
                    yield match.moved(base)
                    done = max(done, match.end)
            cut = limit - OVERLAP_BYTES
            done = max(limit, done) - cut
            base += cut
            held = held[cut:]
        for match in self.scan(held):
            if match.start >= done:
                yield match.moved(base)


def _rebuilt(
    rules: tuple[Rule, ...], known: KnownKeys | None, engine: EngineName, decode: bool, entropy: bool  # noqa: FBT001
) -> Detector:
    return Detector(rules, known, engine=engine, decode=decode, entropy=entropy)
