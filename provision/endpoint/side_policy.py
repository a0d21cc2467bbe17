"""What may leave a home on purpose, from the rendering that is installed in it, and what follows for each destination.

The rendering is covered by the signed manifest, so a user cannot widen the policy by an edit of config.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from provision.fleet.desired import GuardrailPolicy, SideRoutes
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.routing.destination import DestinationVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.hermes.routing.destination import Destination


@dataclass(frozen=True, slots=True)
class SidePolicy:
    """`side_routes` and `allowed_hosts` of the team profile. The key may never leave."""

    side_routes: SideRoutes = SideRoutes.TEAM
    allowed_hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rendering: bytes | None) -> SidePolicy:
        """Read the policy from a rendering; the strictest one if there is none."""
        try:
            data = parse_yaml11(rendering or b"", "the rendering").data
        except YamlError:
            return cls()
        marker = data.get("x_provision") if isinstance(data, dict) else None
        marker = marker if isinstance(marker, dict) else {}
        own = marker.get("side_routes") == SideRoutes.OWN
        hosts = marker.get("allowed_hosts")
        return cls(
            SideRoutes.OWN if own else SideRoutes.TEAM, frozenset(map(str, hosts if isinstance(hosts, list) else ()))
        )

    def allows(self, destination: Destination) -> bool:
        """Return whether a destination may be as it is."""
        if destination.verdict is DestinationVerdict.STAYS:
            return True
        if destination.verdict is DestinationVerdict.KEY or destination.kind == "main":
            return False
        if destination.verdict is DestinationVerdict.UNKNOWN and destination.key_fingerprint:
            return False
        return self.side_routes is SideRoutes.OWN or destination.host in self.allowed_hosts

    def leaving(self, destinations: Iterable[Destination]) -> tuple[Destination, ...]:
        """Return the destinations that get the key or content without being allowed to."""
        bad = {DestinationVerdict.KEY, DestinationVerdict.CONTENT}
        return tuple(d for d in destinations if d.verdict in bad and not self.allows(d))

    def doubtful(self, destinations: Iterable[Destination]) -> tuple[Destination, ...]:
        """Return the destinations of which it is not known whether they get something that they may not."""
        return tuple(d for d in destinations if d.verdict is DestinationVerdict.UNKNOWN and not self.allows(d))


def installed_policy(rendering: bytes | None) -> GuardrailPolicy | None:
    """Read the guardrails from a rendering; None if it has none."""
    try:
        data = parse_yaml11(rendering or b"", "the rendering").data
    except YamlError:
        return None
    marker = data.get("x_provision") if isinstance(data, dict) else None
    rules = marker.get("policy") if isinstance(marker, dict) else None
    known = {f.name for f in fields(GuardrailPolicy)}
    return GuardrailPolicy.of({k: v for k, v in rules.items() if k in known}) if isinstance(rules, dict) else None


STRICTEST = SidePolicy()
"""For a home without an installation."""
