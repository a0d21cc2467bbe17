"""What an audit reports: one thing that is wrong, where, whose it is and how to cure it.

A finding never holds a secret. A secret found shows as a mask (first and last four characters of a long one), and strong
ones as a keyed fingerprint, so that the same key can be recognised in many places. Passwords get no fingerprint: somebody
who has the salt could try a dictionary on it.
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

    `where` says more than the path can: a key path (`providers.aisa.api_key`), a table and row (`messages:row 12`), a commit
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
    """One finding. `owner` and `stage` (of the key, as in the vault) are None for what is nobody's known key.

    `verdict` is what the gateway said of the key, when it was asked. `excerpt` is masked. `id` stays the same from run to run,
    and when lines are added above: it depends on the rule, the path within what was audited, `where` and the fingerprint.
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
    """`pf_` and 16 hexadecimal digits. `place.path` counts as given, its line and column do not; `nth` tells apart what
    would otherwise be equal, in the order of the file."""
    parts = (rule, place.path.replace("\\", "/"), place.where or "", fingerprint or "", str(nth))
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return "pf_" + hashlib.blake2b(text, digest_size=8, person=b"provision/id/v1").hexdigest()


@dataclass(frozen=True, slots=True)
class RawFinding:
    """A match and where it lies. `before` and `after` are what stands around it in its line, every match in it masked."""

    place: Location
    match: Match
    kind: ContentKind = ContentKind.TEXT
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)
