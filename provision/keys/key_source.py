"""The source of a user's key: the vault first, then `key_command` (1Password, HashiCorp Vault and so on).

A new kind of source is added here; programs that print a key need only `key_command.py`.
"""

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
    """The user's current key is an expired demo key."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """The sources of keys. `today` decides which demo keys are expired.

    `ahead` has the fingerprints of users whose bundle must have another key than the vault's current one: users in a rotation
    whose new key is released and not confirmed yet.
    """

    vault: Vault | None
    command: tuple[str, ...] = ()
    timeout_s: float = 30.0
    today: date | None = None
    ahead: Mapping[str, str] = field(default_factory=dict)

    def key_for(self, user: str) -> Secret | None:
        """The key for the user's bundle. None if no source has one.

        Raises DemoKeyExpiredError, KeyCommandError, VaultAlteredError. May take as long as the command's timeout.
        """
        known = self._known(user)
        if self.vault is not None and known is not None:
            if self.today is not None and known.expired(self.today):
                raise DemoKeyExpiredError(
                    f"the demo key of {user} expired on {known.demo_until}",
                    hint=f"import another key, or extend it: provision keys demo {user} --until DATE",
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
