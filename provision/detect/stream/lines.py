"""What must be masked in lines as they come: whole ones in order, an unfinished one as far as it is settled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.stream.batch import LineBatch
from provision.detect.stream.carry_over import CarryOver

if TYPE_CHECKING:
    from provision.detect.detector import Detector
    from provision.detect.stream.batch import MaskedRange

CONTEXT_BYTES = 4 << 10
_REACH_BYTES = 1024
_LONGEST_KEYWORD = 64


class Lines:
    """Give it whole lines in order; it remembers what they leave open."""

    def __init__(self, detector: Detector) -> None:
        self._context = b""
        sure = frozenset(index for index, word in detector.prefixes.items() if word in detector.sure)
        self._state = CarryOver(detector, sure)

    def forget(self) -> None:
        """Something came between that was not given to `masks`: nothing before it counts."""
        self._context, self._state.open = b"", None

    def preview(self, line: bytes) -> list[MaskedRange]:
        """What would be masked if the line ended here; nothing is remembered."""
        context, state = self._context, self._state
        self._state = replace(state, pem=replace(state.pem) if state.pem else None)
        masks = self.masks(line)
        self._context, self._state = context, state
        return masks

    def settled(self, line: bytes, given: int) -> tuple[int, bool]:
        """How many bytes of this unfinished line can neither be masked nor change what is masked behind them.

        `given` of them were settled before. And whether that number cannot grow before the line ends.
        """
        if self._state.open or self._state.pem:
            return given, True
        end = max(line.rfind(each) for each in (b" ", b"\t", b"\r")) + 1
        if end <= given:
            return given, False
        if self._goes_on_in(line):
            return given, True
        first = max(given - _REACH_BYTES, 0)
        matches, hits = self._state.detector.scan_window(line[first:end])
        stop = min([end, *(first + match.start for match in matches)])
        for starts in hits.needles.values():
            stop = min(stop, _word_start(line, first + starts[0]))
        for word, start in hits.words:
            behind = first + start + len(self._state.detector.words[word])
            named = word not in self._state.detector.prefixes
            if not named or line[behind:].strip(b" :="):  # else a prompt: what will follow is held when it comes
                stop = min(stop, _word_start(line, first + start))
                break  # those that follow begin later
        return max(stop, given), stop < end

    def _goes_on_in(self, line: bytes) -> bool:
        """Whether the line before ends in the beginning of a keyword that goes on in this one."""
        before = self._context[-_LONGEST_KEYWORD:]
        places = self._state.detector.hits(before + line[:_LONGEST_KEYWORD]).needles.get(NeedleKind.BROKEN, ())
        return any(before.find(b"\n", place) == len(before) - 1 for place in places)

    def masks(self, lines: bytes) -> list[MaskedRange]:
        """The ranges of `lines` to mask, in order; each line but the last one ever must end in a line end."""
        text = self._context + lines
        base = len(self._context)
        work = LineBatch(self._state, text, base, self._state.detector.scan_window(text))
        work.run()
        keep = text.find(b"\n", max(len(text) - CONTEXT_BYTES, 0) - 1) + 1 if len(text) > CONTEXT_BYTES else 0
        self._context = text[keep:] if keep < len(text) else b""
        return [(start - base, end - base, match) for start, end, match in work.masks()]


def _word_start(line: bytes, place: int) -> int:
    return max(line.rfind(each, 0, place) for each in (b" ", b"\t", b"\r")) + 1
