"""Where a user's key comes from: the vault first, then `key_command`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.keys.key_command import run_key_command
from provision.keys.vault.ledger import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from provision.detect.secret import Secret
    from provision.keys.vault.ledger import KeyVersion
    from provision.keys.vault.vault import Vault


class DemoKeyExpiredError(ProvisionError):
    """The user's current key is a demo key whose last day is over."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """All places to look for keys. `today` decides which demo keys are over.

    `ahead` names, by fingerprint, the key of users whose bundle must hold another one than the vault calls current: those
    of a rotation that has released their new key and not heard yet that it is installed.
    """

    vault: Vault | None
    command: tuple[str, ...] = ()
    timeout_s: float = 30.0
    today: date | None = None
    ahead: Mapping[str, str] = field(default_factory=dict)

    def key_for(self, user: str) -> Secret | None:
        """The key that goes into the user's bundle; None when nothing has one.

        Raises DemoKeyExpiredError, KeyCommandError, VaultAlteredError. May take as long as the command's timeout.
        """
        known = self._known(user)
        if self.vault is not None and known is not None:
            if self.today is not None and known.expired(self.today):
                raise DemoKeyExpiredError(
                    f"the key of {user} was for a demo that ended on {known.demo_until}",
                    hint=f"import a real one, or: provision keys demo {user} --until DATE",
                )
            return self.vault.value(user, known.version)
        return run_key_command(self.command, user, self.timeout_s) if self.command else None

    def _known(self, user: str) -> KeyVersion | None:
        if self.vault is None:
            return None
        wanted = self.ahead.get(user)
        if wanted is not None:
            found = [v for v in self.vault.versions(user) if v.fingerprint == wanted and v.stage is not Stage.RETIRED]
            if found:
                return found[-1]
        return self.vault.current(user)
