"""Find secrets in a terminal's output, as it is written and as the screen shows it, and cover their characters.

Covers keep the number of characters, so that full-screen programs stay in shape, and byte counts and times of a
recording stay valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.redact.masks import masked_already
from provision.redact.terminal.canvas import NOWHERE
from provision.redact.terminal.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from provision.detect.match import Match
    from provision.redact.session import Session

TAIL_CHARACTERS = 8192
"""How much of the earlier output is searched again together with new output."""
BATCH_CHARACTERS = 1 << 16
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

    @property
    def first_origin(self) -> int:
        """The first origin. It identifies the key: a key that grows while it is typed keeps it."""
        return next((origin for origin in self.origins if origin != NOWHERE), NOWHERE)

    def covers(self, session: Session) -> dict[int, str]:
        """Return a mask of equal length, character by character."""
        value = self.match.secret.reveal()
        mask = session.masker.fit(self.match.rule, value, len(self.origins))
        return {origin: mask[i] for i, origin in enumerate(self.origins) if origin != NOWHERE}


class OutputScanner:
    """Searches output while it arrives: the screen, and the last output as text."""

    def __init__(self, session: Session, columns: int, rows: int) -> None:
        self._detector = session.detector
        self.screen = Screen(columns, rows)
        self.origin = 0
        self._tail = ""
        self._new = 0

    def take(self, text: str) -> Iterator[OutputMatch]:
        """Take output and yield every secret on changed lines of the screen. A secret may come again, also longer."""
        self.screen.feed(text, self.origin)
        self.origin += len(text)
        self._tail += text
        self._new += len(text)
        seen = self.screen.changed_lines()
        if seen.text.strip():
            yield from self._search(seen.text, seen.origins)

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
        """Return the origins of a possible beginning of a secret: before the cursor, or in a private key that has not ended."""
        seen = self.screen.before_cursor()
        found: set[int] = set()
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
        data = text.encode("ascii", "replace")  # one byte per character: offsets are the same
        for match in self._detector.scan(data):
            if not masked_already(match.secret.reveal()):
                yield OutputMatch(match, [origins[i] for start, end in match.spans for i in range(start, end)])


class RecordingScanner:
    """Searches a complete recording. A key is covered from its first character, even if it is found only with its last."""

    def __init__(self, session: Session, columns: int, rows: int) -> None:
        self.watch = OutputScanner(session, columns, rows)
        self._session = session
        self._found: dict[int, OutputMatch] = {}

    def take(self, text: str) -> None:
        """Take more of the recording."""
        self._keep(self.watch.take(text))
        if self.watch.unread >= BATCH_CHARACTERS:
            self._keep(self.watch.matches_in_text())

    def _keep(self, new: Iterable[OutputMatch]) -> None:
        for found in new:
            known = self._found.get(found.first_origin)
            if found.first_origin != NOWHERE and (known is None or len(found.origins) >= len(known.origins)):
                self._found[found.first_origin] = found

    def covers(self, file: str, where: Callable[[int], str]) -> dict[int, str]:
        """Return the replacement of each origin to cover. Notes each secret at the place of its first character."""
        self._keep(self.watch.matches_in_text())
        covers: dict[int, str] = {}
        for found in sorted(self._found.values(), key=lambda found: -len(found.origins)):
            new = {origin: cover for origin, cover in found.covers(self._session).items() if origin not in covers}
            if new:
                self._session.note(file, where(found.first_origin), found.match)
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
