"""What `render` would change, user by user, without making anything.

The manifest's fields and the settings in `config.yaml` are compared value by value. Sealed content shows only as "changed",
and keys show as fingerprints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.bundle.cache import RenderCache
from provision.bundle.dist import Dist, content_digest
from provision.bundle.manifest import BUNDLE_FILES, CONFIG, PAGE, SEALED_ENV, WELCOME, Manifest
from provision.bundle.plan import ImpossibleBundle, PlannedBundle, plan_bundles
from provision.bundle.render import RenderOptions, examine_bundle
from provision.hermes.config.flat import flat_settings, value_text
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SHOWN_FIELDS = (
    *("profile", "platform", "provider", "base_url", "api_mode", "model", "key_env"),
    *("secret_delivery", "managed", "hermes_home", "hermes_profile", "recipients"),
)


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One value that would change; `was` or `becomes` is None when the value is missing on that side."""

    what: str
    was: str | None
    becomes: str | None

    def __str__(self) -> str:
        return (
            f"{self.what}: {'—' if self.was is None else self.was} -> {'—' if self.becomes is None else self.becomes}"
        )


@dataclass(frozen=True, slots=True)
class UserDiff:
    """One user's drift. `status` is new, changed, expiring, altered, removed or impossible."""

    user: str
    status: str
    differences: tuple[ValueChange, ...] = ()
    reason: str = ""


def diff_bundles(options: RenderOptions, root: Path, signer: bytes) -> Iterator[UserDiff]:
    """Yield a UserDiff for each user whose bundle `render` would make again, cannot make, or (with prune) remove.

    `signer` is the public key blob that `render` would sign with.
    """
    dist = Dist(root, None)
    seen = RenderCache.load(dist.seen_path, digest_key=options.common.digest_key, signer=signer)
    for planned in plan_bundles(options.states, options.common):
        if isinstance(planned, ImpossibleBundle):
            yield UserDiff(
                planned.user,
                "impossible",
                reason=f"{planned.reason} ({planned.hint})" if planned.hint else planned.reason,
            )
            continue
        files = dist.read(planned.user)
        if not _is_current(planned, files, options, seen) and (found := _compare(planned, files, options, signer)):
            yield found
    if root.is_dir():
        for user in dist.others(set(options.all_users)):
            yield UserDiff(user, "removed", reason="no longer in the inventory; `render --prune` removes the bundle")


def _is_current(planned: PlannedBundle, files: dict[str, bytes], options: RenderOptions, seen: RenderCache) -> bool:
    """Whether `render` would leave these files, by the cache of the last render alone: most are unchanged."""
    if not files.keys() >= set(BUNDLE_FILES):
        return False
    cached = seen.recall(planned.user, planned.inputs, content_digest(files))
    return cached is not None and options.lasts(cached.expires)


def _compare(planned: PlannedBundle, files: dict[str, bytes], options: RenderOptions, signer: bytes) -> UserDiff | None:
    if not files:
        return UserDiff(planned.user, "new")
    there = examine_bundle(files, signer)
    manifest = there.manifest
    if manifest is None:
        return UserDiff(planned.user, "altered", reason="its manifest is unreadable")
    if manifest.inputs_digest != planned.inputs.hex():
        differences = tuple(_differences(planned, manifest, files, options))
        return UserDiff(planned.user, "changed", differences)
    if not there.genuine:
        return UserDiff(planned.user, "altered", reason="a file was altered, or another key signed it")
    if not options.lasts(int(manifest.expires_at.timestamp())):
        return UserDiff(planned.user, "expiring", (ValueChange("expires", manifest.expires, None),))
    return None


def _differences(
    planned: PlannedBundle, manifest: Manifest, files: dict[str, bytes], options: RenderOptions
) -> Iterator[ValueChange]:
    was = manifest.model_dump(mode="json")
    becomes = planned.fields(options.common, manifest.generation)
    found = []
    for name in _SHOWN_FIELDS:
        new = list(becomes[name]) if name == "recipients" else becomes[name]
        if was[name] != new:
            found.append(ValueChange(name, value_text(was[name]), value_text(new)))
    if manifest.fingerprint_salt != options.common.salt.hex():
        found.append(ValueChange("fingerprint_salt", "another vault's", "this vault's"))
    elif manifest.key_fingerprint != becomes["key_fingerprint"]:
        found.append(ValueChange("key", manifest.key_fingerprint, becomes["key_fingerprint"]))
    found += _settings(files.get(CONFIG, b""), planned.config)
    welcome = planned.welcome(options.common)
    if files.get(WELCOME) != welcome:
        found.append(ValueChange(WELCOME, "", "rewritten"))
    elif files.get(PAGE) != planned.page(welcome, options.common):
        found.append(ValueChange(PAGE, "", "rewritten" if PAGE in files else "added"))
    yield from found
    if not found:
        days = (manifest.expires_at - manifest.created_at).days
        if days != options.common.bundle_days:
            yield ValueChange("bundle_days", str(days), str(options.common.bundle_days))
        else:
            yield ValueChange(SEALED_ENV, "sealed", "other lines than the key changed")


def _settings(was: bytes, becomes: bytes) -> list[ValueChange]:
    before, after = flat_settings(was), flat_settings(becomes)
    ours = ("x_provision", "model.default", "model.provider", facts.VERSION_KEY)
    return [
        ValueChange(f"config.yaml: {path}", before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path) and not path.startswith(ours)
    ]


def user_diff_json(item: UserDiff) -> Mapping[str, Any]:
    """A UserDiff for a JSON document."""
    return {
        "user": item.user,
        "status": item.status,
        "reason": item.reason,
        "differences": [{"what": d.what, "was": d.was, "becomes": d.becomes} for d in item.differences],
    }
