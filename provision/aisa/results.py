"""What a batch works on and what it finds: users as subjects in, one result per user out. No keys in results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import Probe
from provision.aisa.verdicts import Verdict
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from provision.detect.secret import Secret


@dataclass(frozen=True, slots=True)
class Subject:
    """One user to validate. `base_url` is the normalised one; `key` None means that there is none for this user.

    `url_mistake` is set when the base URL must not be asked at all: the message, and the URL that was probably meant.
    """

    user: str
    profile: str
    model: str
    mode: ApiMode
    base_url: str
    key: Secret | None
    fingerprint: str
    url_mistake: tuple[str, str] | None = None
    key_problem: str = ""
    """Why there is no key, when there should be one: the source's own message."""

    def question(self) -> str:
        """A short digest of all that the verdict depends on; a journal's results count only while it is the same."""
        return digest(self.fingerprint, self.base_url, self.model, self.mode)


def digest(*parts: str) -> str:
    """A short name for a question; of fingerprints and public settings only."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Asking:
    """How one probe went: its verdict, how often it was asked, how long the last answer took."""

    probe: Probe
    verdict: Verdict
    http_status: int | None
    code: str
    attempts: int
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class Result:
    """One user's verdict, as `provision/validate/v1` shows it."""

    user: str
    profile: str
    model: str
    api_mode: ApiMode
    base_url: str
    key_fingerprint: str
    verdict: Verdict
    http_status: int | None = None
    code: str = ""
    request_id: str = ""
    attempts: int = 0
    elapsed_ms: int = 0
    advice: str = ""
    suggestions: tuple[str, ...] = ()
    probes: tuple[Asking, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The result as JSON fields."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        shown["probes"] = [{name: getattr(a, name) for name in _ASKING} for a in self.probes]
        return shown

    @staticmethod
    def from_fields(data: dict[str, Any]) -> Result:
        """The result that `data` was made of; raises KeyError, TypeError or ValueError for anything else."""
        asked = tuple(
            Asking(**{**a, "probe": Probe(a["probe"]), "verdict": Verdict(a["verdict"])}) for a in data["probes"]
        )
        enums = {"verdict": Verdict(data["verdict"]), "api_mode": ApiMode(data["api_mode"])}
        return Result(**{**data, **enums, "suggestions": tuple(data["suggestions"]), "probes": asked})


# dataclasses.asdict copies deeply, and takes as long as a tenth of a request
_FIELDS = tuple(f.name for f in fields(Result))
_ASKING = tuple(f.name for f in fields(Asking))


@dataclass(frozen=True, slots=True)
class FailingRoute:
    """A model that keeps answering 502 in one mode, and the model that answered beside it, if one did."""

    model: str
    api_mode: ApiMode
    base_url: str
    verdict: Verdict
    users: int
    working_model: str | None
