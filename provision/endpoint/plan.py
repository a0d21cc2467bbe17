"""Plan an install: the new bytes of each file of a home. Pure.

The user's own settings stay. The bundle's settings are set. Settings of the last install that this one lacks are removed,
unless the user changed them since. What would send requests elsewhere is removed and listed. The plan names whole files,
in an order in which each step leaves a working home: the key first, then `config.yaml`, then provision's own notes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from provision.bundle.manifest import MANIFEST, SIGNATURE
from provision.detect.fingerprint import fingerprint
from provision.endpoint.replace_old_key import plan_key_replacement, replace_in_profiles
from provision.endpoint.state import REMOVED, KeptFiles, KeptPaths
from provision.endpoint.verify import BadEnvError, env_values
from provision.errors import ProvisionError
from provision.files import NAMED_PIPE
from provision.fleet.desired import SecretDelivery
from provision.hermes.auth_file import clean_auth
from provision.hermes.config.conflicts import ProvisionedProvider
from provision.hermes.config.flat import flat_settings
from provision.hermes.config.merge import Merged, clean_config, merge_config
from provision.hermes.config.side_leaks import ProvisionedKey, asked_providers, entry_names, leaking_settings
from provision.hermes.config.yaml11 import parse_yaml11
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import SERVICE_KEY_ENV
from provision.hermes.gateway_file import clean_gateway, clean_memory
from provision.hermes.jobs_file import clean_jobs
from provision.hermes.old_key import replace_in_auth, replace_in_config, replace_in_env
from provision.hermes.removed_setting import RemovedSetting, masked_value

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from provision.bundle.manifest import Manifest
    from provision.endpoint.state import InstalledBundle
    from provision.endpoint.verify import OpenedBundle
    from provision.hermes.home import HomeFiles
    from provision.hermes.old_key import KeyReplacement, ReplacedFile

PRIVATE, PUBLIC = 0o600, 0o644
_CHOICE = "this conversation keeps a URL to which it would send the provisioned key"


class UnreadableHomeError(ProvisionError):
    """A file of the home is unreadable, so it cannot be merged. It is not overwritten."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """New bytes for a file; None removes it. The name is relative to the folder."""

    name: str
    data: bytes | None = field(repr=False)
    mode: int = PRIVATE


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """The changes of an install, and their description. `home` and `managed` are in the order in which they are applied."""

    home: tuple[FileChange, ...]
    managed: tuple[FileChange, ...] = ()
    set_: tuple[str, ...] = ()
    removed: tuple[RemovedSetting, ...] = ()
    kept_settings: int = 0
    kept_lines: int = 0
    notes: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    """Conversations of the messaging gateway whose choice of a model is reset."""

    @property
    def empty(self) -> bool:
        """Whether the install is a no-op."""
        return not self.home and not self.managed and not self.conversations


@dataclass(frozen=True, slots=True)
class HomeBefore:
    """A home before an install. `loose` names private files that other users can read."""

    files: HomeFiles
    managed: HomeFiles | None
    installed: InstalledBundle | None
    names: KeptPaths
    profiles: Mapping[str, HomeFiles] = field(default_factory=dict)
    """Hermes profiles in this home without an installation of their own."""
    linked: frozenset[str] = frozenset()
    """Files other than USER_FILES that are behind a symbolic link, and so are not changed."""
    loose: frozenset[str] = frozenset()
    modes: Mapping[str, int] = field(default_factory=dict)


def plan_install(opened: OpenedBundle, before: HomeBefore, stamp: str) -> InstallPlan:
    """Plan how to update the home. `stamp` names the file that lists removed settings; it sorts by time.

    Raises UnreadableHomeError, BadEnvError, and the merge's error for a config.yaml that is not YAML.
    """
    for folder in (before.files, before.managed):
        for name, reason in (folder.unreadable if folder else {}).items():
            if name != facts.ENV_NAME or NAMED_PIPE not in reason:
                raise UnreadableHomeError(
                    f"{name} is unreadable: {reason}", hint="fix or remove that file, then install again"
                )
            if opened.manifest.secret_delivery is not SecretDelivery.RUN:
                raise UnreadableHomeError(
                    f"another program, such as 1Password, provides this .env: {reason}",
                    hint="ask IT for a profile with `secret_delivery: run`: its key is in memory only, and .env stays as it is",
                )
    manifest, files = opened.manifest, before.files
    values = env_values(opened.env)
    if manifest.key_env not in values:
        raise BadEnvError(f"the sealed .env does not set {manifest.key_env}", hint="ask IT to render the bundle again")
    replacement = plan_key_replacement(
        manifest, values[manifest.key_env], before.installed, (files, *before.profiles.values())
    )
    steps = _Steps(before, replacement)
    steps.env(manifest, values)
    merged = steps.managed(opened, values) if manifest.managed else steps.merged(opened)
    steps.auth(merged, manifest.base_url)
    steps.others(opened, merged.data)
    steps.profiles()
    if merged.data or files.config is not None:
        steps.put(facts.CONFIG_NAME, files.config, merged.data, before.modes.get(facts.CONFIG_NAME, PRIVATE))
    steps.keep(opened, values)
    if steps.removed:
        steps.put(f"{REMOVED}/{stamp}.json", None, _removed_note(manifest, steps.removed))
    return InstallPlan(
        home=tuple(steps.changes),
        managed=tuple(steps.managed_changes),
        set_=tuple(steps.set_),
        removed=tuple(steps.removed),
        kept_settings=steps.kept_settings,
        kept_lines=sum(
            1 for name in read_env_raw(files.env or b"") if name not in values and name in read_env_raw(steps.env_after)
        ),
        notes=tuple(steps.notes),
        conversations=tuple(steps.conversations),
    )


class _Steps:
    """Builds one plan step by step."""

    def __init__(self, before: HomeBefore, replacement: KeyReplacement | None) -> None:
        self.before = before
        self.replacement = replacement
        self.changes: list[FileChange] = []
        self.managed_changes: list[FileChange] = []
        self.set_: list[str] = []
        self.removed: list[RemovedSetting] = []
        self.notes: list[str] = []
        self.conversations: list[str] = []
        self.kept_settings = 0
        self.key: ProvisionedKey | None = None
        self.env_after = before.files.env or b""

    def put(self, name: str, was: bytes | None, data: bytes | None, mode: int = PRIVATE) -> None:
        if data != was or (data is not None and name in self.before.loose):
            self.changes.append(FileChange(name, data, mode))

    def env(self, manifest: Manifest, values: Mapping[str, str]) -> None:
        """Plan the `.env`: set the bundle's lines, remove lines that redirect requests and those that no longer apply."""
        files = self.before.files
        if facts.ENV_NAME in files.unreadable:  # a pipe of another program
            self.notes.append(".env is a named pipe of another program: neither read nor changed")
            self.key = ProvisionedKey(frozenset({manifest.key_env}), values[manifest.key_env])
            return
        written = dict(values)
        gone = set(facts.HIJACKING_ENV) | self._former(manifest, values)
        if manifest.secret_delivery is SecretDelivery.RUN:
            del written[manifest.key_env]
            gone.add(manifest.key_env)
        own = (
            self._replaced(replace_in_env(files.env, self.replacement, facts.ENV_NAME), {*written, *gone})
            if self.replacement
            else files.env
        )
        value = values[manifest.key_env]
        key = ProvisionedKey(frozenset({manifest.key_env}), value)
        lines = read_env_raw(own or b"")
        holders: set[str] = set()
        while found := {name for name, held in lines.items() if key.held_by(held)} - holders:
            holders |= found  # a line may refer to a line that refers to the key
            key = ProvisionedKey(key.names | holders, value)
        others = frozenset(name for name, held in lines.items() if (held or "").strip() and name not in holders)
        self.key = ProvisionedKey(key.names, value, others - key.names)
        gone |= (holders & SERVICE_KEY_ENV) - written.keys()
        edited = edit_env(own, written, gone)
        self.env_after = edited.data
        ours = self._unchanged_lines(files.env)
        self.removed += [each for each in edited.removed if each.where.partition(": ")[2] not in ours]
        self.notes += edited.notes
        was = read_env_raw(files.env or b"")
        self.set_ += [f".env: {name}" for name, value in written.items() if was.get(name) != value]
        if files.env is not None or edited.data:
            self.put(facts.ENV_NAME, files.env, edited.data)

    def _former(self, manifest: Manifest, values: Mapping[str, str]) -> set[str]:
        """Lines that the last install set and this one does not, unless the user changed them since."""
        return self._unchanged_lines(self.before.files.env) - values.keys()

    def _unchanged_lines(self, env: bytes | None) -> set[str]:
        """Lines that the last install set and that still have its value in this `.env`: provision's own, not the user's."""
        installed = self.before.installed
        if installed is None:
            return set()
        was = read_env_raw(env or b"")
        salt = installed.manifest.salt
        return {
            name
            for name, mark in installed.marks.items()
            if (value := was.get(name)) is not None and fingerprint(value, salt) == mark
        }

    def auth(self, merged: Merged, base_url: str) -> None:
        """Plan `auth.json`: remove keys for the team's gateway."""
        files = self.before.files
        settings = parse_yaml11(merged.data, facts.CONFIG_NAME).data if files.auth else None
        asked = asked_providers(settings if isinstance(settings, dict) else {})
        clean = partial(clean_auth, key=self.key.value if self.key else "", base_url=base_url, asked=asked)
        data, removed = clean(files.auth, *merged.pools)
        self.removed += removed
        if self.replacement:
            data, removed = clean(
                self._replaced(replace_in_auth(data, self.replacement, facts.AUTH_NAME)), *merged.pools
            )
            self.removed += removed
        self.put(facts.AUTH_NAME, files.auth, data)

    def others(self, opened: OpenedBundle, config: bytes) -> None:
        """Plan scheduled jobs, `gateway.json`, memory services and conversations: they no longer send the key elsewhere."""
        files = self.before.files
        if self.key is None or not (files.jobs or files.gateway or files.sessions or files.memory):
            return
        ours = ProvisionedProvider.of(parse_yaml11(opened.verified.config, "the rendering").data)
        settings = parse_yaml11(config, facts.CONFIG_NAME).data
        entries = entry_names(settings if isinstance(settings, dict) else {})
        for name, was, (data, removed) in (
            (facts.JOBS_NAME, files.jobs, clean_jobs(files.jobs, ours, self.key, entries)),
            (facts.GATEWAY_NAME, files.gateway, clean_gateway(files.gateway, ours, self.key, entries)),
            *((name, was, clean_memory(name, was, ours, self.key)) for name, was in files.memory.items()),
        ):
            if removed and name in self.before.linked:
                self.notes.append(f"{name} is behind a symbolic link, and was not changed")
                continue
            self.removed += removed
            self.put(name, was, data)
        for choice in files.sessions:
            entry = {"provider": choice.provider, facts.BASE_URL: choice.base_url}
            if leaking_settings(entry, ours, self.key, entries):
                self.conversations.append(choice.conversation)
                shown = masked_value("model_override", entry)
                self.removed.append(RemovedSetting(facts.STATE_NAME, choice.conversation, _CHOICE, shown))

    def profiles(self) -> None:
        """Plan the Hermes profiles of this home: only copies of the replaced key change."""
        for name, was, swapped in (
            replace_in_profiles(self.before.profiles, self.replacement) if self.replacement else ()
        ):
            self.put(name, was, self._replaced(swapped))

    def _replaced(self, swapped: ReplacedFile, ours: Container[str] = ()) -> bytes | None:
        self.removed += [each for each in swapped.replaced if each.where not in ours]
        self.notes += swapped.left
        return swapped.data

    def _config(self) -> bytes | None:
        """The user's config.yaml, with references in place of copies of the replaced key."""
        current = self.before.files.config
        return (
            self._replaced(replace_in_config(current, self.replacement, facts.CONFIG_NAME))
            if self.replacement
            else current
        )

    def merged(self, opened: OpenedBundle) -> Merged:
        """Plan config.yaml: the user's settings with the rendering merged in."""
        files, installed = self.before.files, self.before.installed
        last = installed.kept.rendering if installed and not installed.manifest.managed else None
        merged = merge_config(self._config(), last, opened.verified.config, self.key)
        self.removed += merged.removed
        self.notes += merged.notes
        self._describe(files.config, merged.data, opened.verified.config)
        return merged

    def managed(self, opened: OpenedBundle, values: Mapping[str, str]) -> Merged:
        """Plan the managed scope, which all users can read: it gets the rendering and the variables of the policy, never the key.

        The user's config is only cleaned.
        """
        scope, installed = self.before.managed, self.before.installed
        was_env, was_config = (scope.env, scope.config) if scope else (None, None)
        last = installed.kept.rendering if installed else None
        before_managed = bool(installed and installed.manifest.managed)
        pins = {**facts.MANAGED_ENV_PINS, **{name: values[name] for name in facts.POLICY_ENV if name in values}}
        former = self._unchanged_lines(was_env).intersection(facts.POLICY_ENV) if before_managed else set()
        edited = edit_env(was_env, pins, {*facts.HIJACKING_ENV, *former, opened.manifest.key_env} - pins.keys())
        config = merge_config(was_config, last if before_managed else None, opened.verified.config)
        cleaned = clean_config(self._config(), None if before_managed else last, opened.verified.config, self.key)
        self.removed += (*edited.removed, *config.removed, *cleaned.removed)
        self.notes += (*config.notes, *cleaned.notes)
        self._describe(was_config, config.data, opened.verified.config)
        for name, was, data in ((facts.ENV_NAME, was_env, edited.data), (facts.CONFIG_NAME, was_config, config.data)):
            if data != was:
                self.managed_changes.append(FileChange(name, data, PUBLIC))
        return cleaned

    def _describe(self, was: bytes | None, becomes: bytes, ours: bytes) -> None:
        before, after, rendering = flat_settings(was or b""), flat_settings(becomes), flat_settings(ours)
        self.set_ += [
            f"config.yaml: {path} = {value}"
            for path, value in after.items()
            if path in rendering and before.get(path) != value and not path.startswith("x_provision")
        ]
        self.kept_settings += sum(1 for path in after if path not in rendering and path in before)

    def keep(self, opened: OpenedBundle, values: Mapping[str, str]) -> None:
        """Plan the files in `.provision/`, last, because they describe the others."""
        manifest, names = opened.manifest, self.before.names
        kept = self.before.installed.kept if self.before.installed else KeptFiles()
        run = manifest.secret_delivery is SecretDelivery.RUN
        marks = {name: fingerprint(value, manifest.salt) for name, value in values.items()}
        bundle = opened.verified
        self.put(names.rendering, kept.rendering, bundle.config)
        self.put(names.sealed_env, kept.sealed_env, bundle.sealed_env if run else None)
        self.put(names.marks, kept.marks, (json.dumps(marks, indent=1, sort_keys=True) + "\n").encode())
        self.put(names.welcome, kept.welcome, bundle.welcome)
        self.put(names.signature, kept.signature, bundle.files[SIGNATURE])
        self.put(names.manifest, kept.manifest, bundle.files[MANIFEST])


def _removed_note(manifest: Manifest, removed: list[RemovedSetting]) -> bytes:
    """The note that lists removed settings, with every secret masked."""
    items = [
        {"file": r.file, "where": r.where, "why": r.why, "was": r.masked}
        | ({"path": list(r.path), "value": r.value} if r.path else {})
        for r in removed
    ]
    note = {"schema": "provision/removed/v1", "generation": manifest.generation, "removed": items}
    return (json.dumps(note, ensure_ascii=False, indent=2) + "\n").encode()
