"""Find secrets in a terminal's output, as it is written and as the screen shows it, and cover their characters.

Covers keep the number of characters, so that full-screen programs stay in shape, and byte counts and times of a
recording stay valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.redact.masks import masked_already
from provision.redact.stand_ins import RULE
from provision.redact.terminal.canvas import NOWHERE
from provision.redact.terminal.control_strings import ControlStrings
from provision.redact.terminal.screen import Screen
from provision.redact.terminal.seen_pieces import SeenPieces
from provision.redact.terminal.views import cut_at_edges, joined_lines, panes_of_screen, rows_of_screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from provision.redact.session import Session
    from provision.redact.stand_ins import Found

TAIL_CHARACTERS = 8192
"""How much of the earlier output is searched again together with new output."""
BATCH_CHARACTERS = 1 << 16
PART_RULE = "part-of-key"
"""What is readable of a key that was seen before, or that the edge of a pane cuts."""
_KEY = r"[A-Za-z0-9_.~+/=-]"
_BEGUN = re.compile(
    r"""(?x)
    (?<![A-Za-z0-9])
    (?: (?: sk-(?:aisa-|ant-|or-v1-|proj-|svcacct-)? | [sr]k_(?:live|test)_ | gh[pousr]_ | github_pat_ | glpat- | xox[abprs]-
          | AIza | A(?:KI|SI)A | xai- | hf_ | gsk_ | hvs\. | npm_ | pypi- | pplx- | tvly- | fal_ | r8_ | AGE-SECRET-KEY-1 | eyJ
        ) (?P<body>KEY+)
      | (?i: (?:[A-Z0-9_.-]*[_.-])? (?: api_?key | apikey | token | secret | passw(?:or)?d | passphrase )
             ["']? \s? [=:] \s? ["']? | bearer[ ]
          | --(?:api-key|token|password|secret)[= ]
          | [ ](?:set[ ])?[A-Z0-9_]+_(?:API_KEY|TOKEN|SECRET)[ ])
        (?P<value>[^\s"'$*<\[({]{1,512})
    ) \Z """.replace("KEY", _KEY)
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<body>(?:(?!-----END)[\s\S])*)\Z")


@dataclass(frozen=True, slots=True)
class OutputMatch:
    """A match and the origins of its characters in order; `NOWHERE` for characters without an origin."""

    match: Match
    origins: list[int]
    stand_in: Found | None = None
    """The value, if it gets a stand-in instead of a mask."""

    @property
    def first_origin(self) -> int:
        """The first origin. It identifies the key: a key that grows while it is typed keeps it."""
        return next((origin for origin in self.origins if origin != NOWHERE), NOWHERE)

    def note(self, session: Session, file: str, where: str) -> None:
        """Note that it is covered."""
        if self.stand_in:
            session.note_stand_in(file, where, self.stand_in)
        else:
            session.note(file, where, self.match)

    def covers(self, session: Session) -> dict[int, str]:
        """Return a mask of equal length, character by character."""
        if self.stand_in and session.also:
            mask = session.also.fit(self.stand_in, len(self.origins))
        else:
            mask = session.masker.fit(self.match.rule, self.match.secret.reveal(), len(self.origins))
        return {origin: mask[i] for i, origin in enumerate(self.origins) if origin != NOWHERE}


class OutputScanner:
    """Searches output while it arrives: the screen, and the last output as text."""

    def __init__(self, session: Session, columns: int, rows: int) -> None:
        self._detector = session.detector
        self.screen = Screen(columns, rows)
        self.origin = 0
        self._tail = ""
        self._new = 0
        self._bare = any(not prefix for prefix, _ in session.detector.known.shapes) if session.detector.known else False
        self._pieces = SeenPieces()
        self._cut = False
        self._also, self._taken = session.also, 0

    def take(self, text: str) -> Iterator[OutputMatch]:
        """Take output and yield every secret on changed lines of the screen. A secret may come again, also longer."""
        self.screen.feed(text, self.origin)
        self.origin += len(text)
        self._taken = len(text)
        self._tail += text
        self._new += len(text)
        seen = self.screen.changed_lines()
        if seen.text.strip():
            found = [*self._search(seen.text, seen.origins), *self._on_screen()]
            yield from found
            if self._pieces:
                known = {origin for each in found for origin in each.origins}
                parts = self._parts(self._pieces.found_in(seen))
                yield from (part for part in parts if not known.issuperset(part.origins))

    def _on_screen(self) -> Iterator[OutputMatch]:
        """Yield what only the whole screen shows: columns, panes, and parts of keys that an edge cuts."""
        grid = self.screen.grid()
        rows = rows_of_screen(grid)
        may_show = self._bare or self._also or self.screen.on_alternate
        if not may_show and not self._detector.hits(_ascii(rows.text)):
            return
        yield from self._search(rows.text, rows.origins)
        panes = panes_of_screen(grid)
        for pane in panes:
            lines = joined_lines(pane, bordered=len(panes) > 1)
            yield from self._search(lines.text, lines.origins)
            if self.screen.on_alternate:
                parts = list(cut_at_edges(pane, guess_right=self._bare, seen=self._cut))
                self._cut = self._cut or bool(parts)
                yield from self._parts(parts)

    def _parts(self, parts: Iterable[tuple[str, Sequence[int]]]) -> Iterator[OutputMatch]:
        for text, origins in parts:
            span = ((0, len(text)),)
            match = Match(PART_RULE, FindingSeverity.HIGH, Confidence.LOW, span, Secret(text), (), None, None)
            yield OutputMatch(match, list(origins))

    @property
    def unread(self) -> int:
        """The number of characters that `matches_in_text` has not searched yet."""
        return self._new

    def matches_in_text(self) -> Iterator[OutputMatch]:
        """Yield every secret in the output as text since the last call, with some earlier output as context."""
        window = self._tail[-(TAIL_CHARACTERS + self._new) :]
        base = self.origin - len(window)
        yield from self._search(window, range(base, base + len(window)))
        self._tail, self._new = window[-TAIL_CHARACTERS:], 0

    def unfinished(self) -> set[int]:
        """Return the origins of a possible beginning of a secret: where something was just typed, or in an open private key."""
        found: set[int] = set()
        for x, y in {self.screen.cursor, *self.screen.typed_ends}:
            seen = self.screen.before(x, y)
            match = _BEGUN.search(seen.text, max(0, len(seen.text) - 1024))
            if match:
                found.update(seen.origins[slice(*match.span("body" if match["body"] else "value"))])
        key = _PEM.search(self._tail)
        if key:
            base = self.origin - len(self._tail)
            found.update(
                base + i for i in range(*key.span("body")) if self._tail[i].isalnum() or self._tail[i] in "+/="
            )
        return found - {NOWHERE}

    def _search(self, text: str, origins: Sequence[int]) -> Iterator[OutputMatch]:
        for match in self._detector.scan(_ascii(text)):
            value = match.secret.reveal()
            if not masked_already(value):
                self._pieces.learn(value)
                yield OutputMatch(match, [origins[i] for start, end in match.spans for i in range(start, end)])
        for found in self._also.find(text) if self._also else ():
            if origins[found.end - 1] == self.origin - 1 and self._taken < len(found.value):
                continue  # being typed: the word may go on
            span, secret = ((found.start, found.end),), Secret(found.value)
            match = Match(RULE + found.kind, FindingSeverity.LOW, Confidence.LOW, span, secret, (), None, None)
            yield OutputMatch(match, list(origins[found.start : found.end]), found)


def _ascii(text: str) -> bytes:
    """One byte per character: offsets are the same."""
    return text.encode("ascii", "replace")


class RecordingScanner:
    """Searches a complete recording. A key is covered from its first character, even if it is found only with its last."""

    def __init__(self, session: Session, columns: int, rows: int, name: str) -> None:
        self.watch = OutputScanner(session, columns, rows)
        self._session, self._name = session, name
        self._found: dict[int, OutputMatch] = {}
        self._strings = ControlStrings(session, name)
        self._divided = 0
        self._starred: dict[int, str] = {}

    def take(self, text: str) -> None:
        """Take more of the recording."""
        self._divide(text)
        self._keep(self.watch.take(text))
        if self.watch.unread >= BATCH_CHARACTERS:
            self._keep(self.watch.matches_in_text())

    def _keep(self, new: Iterable[OutputMatch]) -> None:
        for found in new:
            known = self._found.get(found.first_origin)
            if found.first_origin != NOWHERE and (known is None or len(found.origins) >= len(known.origins)):
                self._found[found.first_origin] = found

    def _divide(self, text: str, *, last: bool = False) -> None:
        for part in self._strings.take(text, last=last):
            if part.covered:
                pairs = enumerate(zip(part.text, part.stars(), strict=True), self._divided)
                self._starred |= {origin: star for origin, (before, star) in pairs if before != star}
            self._divided += len(part.text)

    def covers(self, where: Callable[[int], str]) -> dict[int, str]:
        """Return the replacement of each origin to cover. Notes each secret at the place of its first character."""
        self._keep(self.watch.matches_in_text())
        self._divide("", last=True)
        covers = self._starred
        for found in sorted(self._found.values(), key=lambda found: -len(found.origins)):
            new = {origin: cover for origin, cover in found.covers(self._session).items() if origin not in covers}
            if new:
                found.note(self._session, self._name, where(found.first_origin))
            covers |= new
        return covers


def lay_covers(text: str, base: int, covers: Mapping[int, str]) -> str:
    """Return the text with covers applied. A character of several bytes is replaced by as many stars."""
    if not covers:
        return text
    characters = list(text)
    for origin, cover in covers.items():
        index = origin - base
        if 0 <= index < len(characters):
            width = len(characters[index].encode("utf-8", "surrogatepass"))
            characters[index] = cover if width == 1 else "*" * width
    return "".join(characters)
