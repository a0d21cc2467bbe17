"""Everything a rotation works with: workspace, fleet, vault and gateway access. Created once per command and passed in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import FileProblemError, LockedError
from provision.fleet.desired import EffectiveProfile
from provision.keys.events.log import Event, EventLogError, append, log_path
from provision.keys.vault.file import VaultChangedError, editing, open_vault
from provision.rotate.journal import StoppedError
from provision.rotate.probes import route_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from provision.detect.secret import Secret
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.keys.age import Identity
    from provision.keys.vault.vault import Vault
    from provision.push.events import Started
    from provision.push.outcomes import PushOutcome
    from provision.rotate.model import Blocker
    from provision.rotate.probes import GatewayAccess, GatewayRoute
    from provision.rotate.store import RotationStore

_HINT = "fix that, then run `provision rotate resume`"


@dataclass(slots=True)
class RotationContext:
    """Everything outside a rotation. `clock` returns the time in UTC; `say` prints remarks.

    `forks` is how many machines bundles are pushed to at a time. `watching` is entered with the number of pushes, and returns the
    observer of their events.
    """

    workspace: Workspace
    store: RotationStore
    states: Mapping[str, DesiredState]
    identities: Sequence[Identity]
    gateway: GatewayAccess
    clock: Callable[[], datetime]
    environ: Mapping[str, str]
    who: str
    say: Callable[[str], None]
    forks: int
    watching: Callable[[int], AbstractContextManager[Callable[[Started | PushOutcome], None]]]
    rehearsal: bool = False
    """The workspace is a copy that is removed afterwards."""
    _vault: Vault | None = None
    _profile: EffectiveProfile | None = None
    _routes: dict[int, GatewayRoute | Blocker] = field(default_factory=dict)

    @property
    def vault(self) -> Vault:
        """The opened vault. It is opened once, and again after each change."""
        if self._vault is None:
            with stopping("the vault"):
                self._vault = open_vault(self.workspace.vault, self.identities)
        return self._vault

    @contextlib.contextmanager
    def editing(self, doing: str) -> Iterator[Vault]:
        """Change the vault, durably. Raises StoppedError if it cannot be written; then it is unchanged."""
        self._vault = None
        with stopping("the vault"), self._editing(doing) as vault:
            yield vault

    def _editing(self, doing: str) -> contextlib.AbstractContextManager[Vault]:
        return editing(self.workspace.vault, self.identities, doing, remember=not self.rehearsal)

    def key(self, user: str, fingerprint: str) -> Secret | None:
        """A user's key with this fingerprint, None if there is none."""
        known = self.vault.version_of(user, fingerprint)
        return self.vault.value(user, known.version) if known else None

    def route(self, user: str) -> GatewayRoute | Blocker:
        """The user's route to the gateway, or the blocker. Users who left the inventory get the workspace's gateway."""
        profile = self.states[user].profile if user in self.states else self._default_profile
        found = self._routes.get(id(profile))
        if found is None:
            found = self._routes[id(profile)] = route_of(profile, self.gateway.hosts, self.gateway.catalogue)
        return found

    @property
    def _default_profile(self) -> EffectiveProfile:
        if self._profile is None:
            self._profile = EffectiveProfile(name="-", model="-", base_url=self.workspace.settings.gateway)
        return self._profile

    def record(self, events: Sequence[tuple[str, str, str, Mapping[str, str | int | None]]]) -> None:
        """Append to the event log: (what, user, fingerprint, detail). Raises StoppedError."""
        now = self.clock()
        with stopping("the event log"):
            append(
                log_path(self.workspace.vault),
                [Event(now, self.who, what, user, name, detail) for what, user, name, detail in events],
            )


@contextlib.contextmanager
def stopping(what: str) -> Iterator[None]:
    """Translate errors of the system into StoppedError with a hint: the rotation waits, it does not fail."""
    try:
        yield
    except StoppedError:
        raise
    except (FileProblemError, LockedError, VaultChangedError, EventLogError) as e:
        raise StoppedError(e.message, hint=e.hint if e.hint and "same command" not in e.hint else _HINT) from e
    except ProvisionError:
        raise
    except OSError as e:
        raise StoppedError(f"cannot write {what}: {e.strerror or e}", hint=_HINT) from e
