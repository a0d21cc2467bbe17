"""List what redaction would mask in a file, for the checklist: the same readers and detectors, without the output.

So the checklist covers everything that `redact` can read (text, recordings, databases, archives, pictures, PDFs,
videos), and a file that cannot be read is never called clean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from provision.containers.steps import spooled_file
from provision.detect.entropy import HINT
from provision.detect.known import KNOWN_RULE
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.errors import ProvisionError
from provision.redact.attributes import note_attributes
from provision.redact.checklist import ExposedSecret, NotExamined, ShownIn
from provision.redact.file_kinds import PICTURED
from provision.redact.files import STREAMABLE, kind_of_file, open_regular_file, redact_open, same_bytes
from provision.redact.masks import Masker, MaskStyle, masked_already
from provision.redact.notes import Masked, Notes
from provision.redact.session import CannotExamineError, Session
from provision.redact.structured import forms_of_file, redact_forms
from provision.redact.structured.dotenv import RULE as ENV_RULE
from provision.redact.structured.text_form import BEGINNING_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from provision.detect.detector import Detector
    from provision.detect.known_key import KnownKey
    from provision.redact.file_kinds import FileKind

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_CONFIG_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".toml", ".ini", ".conf", ".cfg"})


class _Tags(Masker):
    """Uses a known key's fingerprint as its tag, so that a known key read from pixels is recognised too."""

    def __init__(self, detector: Detector, run_key: bytes) -> None:
        super().__init__(MaskStyle.STARS, run_key)
        self._known = detector.known

    def known(self, value: str) -> KnownKey | None:
        return self._known.find(value.strip()) if self._known else None

    def by_fingerprint(self, tag: str) -> KnownKey | None:
        return self._known.by_fingerprint.get(tag) if self._known else None

    def tag(self, value: str) -> str:
        found = self.known(value)
        return found.fingerprint if found else super().tag(value)


@dataclass(frozen=True, slots=True)
class _Collecting(Session):
    """A session that collects exposed secrets. Its masks are discarded."""

    seen: list[ExposedSecret] = field(default_factory=list)

    def note(self, file: str, where: str, match: Match) -> None:
        self.seen.append(_sighting(file, where, match, _tags(self)))

    def masked_value(self, file: str, where: str, rule: str, value: str) -> str:
        if masked_already(value):
            return value
        tags = _tags(self)
        known = tags.known(value)
        shown = ShownIn.ENV if rule == ENV_RULE else _showing(file, where.rpartition(", ")[2])
        self.seen.append(ExposedSecret(file, where, KNOWN_RULE if known else rule, tags.tag(value), shown, known))
        return "*" * 8


@dataclass(frozen=True, slots=True)
class _Matching(Session):
    """A session that collects what the structure of a text shows as matches in it. Its masks are discarded."""

    data: bytes = b""
    seen: list[Match] = field(default_factory=list)

    def note(self, file: str, where: str, match: Match) -> None:
        self.seen.append(replace(match, spans=(self._span(match.secret.reveal()),)))

    def masked_value(self, file: str, where: str, rule: str, value: str) -> str:
        if not masked_already(value):
            name = re.split(r"[., ]", where)[-1]
            known = self.detector.known.find(value.strip()) if self.detector.known else None
            span = (self._span(value),)
            self.seen.append(
                Match(rule, FindingSeverity.MEDIUM, Confidence.MEDIUM, span, Secret(value), (), known, name)
            )
        return "*" * 8

    def _span(self, value: str) -> tuple[int, int]:
        """The place of a value; the beginning of the text if it is written with escapes."""
        start = max(self.data.find(value.encode("utf-8", "surrogatepass")), 0)
        return start, start + max(len(value), 1)


def structured_matches(data: bytes, file: str, detector: Detector, run_key: bytes) -> list[Match]:
    """Return the values that the form of a text shows to be secret, beside what the detector finds in its bytes."""
    matching = _Matching(detector, Masker(MaskStyle.STARS, run_key), notes=Notes(), data=data)
    redact_forms(forms_of_file(file, data[:BEGINNING_BYTES]), data, file, matching)
    return matching.seen


def preview_file(path: Path, detector: Detector, run_key: bytes) -> tuple[list[ExposedSecret], list[NotExamined]]:
    """Return the secrets in a file, and what in it could not be examined well enough.

    Problems with the file are returned as `NotExamined`, not raised.
    """
    tags = _Tags(detector, run_key)
    collecting = _Collecting(detector, tags, notes=Notes())
    name = str(path)
    try:
        with open_regular_file(path) as source, spooled_file() as target:
            kind = kind_of_file(source)
            redact_open(source, target, name, collecting, kind)
            note_attributes(source.fileno(), name, collecting)
            changed = kind in STREAMABLE and not same_bytes(source, target)
    except ProvisionError as e:
        held = isinstance(e, CannotExamineError) and e.holds_secret
        return collecting.seen, [NotExamined(name, "", e.message, e.hint, holds_secret=held)]
    except (
        Exception
    ) as e:  # a gate: a hostile file that crashes a reader is not clean, and the other files are still read
        return collecting.seen, [NotExamined(name, "", f"it cannot be read ({type(e).__name__})", "check it by eye")]
    notes = collecting.notes
    if changed and not (collecting.seen or notes.places or notes.left_out):
        collecting.seen.append(ExposedSecret(name, "", "changed-by-redact", name, _showing(name, "")))
    seen = [*collecting.seen, *(_pictured(each, tags, kind) for each in notes.places)]
    pictures = {each.file for each in notes.places} | ({name} if kind in PICTURED else set())
    unseen = [
        NotExamined(each.file, each.where, each.message, each.cure, each.file in pictures, each.holds_secret)
        for each in (*notes.left_out, *notes.unsure)
    ]
    return seen, unseen


def exposed_secret(file: str, where: str, match: Match, detector: Detector, run_key: bytes) -> ExposedSecret:
    """Return the exposed secret of a match found elsewhere, such as in a repository's history."""
    return _sighting(file, where, match, _Tags(detector, run_key))


def _sighting(file: str, where: str, match: Match, tags: _Tags) -> ExposedSecret:
    value = match.secret.reveal()
    known = match.known or tags.known(value)
    sure = match.rule != HINT.id or known is not None
    return ExposedSecret(file, where, match.rule, tags.tag(value), _showing(file, match.key or ""), known, sure)


def _pictured(masked: Masked, tags: _Tags, kind: FileKind) -> ExposedSecret:
    known = tags.by_fingerprint(masked.tag)
    where = masked.where or str(kind)
    rule = KNOWN_RULE if known else masked.rule
    return ExposedSecret(masked.file, where, rule, masked.tag, ShownIn.OTHER, known, pictured=True)


def _tags(session: Session) -> _Tags:
    assert isinstance(session.masker, _Tags)  # noqa: S101  made so in `preview_file`
    return session.masker


def _showing(file: str, name: str) -> ShownIn:
    """Return the kind of text that shows the value."""
    inner = PurePath(file.rpartition("!")[2]).name.lower()
    if inner.startswith(".env") or inner.endswith(".env") or _VARIABLE.fullmatch(name):
        return ShownIn.ENV
    if name or PurePath(inner).suffix in _CONFIG_SUFFIXES:
        return ShownIn.CONFIG
    return ShownIn.OTHER
