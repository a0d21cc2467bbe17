"""Replace copies of the previous key, in the home and in its Hermes profiles, when an install brings a new one.

The previous key is found by the fingerprint in the installed manifest, so it is found even where only a copy is left.
Hermes profiles inherit nothing from the home, so their copies are replaced too, except in profiles with an installation of
their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.fleet.desired import SecretDelivery
from provision.hermes.config.naming import normalized_name
from provision.hermes.env.dotenv import edit_env
from provision.hermes.env.parsers import EnvFileError, read_env_raw
from provision.hermes.facts import names as facts
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


def plan_key_replacement(
    manifest: Manifest, key: str, installed: InstalledBundle | None, folders: tuple[HomeFiles, ...]
) -> KeyReplacement | None:
    """The replacement that an install has to make; None when the key is unchanged, or no copy of the previous one exists."""
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


def replace_in_profiles(
    profiles: Mapping[str, HomeFiles], replacement: KeyReplacement
) -> Iterator[tuple[str, bytes | None, ReplacedFile]]:
    """For each file of each Hermes profile: its path below the home, its bytes, and the bytes with the new key."""
    for name, files in profiles.items():
        folder = f"{facts.PROFILES_FOLDER}/{name}"
        config = replace_in_config(files.config, replacement, f"{folder}/{facts.CONFIG_NAME}")
        env = replace_in_env(files.env, replacement, f"{folder}/{facts.ENV_NAME}")
        if config.replaced and replacement.new is not None:
            env = _with_variable(env, replacement, f"{folder}/{facts.ENV_NAME}")
        yield f"{folder}/{facts.ENV_NAME}", files.env, env
        yield (
            f"{folder}/{facts.AUTH_NAME}",
            files.auth,
            replace_in_auth(files.auth, replacement, f"{folder}/{facts.AUTH_NAME}"),
        )
        yield f"{folder}/{facts.CONFIG_NAME}", files.config, config


def _with_variable(env: ReplacedFile, replacement: KeyReplacement, file: str) -> ReplacedFile:
    """The `.env` of a profile whose settings now refer to the variable: it must define it, as nothing is inherited."""
    if replacement.new is None or read_env_raw(env.data or b"").get(replacement.key_env) == replacement.new:
        return env
    try:
        edited = edit_env(env.data, {replacement.key_env: replacement.new})
    except EnvFileError as e:
        return ReplacedFile(
            env.data, env.replaced, (*env.left, f"{file} must define {replacement.key_env}: {e.message}")
        )
    removed = RemovedSetting(file, replacement.key_env, "settings of this Hermes profile name it now", "****")
    return ReplacedFile(edited.data, (*env.replaced, removed), env.left)
