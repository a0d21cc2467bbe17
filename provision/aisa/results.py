"""Input and output of a batch: one subject and one result per user. Results hold no keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from provision.aisa.answers import Probe
from provision.aisa.spend import KeySpend
from provision.aisa.verdicts import Verdict
from provision.fleet.desired import ApiMode

if TYPE_CHECKING:
    from provision.detect.secret import Secret


@dataclass(frozen=True, slots=True)
class Subject:
    """One user to validate. `base_url` is normalized. `key` is None if the user has no key.

    `url_mistake` is set if no request may go to the base URL: the message, and the URL that was probably meant.
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
    """The key source's error message, if it has no key."""

    def question(self) -> str:
        """A short digest of all inputs of the verdict. A result in the journal is valid only while it is the same."""
        return digest(self.fingerprint, self.base_url, self.model, self.mode)


def digest(*parts: str) -> str:
    """A short id of a probe's inputs. Pass only fingerprints and public settings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The outcome of one probe: verdict, number of attempts, duration of the last one."""

    probe: Probe
    verdict: Verdict
    http_status: int | None
    code: str
    attempts: int
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """One user's verdict, with the fields of `provision/validate/v1`."""

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
    probes: tuple[ProbeOutcome, ...] = ()
    spend: KeySpend | None = None
    """What the key has spent, if that was read."""

    def fields(self) -> dict[str, Any]:
        """The result as JSON fields."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        shown["probes"] = [{name: getattr(a, name) for name in _ASKING} for a in self.probes]
        if self.spend is not None:
            shown["spend"] = self.spend.fields()
        return shown

    @staticmethod
    def from_fields(data: dict[str, Any]) -> ValidationResult:
        """Parse the output of `fields`. Raises KeyError, TypeError or ValueError."""
        asked = tuple(
            ProbeOutcome(**{**a, "probe": Probe(a["probe"]), "verdict": Verdict(a["verdict"])}) for a in data["probes"]
        )
        enums: dict[str, Any] = {"verdict": Verdict(data["verdict"]), "api_mode": ApiMode(data["api_mode"])}
        if data.get("spend"):
            enums["spend"] = KeySpend.from_fields(data["spend"])
        return ValidationResult(**{**data, **enums, "suggestions": tuple(data["suggestions"]), "probes": asked})


# dataclasses.asdict makes deep copies, which takes a tenth of the time of a request
_FIELDS = tuple(f.name for f in fields(ValidationResult) if f.name != "spend")
_ASKING = tuple(f.name for f in fields(ProbeOutcome))


@dataclass(frozen=True, slots=True)
class FailingRoute:
    """A model that keeps answering 502 in one mode, and a model that works there, if known."""

    model: str
    api_mode: ApiMode
    base_url: str
    verdict: Verdict
    users: int
    working_model: str | None
