"""Choose the facts for the Hermes of a machine, and say how far they are verified for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provision.fleet.version_range import parse_version
from provision.hermes.facts import v0_16, v0_18, v0_19, v0_21
from provision.hermes.facts.side_routes import CREDENTIAL_ENV, SENT_ENV

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.hermes.facts.release import HermesFacts

RELEASES: Final[tuple[HermesFacts, ...]] = (v0_16.FACTS, v0_18.FACTS, v0_19.FACTS, v0_21.FACTS)
"""All releases whose facts are known, oldest first."""
NEWEST_VERIFIED: Final = [release for release in RELEASES if release.verified][-1]
RESERVED_PROVIDERS: Final = frozenset({"custom", "auto"}).union(
    *(release.built_in_providers | release.provider_aliases.keys() for release in RELEASES)
)
"""Names that our provider must not have: some release would use its own provider, now or after an upgrade."""
_CREDENTIAL = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET)$")
SERVICE_KEY_ENV: Final = CREDENTIAL_ENV.union(
    SENT_ENV,
    v0_21.KEY_ENV,
    *({name for name in release.known_env if _CREDENTIAL.search(name)} for release in RELEASES),
)
"""Variables with the key of a service: some release sends their value there, without a line in config.yaml that says so."""
VERIFIED_VERSIONS: Final = tuple(release.version for release in RELEASES if release.verified)


@dataclass(frozen=True, slots=True)
class HermesInUse:
    """The Hermes that a verdict is about. `version` is None if none was found; `others` are further versions on the machine."""

    version: str | None
    facts: HermesFacts
    others: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether this very version was verified, and it is the only one on the machine. An unknown version is not."""
        return self.version in VERIFIED_VERSIONS and not self.others

    @property
    def statement(self) -> str:
        """One line for reports: as which Hermes the verdict was made."""
        if self.version is None:
            return f"the version of Hermes on this machine is unknown, the model was verified up to {NEWEST_VERIFIED.version}"
        has = f"this machine has {' and '.join((self.version, *self.others))}"
        if self.verified:
            return f"as Hermes {self.version} does (verified)"
        numbers = [parse_version(version) or () for version in (self.version, *self.others)]
        newest = max(numbers) > (parse_version(NEWEST_VERIFIED.version) or ())
        known = f"up to {NEWEST_VERIFIED.version}" if newest else f"with {', '.join(VERIFIED_VERSIONS)}"
        return f"{has}, the model was verified {known}"


def facts_for(version: str | None) -> HermesFacts:
    """Return the facts of a version: its own, else those of the nearest older release, else of the oldest.

    For an unknown version, the newest verified release.
    """
    numbers = parse_version(version) if version else None
    if numbers is None:
        return NEWEST_VERIFIED
    older = [release for release in RELEASES if (parse_version(release.version) or ()) <= numbers]
    return older[-1] if older else RELEASES[0]


def hermes_in_use(versions: Sequence[str]) -> HermesInUse:
    """Return what a verdict is about, for the versions that were found on a machine, the most likely one first."""
    first, *others = dict.fromkeys(versions) or (None,)
    return HermesInUse(first, facts_for(first), tuple(other for other in others if other))


UNKNOWN_HERMES: Final = hermes_in_use(())
"""For a home whose machine was not looked at: never verified."""
