"""Decide what to mask in lines as they arrive: complete lines in order, an unfinished line as far as it is settled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.rules.columns import heads_secrets
from provision.detect.stream.batch import LineBatch
from provision.detect.stream.carry_over import CarryOver
from provision.detect.stream.tables import LONGEST_HEAD
from provision.detect.views.dumps import is_row
from provision.detect.views.encodings import base64_blocks
from provision.detect.views.split_keys import has_mixed_characters
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from provision.detect.detector import Detector
    from provision.detect.engines.hits import Hits
    from provision.detect.stream.batch import MaskedRange

CONTEXT_BYTES = 4 << 10
_REACH_BYTES = 1024
_LONGEST_KEYWORD = 64
_ITEM = (
    rb"(?:[\[{(<]*(?:\(byte\)|(?:\(byte\))?(?:0[xX]|U\+)?[0-9A-Fa-f]{1,4}(?:u8)?|[01]{8}|[\"']?[!-~][\"']?|[Cc][Hh][Aa]?[Rr]\([0-9]{2,3}\)"
    rb"|[&+.,|-]{1,2})[\])},;:]*[ \t\r]+)"
)
_LIST_END = lazy_regex(rb"(?<![^ \t=:\[{(])" + _ITEM + rb"+\Z")
_LIST_ENDS = lazy_regex(
    rb"(?<![^ \t=:\[{(])(?:"
    + _ITEM
    + rb"|[^ \t]*[\"'`][A-Za-z0-9_-]+[\"'`)][^ \t]*[ \t]+|[^ \t]*[A-Za-z0-9_-][\\`^][^ \t]*[ \t\r]+)+\Z"
)
_VALUES_FOLLOW = lazy_regex(rb"(?i)\bvalues?[ \t\r]*\n\Z")
_PIPED = lazy_regex(rb"\b(?:echo|printf)[ \t]")
"""What shows only at its end that a password was piped: `echo word | sudo -S`."""
_FRAGMENT = lazy_regex(rb"[A-Za-z0-9_-]{6,}")


class Lines:
    """Takes complete lines in order and remembers what they carry over."""

    def __init__(self, detector: Detector) -> None:
        self._context = b""
        self._before: bytes | None = None
        self._row: bool | None = None
        sure = frozenset(index for index, word in detector.prefixes.items() if word in detector.sure)
        bare = detector.known is not None and any(not prefix for prefix, _ in detector.known.shapes)
        self._state = CarryOver(detector, sure, bare)

    def forget(self) -> None:
        """Forget the lines so far, because bytes followed that were not passed to `masks`."""
        self._context, self._before, self._row, self._state.open, self._state.pem = b"", None, None, None, None

    def preview(self, line: bytes) -> list[MaskedRange]:
        """Return what would be masked if the line ended here; the state does not change."""
        context, state = self._context, self._state
        self._state = replace(state, pem=state.pem.copy() if state.pem else None)
        masks = self.masks(line)
        self._context, self._state = context, state
        return masks

    def settled(self, line: bytes, given: int) -> tuple[int, bool]:
        """Return how many bytes of this unfinished line are settled, and whether no more can settle before the line ends.

        Settled bytes can neither be masked nor change what is masked after them. `given` bytes were settled before.
        """
        if self._state.open or self._state.pem:
            return given, True
        end = max(line.rfind(each) for each in (b" ", b"\t", b"\r")) + 1
        if end <= given:
            return given, False
        if is_row(line, 0) or _PIPED.search(line) or self._row_follows():
            return given, True
        end = min(end, self._list_start(line, given, end))
        if end <= given:
            return given, False
        if self._continues_keyword(line):
            return given, True
        first = max(given - _REACH_BYTES, 0)
        before = self._lines_before() if not first else b""
        offset = first - len(before)
        matches, hits = self._state.detector.scan_window(before + line[first:end])
        stop = min([end, *(offset + match.start for match in matches if match.end > len(before))])
        for starts in hits.needles.values():
            if starts[-1] >= len(before):
                start = next(each for each in starts if each >= len(before))
                stop = min(stop, _word_start(line, offset + start))
        for word, start in hits.words:
            if start < len(before):
                continue
            after = offset + start + len(self._state.detector.words[word])
            named = word not in self._state.detector.prefixes
            if not named or line[after:].strip(b" :="):  # else a prompt: the answer is held back when it arrives
                stop = min(stop, _word_start(line, offset + start))
                break  # the next ones begin later
        return max(stop, given), stop < end

    def _list_start(self, line: bytes, given: int, end: int) -> int:
        """Return where the bytes, characters or literals at the end of the settled words begin: more of them may follow."""
        first = max(given, end - _REACH_BYTES)
        found = (_LIST_ENDS if self._state.bare else _LIST_END).search(line, first, end)
        stop = found.start() if found else end
        if self._state.bare:
            fragments = (
                _word_start(line, each.start())
                for each in _FRAGMENT.finditer(line, first, end)
                if has_mixed_characters(each[0])
            )
            stop = min(stop, next(fragments, stop))
        return stop

    def _lines_before(self) -> bytes:
        """Return the last lines if a match may begin in them and extend into this one; else nothing."""
        if self._before is None:
            lines = self._context[self._context.rfind(b"\n", 0, -_REACH_BYTES) + 1 :]
            hits = self._state.detector.hits(lines)
            self._before = lines if hits or base64_blocks(lines, hits) else b""
        return self._before

    def _row_follows(self) -> bool:
        """Return whether this line may be a row of a table with secrets, which shows at its end what is in which column."""
        if self._row is None:
            context = self._context
            last = context.rfind(b"\n", 0, -1) + 1
            lines = context[context.rfind(b"\n", 0, max(last - 1, 0)) + 1 :].splitlines()
            heads = any(map(heads_secrets, lines)) or bool(_VALUES_FOLLOW.search(context, last))
            self._row = (
                heads or self._state.detector.open_at(context, self._state.detector.hits(context), last) is not None
            )
        return self._row

    def _continues_keyword(self, line: bytes) -> bool:
        """Return whether the previous line ends in the beginning of a keyword that continues in this one."""
        before = self._context[-_LONGEST_KEYWORD:]
        places = self._state.detector.hits(before + line[:_LONGEST_KEYWORD]).needles.get(NeedleKind.BROKEN, ())
        return any(before.find(b"\n", place) == len(before) - 1 for place in places)

    @property
    def context(self) -> bytes:
        """The last lines so far, with which the next ones are scanned."""
        return self._context

    def masks(self, lines: bytes, hits: Hits | None = None) -> list[MaskedRange]:
        """Return the ranges of `lines` to mask, in order; `hits` are those in the context and the lines.

        Only the very last line may be without a line end.
        """
        text = self._context + lines
        base = len(self._context)
        look = self._state.detector.scan_window(text, hits)
        work = LineBatch(self._state, text, base, look)
        work.run()
        self._context, self._before, self._row = self._kept(text, look.hits), None, None
        return [(start - base, end - base, match) for start, end, match in work.masks()]

    def _kept(self, text: bytes, hits: Hits) -> bytes:
        """Return the last lines, behind the head of the table or list that they continue, however far above it is."""
        if len(text) <= CONTEXT_BYTES:
            return text
        keep = text.find(b"\n", len(text) - CONTEXT_BYTES - 1) + 1
        opened = self._state.detector.open_at(text, hits, keep)
        if opened and len(opened.head) <= LONGEST_HEAD:
            return opened.head + text[opened.at :]
        return text[keep:]


def _word_start(line: bytes, place: int) -> int:
    return max(line.rfind(each, 0, place) for each in (b" ", b"\t", b"\r")) + 1
