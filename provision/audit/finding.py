"""What an audit reports: one problem, where it is, whose key it concerns and how to fix it.

A finding never holds a secret. A secret shows as a mask (first and last four characters of a long one). A strong one also
gets a keyed fingerprint, so that the same key is recognised in many places. Passwords get no fingerprint: whoever has the
salt could run a dictionary against it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.containers.blob import ContentKind

if TYPE_CHECKING:
    from provision.detect.match import Confidence, FindingSeverity, Match


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where something was found. Lines and columns count from 1; columns are bytes.

    `where` adds what the path cannot say: a key path (`providers.aisa.api_key`), a table and row (`messages:row 12`), a commit
    (`commit abc1234:path`), a member (`a.zip!b/.env`), a variable of a process (`pid 12:NAME`).
    """

    path: str
    line: int | None = None
    column: int | None = None
    where: str | None = None

    def __str__(self) -> str:
        numbers = "".join(f":{number}" for number in (self.line, self.column) if number is not None)
        return f"{self.path}{numbers}" + (f" ({self.where})" if self.where else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `owner` and `stage` (of the key, as in the vault) are None when the key is not known.

    `verdict` is the gateway's answer about the key, when `--verify` asked for it. `excerpt` is masked. `id` is stable across
    runs, also when lines are added above: it depends on the rule, the path within what was audited, `where` and the
    fingerprint.
    """

    id: str
    rule: str
    severity: FindingSeverity
    confidence: Confidence
    place: Location
    owner: str | None
    stage: str | None
    fingerprint: str | None
    excerpt: str
    message: str
    cure: str
    verdict: str | None = None


def finding_id(rule: str, place: Location, fingerprint: str | None, nth: int = 0) -> str:
    """Return `pf_` and 16 hexadecimal digits.

    `place.path` is used as given, line and column are not used. `nth` distinguishes findings that would be equal otherwise, in
    the order of the file.
    """
    parts = (rule, place.path.replace("\\", "/"), place.where or "", fingerprint or "", str(nth))
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return "pf_" + hashlib.blake2b(text, digest_size=8, person=b"provision/id/v1").hexdigest()


@dataclass(frozen=True, slots=True)
class RawFinding:
    """A match and its location. `before` and `after` are the text around it in its line, with every match masked."""

    place: Location
    match: Match
    kind: ContentKind = ContentKind.TEXT
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)
