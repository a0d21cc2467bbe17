"""The opened vault: keys by user, and the changes an operator can make.

A `Vault` comes from a file whose seal was verified. Keys are decrypted on use. Changes are made in memory and saved by
`file.editing`. Always true: a user has at most one `current` and one `pending` version, versions are never renumbered or
dropped, and a key belongs to one user unless it is shared on purpose.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint, new_salt
from provision.errors import ProvisionError
from provision.keys.age import NoIdentityError, parse_recipient, seal, unseal
from provision.keys.vault.crypto import DATA_KEY_BYTES, BadTagError, DataKey
from provision.keys.vault.ledger import KeyVersion, Ledger, Stage, VaultLine
from provision.keys.vault.text import LABEL_LIMIT, Header, SealedVault, is_valid_label, serialise, utc_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from provision.detect.secret import Secret
    from provision.keys.age import Identity

KEY_LIMIT_BYTES = 8192

__all__ = [
    "KeyLengthError",
    "KeyVersion",
    "KnownKeyError",
    "LabelError",
    "OperatorError",
    "SealedVault",
    "Stage",
    "StageError",
    "Vault",
    "VaultAlteredError",
    "new_vault",
    "open_sealed",
]


class VaultAlteredError(ProvisionError):
    """Another program changed the vault: a line was added, removed, edited, moved or replayed."""


class KnownKeyError(ProvisionError):
    """The vault already has this key. The message names user and version."""


class StageError(ProvisionError):
    """The version does not exist, or the user already has one in that stage."""


class KeyLengthError(ProvisionError):
    """The key is empty or too long."""


class LabelError(ProvisionError):
    """The label is invalid."""


class OperatorError(ProvisionError):
    """The operator is already listed, is not listed, or is the last one."""


class Vault(Ledger):
    """An opened vault. Not thread-safe; make changes only inside `file.editing`."""

    def __init__(self, header: Header, lines: dict[str, tuple[VaultLine, ...]], data_key: DataKey) -> None:
        super().__init__(lines)
        self._header = header
        self._data_key = data_key
        self.changed = False

    @property
    def workspace_id(self) -> str:
        """16 random bytes in hex that name this workspace for life."""
        return self._header.workspace_id

    @property
    def generation(self) -> int:
        """The generation of the file that was read. Saving increases it by one."""
        return self._header.generation

    @property
    def salt(self) -> bytes:
        """The workspace's salt for fingerprints."""
        return self._header.salt

    @property
    def operators(self) -> tuple[str, ...]:
        """The recipients of the operators, with their comments."""
        return self._header.operators

    @property
    def recovery(self) -> tuple[str, ...]:
        """The recipients of the recovery keys."""
        return self._header.recovery

    def digest_key(self) -> bytes:
        """32 bytes for keyed digests of plaintext. They change only with the data key."""
        return self._data_key.digest_key

    def fingerprint(self, key: Secret) -> str:
        """The fingerprint of `key` in this workspace."""
        return fingerprint(key.reveal(), self.salt)

    def key(self, user: str) -> Secret | None:
        """The user's current key, or None. Raises VaultAlteredError."""
        for line in self._lines.get(user, ()):
            if line.known.stage is Stage.CURRENT:
                return self._opened(line)
        return None

    def value(self, user: str, version: int) -> Secret:
        """The key of one version, in any stage. Raises StageError if the version does not exist."""
        return self._opened(self._require(user, version))

    def add(
        self,
        user: str,
        key: Secret,
        *,
        now: datetime,
        label: str = "",
        stage: Stage = Stage.CURRENT,
        demo_until: date | None = None,
        allow_shared: bool = False,
        name: str | None = None,
    ) -> KeyVersion:
        """Add a version. A new current version makes the old one previous. Nothing is dropped.

        `name` is the key's fingerprint, if the caller has computed it.
        Raises LabelError, KeyLengthError; KnownKeyError if the user ever had this key, or if another user has it without
        `allow_shared`; StageError if the user already has a pending key and this one would be pending too.
        """
        _check_label(label)
        if not 0 < len(key.reveal().encode()) <= KEY_LIMIT_BYTES:
            raise KeyLengthError(f"the key of {user} is empty or too long")
        name = name or self.fingerprint(key)
        self._refuse_known(user, name, allow_shared=allow_shared)
        if stage is Stage.PENDING and (waiting := self.in_stage(user, Stage.PENDING)):
            raise StageError(
                f"{user} already has a pending key (version {waiting.version})",
                hint="finish its rotation first: provision rotate status",
            )
        lines = self._lines.get(user, ())
        version = max((line.known.version for line in lines), default=0) + 1
        known = KeyVersion(user, version, stage, name, utc_seconds(now), label, demo_until)
        line = VaultLine(known, self._data_key.seal_line(known, key))
        self._put(user, (*_without_current(lines, stage), line))
        if self._by_fingerprint is not None:
            self._by_fingerprint.setdefault(name, []).append((user, version))
        return known

    def set_stage(self, user: str, version: int, stage: Stage) -> KeyVersion:
        """Move a version to another stage. A new current version makes the old one previous. Raises StageError."""
        line = self._require(user, version)
        if line.known.stage is stage:
            return line.known
        waiting = self.in_stage(user, stage)
        if stage is Stage.PENDING and waiting:
            raise StageError(f"{user} already has a pending key (version {waiting.version})")
        return self._change(line, stage=stage)

    def set_demo(self, user: str, version: int, until: date | None) -> KeyVersion:
        """Mark a version as a demo key with the last day `until`. None removes the mark."""
        return self._change(self._require(user, version), demo_until=until)

    def set_label(self, user: str, version: int, label: str) -> KeyVersion:
        """Change a version's label. Raises LabelError."""
        _check_label(label)
        return self._change(self._require(user, version), label=label)

    def add_operator(self, recipient: str) -> None:
        """Add an operator: the same data key is sealed again to all operators."""
        new = parse_recipient(recipient)
        if any(parse_recipient(known).text == new.text for known in self.operators):
            raise OperatorError("this recipient is already an operator", hint="list them: provision operators list")
        self._seal_to((*self.operators, _spelled(recipient)))

    def remove_operator(self, recipient: str) -> None:
        """Remove an operator and encrypt everything with a new data key.

        A removed operator can still read every old copy, which git keeps: treat those keys as known to them.
        """
        gone = parse_recipient(recipient).text
        rest = tuple(known for known in self.operators if parse_recipient(known).text != gone)
        if rest == self.operators:
            raise OperatorError("this recipient is not an operator", hint="list them: provision operators list")
        if not rest:
            raise OperatorError("the last operator cannot be removed", hint="add another operator first")
        self.rekey()
        self._seal_to(rest)

    def name_operator(self, recipient: str, name: str) -> None:
        """Change the comment of an operator's recipient; nothing is sealed again."""
        text = parse_recipient(recipient).text
        named = tuple(f"{text} {name}" if parse_recipient(o).text == text else o for o in self.operators)
        if named != self.operators:
            self._header = dataclasses.replace(self._header, operators=named)
            self.changed = True

    def set_recovery(self, recipients: Sequence[str]) -> None:
        """Replace the recovery recipients, which open the vault as operators do."""
        self._header = dataclasses.replace(self._header, recovery=tuple(_spelled(text) for text in recipients))
        self._seal_to(self.operators)

    def replace_operators(self, recipients: Sequence[str]) -> None:
        """Replace all operators and encrypt everything with a new data key. Raises OperatorError for an empty list."""
        if not recipients:
            raise OperatorError("the last operator cannot be removed", hint="add another operator first")
        self.rekey()
        self._seal_to(tuple({parse_recipient(text).text: _spelled(text) for text in recipients}.values()))

    def rekey(self) -> None:
        """Encrypt every line with a new data key. Raises VaultAlteredError if a line cannot be decrypted."""
        fresh = DataKey.new(self.workspace_id)
        for user, lines in self._lines.items():
            again = (VaultLine(line.known, fresh.seal_line(line.known, self._opened(line))) for line in lines)
            self._lines[user] = tuple(again)
        self._data_key = fresh
        self._seal_to(self.operators)

    def rename_user(self, user: str, new: str) -> None:
        """Give all versions of a user to a new id. Raises KnownKeyError if that id has keys already."""
        if new in self._lines:
            raise KnownKeyError(f"{new} has keys already", hint="choose another id")
        lines = []
        for line in self._lines.pop(user, ()):
            known = dataclasses.replace(line.known, user=new)
            lines.append(VaultLine(known, self._data_key.seal_line(known, self._opened(line))))
        if lines:
            self._put(new, tuple(lines))
        self._by_fingerprint = None

    def absorb(
        self, wanted: dict[str, dict[int, KeyVersion]], secrets: list[tuple[KeyVersion, Secret]], *, generation: int
    ) -> list[str]:
        """Set these users to the versions `wanted`, with the keys of versions that are new or re-dated. Only for `merge`."""
        sealed = {(known.user, known.version): self._data_key.seal_line(known, key) for known, key in secrets}
        notes: list[str] = []
        for user, rows in wanted.items():
            lines: list[VaultLine] = []
            for version, known in sorted(rows.items()):
                line = self._line(user, version)
                before = line.known if line else None
                if known != before:
                    notes.append(f"{user} version {version}: {_difference(before, known)}")
                fresh = sealed.get((user, version))
                lines.append(VaultLine(known, fresh or (line.sealed if line else "")))
            self._lines[user] = tuple(lines)
        self._by_fingerprint = None
        if generation > self.generation:
            self._header = dataclasses.replace(self._header, generation=generation)
        self.changed = True
        return notes

    def serialised(self, log_head: tuple[int, str] | None = None) -> bytes:
        """Serialize this vault as the next generation. `log_head` is the end of the event log that records this change."""
        header = dataclasses.replace(self._header, generation=self.generation + 1)
        body = serialise(dataclasses.replace(header, log_head=log_head or header.log_head), self._lines)
        return body + f"seal {self._data_key.seal_file(hashlib.sha256(body).digest())}\n".encode()

    def _seal_to(self, operators: tuple[str, ...]) -> None:
        sealed = seal(self._data_key.reveal(), (*operators, *self._header.recovery), armored=False)
        self._header = dataclasses.replace(
            self._header, operators=operators, data_key=base64.b64encode(sealed).decode("ascii")
        )
        self.changed = True

    def _opened(self, line: VaultLine) -> Secret:
        try:
            return self._data_key.open_line(line.known, line.sealed)
        except BadTagError:
            raise _altered(f"the key of {line.known.user} (version {line.known.version}) cannot be decrypted") from None

    def _require(self, user: str, version: int) -> VaultLine:
        line = self._line(user, version)
        if line is None:
            raise StageError(f"{user} has no key version {version}", hint="list the keys: provision keys list")
        return line

    def _change(self, line: VaultLine, **fields: object) -> KeyVersion:
        known = dataclasses.replace(line.known, **fields)  # type: ignore[arg-type]  # the names come from three callers above
        rest = tuple(other for other in self._lines[known.user] if other is not line)
        lines = (*_without_current(rest, known.stage), VaultLine(known, line.sealed))
        self._put(known.user, tuple(sorted(lines, key=lambda each: each.known.version)))
        return known

    def _put(self, user: str, lines: tuple[VaultLine, ...]) -> None:
        self._lines[user] = lines
        self.changed = True

    def _refuse_known(self, user: str, name: str, *, allow_shared: bool) -> None:
        for known in self.find(name):
            if known.user == user:
                raise KnownKeyError(
                    f"{user} already has this key (version {known.version}, {known.stage})",
                    hint="replaced keys cannot be used again: create a new one in the console",
                )
            if not allow_shared:
                raise KnownKeyError(
                    f"this key of {user} is the key of {known.user} (version {known.version}, {known.stage})",
                    hint="use one key per user, or share it on purpose with --allow-shared",
                )


def _difference(before: KeyVersion | None, after: KeyVersion) -> str:
    if before is None:
        return f"new: {after.stage}"
    pairs = (
        ("", before.stage, after.stage),
        ("created ", before.created.date(), after.created.date()),
        ("demo until ", before.demo_until, after.demo_until),
        ("label ", before.label or "-", after.label or "-"),
    )
    return ", ".join(f"{name}{old} -> {new}" for name, old, new in pairs if old != new) or "created earlier"


def _check_label(label: str) -> None:
    if not is_valid_label(label):
        raise LabelError(
            f"invalid label: use printable text of at most {LABEL_LIMIT} characters, without spaces around it"
        )


def _without_current(lines: tuple[VaultLine, ...], new: Stage) -> tuple[VaultLine, ...]:
    """Return the lines, with the current one changed to previous if `new` is current."""
    if new is not Stage.CURRENT:
        return lines
    return tuple(
        VaultLine(dataclasses.replace(known, stage=Stage.PREVIOUS), sealed)
        if known.stage is Stage.CURRENT
        else VaultLine(known, sealed)
        for known, sealed in lines
    )


def _spelled(recipient: str) -> str:
    parsed = parse_recipient(recipient)
    return f"{parsed.text} {parsed.comment}".strip()


def _altered(what: str) -> VaultAlteredError:
    return VaultAlteredError(
        f"another program changed the vault: {what}",
        hint="check its history (git log -p keys.vault) and restore the last good one",
    )


def new_vault(operators: Sequence[str]) -> Vault:
    """Create an empty vault for `operators`, in generation 0. Saving makes it 1. Raises BadRecipientError."""
    workspace_id = secrets.token_hex(16)
    unique = {parse_recipient(text).text: _spelled(text) for text in operators}
    vault = Vault(Header(workspace_id, 0, new_salt(), (), ""), {}, DataKey.new(workspace_id))
    vault._seal_to(tuple(unique.values()))  # noqa: SLF001  the one other place that sets a header
    return vault


def open_sealed(sealed: SealedVault, identities: Sequence[Identity]) -> Vault:
    """Open a vault and verify its seal. Raises NoIdentityError, NotAgeError or VaultAlteredError."""
    header = sealed.header
    try:
        value = unseal(base64.b64decode(header.data_key), identities)
    except NoIdentityError as e:
        raise NoIdentityError(
            f"none of your identities can open the vault (operators: {len(header.operators)})",
            hint="ask another operator to run what this prints: provision operators join",
        ) from e
    if len(value) != DATA_KEY_BYTES:
        raise _altered("its data key has the wrong size")
    data_key = DataKey(value, header.workspace_id)
    vault = Vault(header, sealed.lines, data_key)
    if not hmac.compare_digest(data_key.seal_file(sealed.digest), sealed.seal):
        raise _altered(_what_was_altered(vault))
    return vault


def _what_was_altered(vault: Vault) -> str:
    for user in vault.users:
        for known in vault.versions(user):
            try:
                vault.value(user, known.version)
            except VaultAlteredError:
                return f"the line of {user} (version {known.version}) is not what was sealed"
    return "its header, a stage, a label or the list of lines is not what was sealed"
