"""Copies of the key that an install replaces: found in the home and in its Hermes profiles, and brought to the new key.

Which key is the old one is known by the installed manifest's fingerprint, so it is found also where only a copy is left.
Hermes profiles inherit nothing from the home, so theirs are swapped too, unless provision installed them on their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.fleet.desired import SecretDelivery
from provision.hermes.config.naming import normalized_name
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import EnvFileError, read_env_raw
from provision.hermes.facts import v0_19 as facts
from provision.hermes.old_key import (
    KeyReplacement,
    ReplacedFile,
    find_old_key,
    replace_in_auth,
    replace_in_config,
    replace_in_env,
)
from provision.hermes.removed_setting import RemovedSetting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.bundle.manifest import Manifest
    from provision.endpoint.state import InstalledBundle
    from provision.hermes.home import HomeFiles


def planned_swap(
    manifest: Manifest, key: str, installed: InstalledBundle | None, folders: tuple[HomeFiles, ...]
) -> KeyReplacement | None:
    """The swap that an install has to make; None when the key stays, or no copy of the one before is left anywhere."""
    before = installed.manifest if installed else None
    if before is None or fingerprint(key, before.salt) == before.key_fingerprint:
        return None
    files = [data for folder in folders for data in (folder.config, folder.env, folder.auth)]
    old = find_old_key(files, lambda word: fingerprint(word, before.salt) == before.key_fingerprint)
    if old is None:
        return None
    on_disk = manifest.secret_delivery is not SecretDelivery.RUN
    return KeyReplacement(
        old, key if on_disk else None, manifest.key_env, normalized_name(manifest.provider), manifest.base_url
    )


def swapped_profiles(
    profiles: Mapping[str, HomeFiles], swap: KeyReplacement
) -> Iterator[tuple[str, bytes | None, ReplacedFile]]:
    """For each file of each Hermes profile: its path below the home, its bytes, and the swap in it."""
    for name, files in profiles.items():
        folder = f"{facts.PROFILES_FOLDER}/{name}"
        config = replace_in_config(files.config, swap, f"{folder}/{facts.CONFIG_NAME}")
        env = replace_in_env(files.env, swap, f"{folder}/{facts.ENV_NAME}")
        if config.replaced and swap.new is not None:
            env = _with_variable(env, swap, f"{folder}/{facts.ENV_NAME}")
        yield f"{folder}/{facts.ENV_NAME}", files.env, env
        yield (
            f"{folder}/{facts.AUTH_NAME}",
            files.auth,
            replace_in_auth(files.auth, swap, f"{folder}/{facts.AUTH_NAME}"),
        )
        yield f"{folder}/{facts.CONFIG_NAME}", files.config, config


def _with_variable(env: ReplacedFile, swap: KeyReplacement, file: str) -> ReplacedFile:
    """The `.env` of a profile whose settings now name our variable: it must define it, as nothing is inherited."""
    if swap.new is None or read_env_raw(env.data or b"").get(swap.key_env) == swap.new:
        return env
    try:
        edited = edit_env(env.data, {swap.key_env: swap.new})
    except EnvFileError as e:
        return ReplacedFile(env.data, env.replaced, (*env.left, f"{file} must define {swap.key_env}: {e.message}"))
    told = RemovedSetting(file, swap.key_env, "settings of this Hermes profile name it now", "****")
    return ReplacedFile(edited.data, (*env.replaced, told), env.left)
