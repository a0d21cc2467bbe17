"""Decide what to mask in a batch of lines, and what its last line carries over to the next batch.

Most lines are scanned together. Special lines are decided one after the other, each with the lines before it and never with
later ones: a line that ends in the beginning of a key, the lines in which the key continues, the lines of a base64 block, and
the body of a private key.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from provision.detect.engines.needles import BASE64_KINDS, NeedleKind
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.not_secret import is_not_secret
from provision.detect.private_key import BEGIN, END, KeyLine, PrivateKeyLines
from provision.detect.rules.keys import KEY_BODY_RULE, PRIVATE_KEY_RULES
from provision.detect.secret import Secret
from provision.detect.shapes import AISA_KEY_LENGTH, aisa_shaped, is_placeholder
from provision.detect.stream.carry_over import (
    CUT_RULE,
    CarryOver,
    OpenKey,
    OpenPrivateKey,
    continues_key,
    partial_match,
)
from provision.detect.views.continued import same_beginning
from provision.detect.views.encodings import decoded_views
from provision.detect.views.split_keys import (
    KEY_RUN,
    begins_other_text,
    has_mixed_characters,
    inside_word,
    key_start,
    row_end,
)
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Container

    from provision.detect.detector import WindowScan
    from provision.detect.match import Span

MaskedRange = tuple[int, int, Match]
_CONTEXT_BYTES = 768
_INDENT = lazy_regex(rb"[ \t]{0,200}(?:\xe2\x94\x82[ \t]{0,8}|\|[ \t]{1,8})?")
_LINE_END = lazy_regex(rb"[ \t]{0,200}(?:\xe2\x94\x82[ \t]{0,8}|\|[ \t]{0,8}|\\)?\r?\n")
_KEY_BYTES = 4096
_AISA = b"sk-aisa-"
_BODY = 6
_FILE_NAME = lazy_regex(rb"[\w.+-]{1,80}\.(?:[a-z]{1,5}|[a-z]{1,4}[0-9])")
"""The end of a line with a dot is a file's name (`fc-cache.1.gz`), not a key's beginning."""
_ENCODED = (*BASE64_KINDS, NeedleKind.HEX)


class LineBatch:
    """One batch of lines."""

    def __init__(self, state: CarryOver, text: bytes, base: int, look: WindowScan) -> None:
        self._state = state
        self._text = text
        self._base = base
        self._hits = look.hits
        prefixes = state.detector.prefixes
        self._starts = [start for word, start in look.hits.words if word in prefixes]
        self._starts += look.hits.needles.get(NeedleKind.MARK, ())
        self._key_starts = {key_start(text, place) for place in self._starts}  # a list of keys is not a wrapped key
        self._masks: dict[int, list[MaskedRange]] = {}
        self._special: set[int] = set()
        self._tails: dict[int, Span] = {}
        self._cut: dict[int, int] = {}
        self._key_bodies: dict[int, Match] = {}
        self._sort(look.matches)
        self._find_tails()

    def masks(self) -> list[MaskedRange]:
        """Return all ranges to mask, in order."""
        return [mask for line in sorted(self._masks) for mask in sorted(self._masks[line], key=lambda mask: mask[:2])]

    def run(self) -> None:
        """Decide the special lines."""
        queue = list({*self._special, *self._tails, *self._cut, *self._key_bodies, *self._pem_lines()})
        if self._state.open or self._state.pem:
            queue.append(self._base)
        heapq.heapify(queue)
        done = -1
        while queue:
            start = heapq.heappop(queue)
            if start <= done or start >= len(self._text):
                continue
            done = start
            end = self._line_end(start)
            self._line(start, end)
            if self._state.open or self._state.pem:
                heapq.heappush(queue, end)

    def _sort(self, matches: list[Match]) -> None:
        """Keep matches within one line as they are; the lines of other matches are special."""
        for match in matches:
            start = self._line_start(match.start)
            if match.end <= self._line_end(start):
                if start >= self._base:
                    if match.rule == KEY_BODY_RULE and not match.encodings:
                        self._key_bodies.setdefault(start, match)
                    self._masks.setdefault(start, []).extend((*span, match) for span in match.spans)
            elif match.rule in PRIVATE_KEY_RULES:
                if self._base <= start < match.start:  # a key right before BEGIN was cut there because of later lines
                    self._special.add(start)
            else:
                while start < match.end:
                    if start >= self._base:
                        self._special.add(start)
                    start = self._line_end(start)

    def _find_tails(self) -> None:
        """Find keywords from which a key may extend to the end of its line, and keywords that a line end splits."""
        text = self._text
        places = [(start, True) for start in self._starts]
        places += [(start, False) for kind in _ENCODED for start in self._hits.needles.get(kind, ())]
        done = self._base
        for place, plain in sorted(places):
            if place < done or (plain and inside_word(text, place)):
                continue
            done = row_end(text, place, _KEY_BYTES)
            if _LINE_END.match(text, done):
                start = key_start(text, place) if plain else place
                self._tails.setdefault(self._line_start(place), (start, done))
        for place in self._hits.needles.get(NeedleKind.BROKEN, ()):
            following = self._line_end(self._line_start(place))
            if following >= self._base and not inside_word(text, place):
                self._cut[following] = place

    def _pem_lines(self) -> set[int]:
        if b"PRIVATE KEY" not in self._text and b"Private-Lines" not in self._text:
            return set()
        return {self._line_start(found.start()) for found in BEGIN.finditer(self._text, self._base)}

    def _line(self, start: int, end: int) -> None:
        if self._state.pem and self._pem_body(start, end):
            self._state.open = None
            return
        if start in self._special:
            self._masks[start] = self._with_context(start, end)
        opened, self._state.open = self._state.open, None
        if opened:
            self._continue(opened, start, end, self._key_starts)
        elif start in self._cut:
            self._continue(self._cut_keyword(self._cut[start]), start, end, ())
        if not self._state.open and start in self._tails:
            self._open_tail(start, end)
        self._pem_begins(start, end)

    def _with_context(self, start: int, end: int) -> list[MaskedRange]:
        """Scan a line together with the lines before it, but not with those after it."""
        first = self._line_start(max(start - _CONTEXT_BYTES, 0)) if start else 0
        masks: list[MaskedRange] = []
        for match in self._state.detector.scan_window(self._text[first:end]).matches:
            for low, high in match.moved(first).spans:
                low, high = max(low, start), min(high, end)  # noqa: PLW2901
                if low < high and self._text[low:high].strip():
                    masks.append((low, high, match))
        return masks

    def _cut_keyword(self, place: int) -> OpenKey:
        """Return the open key of a keyword that a line end splits; nothing is masked yet."""
        end = row_end(self._text, place, _KEY_BYTES)
        text = self._text[key_start(self._text, place) : end]
        before = self._text[self._line_start(place) : place]
        return OpenKey(text, end - self._line_start(place), 1, None, whole=False, before=before)

    def _continue(self, opened: OpenKey, start: int, end: int, others: Container[int]) -> None:
        """Continue an open key in the next line, unless one of the `others` begins there."""
        indent = _INDENT.match(self._text, start, end)
        at = indent.end() if indent else start
        same = same_beginning(opened.before, self._text[start:end]) if opened.before.strip() else None
        if same is not None:
            at = start + same
        head = KEY_RUN.match(self._text, at, end)
        if not head or not head[0] or len(opened.text) + len(head[0]) > _KEY_BYTES or head.start() in others:
            return
        if begins_other_text(self._text, head.start()):
            return
        content = len(self._text[start:end].rstrip(b"\r\n"))
        joined = opened.text + head[0]
        incomplete = len(joined) < AISA_KEY_LENGTH and joined.startswith(_AISA) and (same is not None or not at > start)
        fills = bool(_LINE_END.match(self._text, head.end())) and (head.end() - start == opened.width or incomplete)
        border = len(opened.text)
        if opened.whole and not continues_key(opened, head[0], content, b""):
            match = self._state.detector.known_at(joined, border)
        else:
            match = self._across(joined, border)
        if match:
            length = min(match.end - len(opened.text), len(head[0]))
            over = head.start() + length
            follows = self._text[over : over + 1]
            if opened.whole and not match.known and not continues_key(opened, head[0][:length], content, follows):
                return
        elif fills and (opened.match or self._beginning(joined) is not None):
            length = len(head[0])
        else:
            if fills and self._tail_word(joined):
                self._state.open = OpenKey(
                    joined, opened.width, opened.rows + 1, None, whole=False, before=opened.before
                )
            return
        shared = opened.match or match or partial_match(joined)
        self._mask(start, head.start(), head.start() + length, shared)
        if fills and length == len(head[0]):
            self._state.open = OpenKey(
                joined, opened.width, opened.rows + 1, shared, whole=bool(match), before=opened.before
            )

    def _across(self, joined: bytes, border: int) -> Match | None:
        for match in self._state.detector.scan_window(joined).matches:
            if match.start < border < match.end:
                return match
        return None

    def _tail_word(self, text: bytes) -> bool:
        """Return whether the text ends with a keyword."""
        detector = self._state.detector
        return any(
            word in detector.prefixes and at + len(detector.words[word]) == len(text)
            for word, at in detector.hits(text).words
        )

    def _open_tail(self, start: int, end: int) -> None:
        """Handle a line that ends in the beginning of a key, or in a key that may continue."""
        place, stop = self._tails[start]
        width = stop - start
        for low, high, match in self._masks.get(start, ()):
            if high > place and low <= stop:
                if high >= stop and not match.known and not aisa_shaped(self._text[low:high].decode("latin-1")):
                    begun = max(low, place)
                    before = self._text[start:begun]
                    self._state.open = OpenKey(self._text[begun:stop], width, 1, match, whole=True, before=before)
                return
        text = self._text[place:stop]
        partial = None
        beginning = self._beginning(text)
        if beginning is not None:
            partial = partial_match(text[beginning:])
            self._mask(start, place + beginning, stop, partial)
        self._state.open = OpenKey(text, width, 1, partial, whole=False, before=self._text[start:place])

    def _beginning(self, text: bytes) -> int | None:
        """Return the offset in `text` of an unfinished key that extends to the end; None when there is none."""
        detector = self._state.detector
        hits = detector.hits(text)
        for word, at in hits.words:
            if word in detector.prefixes and not inside_word(text, at) and self._is_partial_key(word, text, at):
                return key_start(text, at)
        for at in hits.needles.get(NeedleKind.MARK, ()):
            if not inside_word(text, at) and b"." in text[at:]:  # the part before the dot is public
                return at
        for view in decoded_views(text, hits):
            for word, at in detector.hits(view.text).words:
                if word in self._state.sure and KEY_RUN.fullmatch(view.text, at, len(view.text) - 1):
                    return view.original_offset(at)
        return None

    def _is_partial_key(self, word: int, text: bytes, at: int) -> bool:
        """Return whether there is more than a keyword, and not a placeholder."""
        begins = self._state.detector.words[word]
        key = text[at:]
        body = key[len(begins) :]
        if word in self._state.sure:
            return bool(body) and not is_placeholder(key.decode("latin-1"))
        distinctive = begins[-1:] in b"-_." or b".eyJ" in body or at - key_start(text, at) >= _BODY
        if not distinctive or len(body) < _BODY or not has_mixed_characters(body):
            return False
        if _FILE_NAME.fullmatch(body):
            return False
        return not is_not_secret(key.decode("latin-1"), CUT_RULE, b"")

    def _mask(self, line: int, start: int, end: int, match: Match) -> None:
        if start >= end:
            return
        others = [mask for mask in self._masks.get(line, ()) if mask[1] <= start or mask[0] >= end]
        self._masks[line] = [*others, (start, end, match)]

    def _pem_begins(self, start: int, end: int) -> None:
        """Open a private key that begins in this line and does not end in it."""
        begins = list(BEGIN.finditer(self._text, start, end))
        body = self._key_bodies.get(start)
        if begins and not END.search(self._text, begins[-1].end(), end):
            span = begins[-1].span()
            key = Match("private-key", FindingSeverity.CRITICAL, Confidence.HIGH, (span,), Secret("private key"))
            self._state.pem = OpenPrivateKey(key, PrivateKeyLines(self._text[start : span[0]]))
        elif body and not begins and not END.search(self._text, body.end, end):
            line = self._text[start : body.end]
            self._state.pem = OpenPrivateKey(body, PrivateKeyLines.begun(line, body.start - start))
        else:
            return
        self._state.open = None

    def _pem_body(self, start: int, end: int) -> bool:
        """Mask a line of a private key; return False if the line does not belong to it."""
        pem = self._state.pem
        assert pem is not None  # noqa: S101  checked by the caller
        kind, (first, last) = pem.lines.take(self._text[start:end])
        if kind is KeyLine.BODY:
            self._masks[start] = [(start + first, start + last, pem.match)]
        elif kind is not KeyLine.BETWEEN:
            self._state.pem = None
            return False
        return True

    def _line_start(self, place: int) -> int:
        return self._text.rfind(b"\n", 0, place) + 1

    def _line_end(self, start: int) -> int:
        return self._text.find(b"\n", start) + 1 or len(self._text)
