"""Edit the settings of a profile in YAML: only the characters of changed values change. Pure.

As with the inventory, the edited text must parse to exactly the wanted values, else nothing is returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from provision.errors import ProvisionError, UsageError
from provision.fleet.edit.yaml_edit import edit_mapping
from provision.fleet.edit.yaml_entries import LOADER
from provision.formats.located import without_positions
from provision.formats.scalars import AmbiguousError, resolve_scalar
from provision.formats.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProfileEditError(ProvisionError):
    """The profile cannot be edited by this program."""


def parse_setting(text: str) -> tuple[tuple[str, ...], Any]:
    """Parse `model=gpt-5.2`, `fallback_models=[a, b]` or `hermes.display.compact=true`. Raises UsageError.

    An empty value is None: it takes the setting out of the profile.
    """
    name, equals, value = text.partition("=")
    path, value = tuple(part.strip() for part in name.split(".")), value.strip()
    if not equals or not all(path) or "\n" in text or "\r" in text:
        raise UsageError(f"invalid setting {text!r}", hint="use KEY=VALUE, such as model=gpt-5.4-mini")
    if not value:
        return path, None
    if value[0] in "[{'\"":
        root, problems = read_yaml(b"value: " + value.encode(), name)
        if problems:
            raise UsageError(f"{name}: invalid value {value!r}: {problems[0].message}", hint="write it as in YAML")
        return path, without_positions(root["value"])
    try:
        found = resolve_scalar(value)
    except AmbiguousError as e:
        raise UsageError(f"{name}: invalid value {value!r}: {e}", hint=f"quote text: {name}='\"{value}\"'") from None
    if found is None:
        raise UsageError(
            f"{name}: null hides an inherited value: write it into the file", hint=f"to remove it: {name}="
        )
    return path, found


def edit_settings(data: bytes, changes: Mapping[tuple[str, ...], Any]) -> bytes:
    """Return the profile with these settings, None to remove one. Raises ProfileEditError."""
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = data.decode("utf-8-sig")
        if any(getattr(event, "anchor", None) for event in yaml.parse(text, Loader=LOADER)):
            raise ValueError("what one setting says would change another")
        expected = yaml.load(text, Loader=LOADER) or {}  # noqa: S506  a safe loader, the C one if there is one
        if not isinstance(expected, dict):
            raise TypeError("not a profile")
        for path, value in changes.items():
            if changed := _apply(expected, path, value):
                text = edit_mapping(text, changed, value)
        same = (yaml.load(text, Loader=LOADER) or {}) == expected  # noqa: S506  a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError, IndexError) as e:
        raise _not_possible() from e
    if not same:
        raise _not_possible()
    return bom + text.encode()


def _apply(settings: dict[str, Any], path: tuple[str, ...], value: Any) -> tuple[str, ...]:
    """Change parsed settings; returns the path that changed, empty if none: a map that would be empty is removed itself."""
    *parents, name = path
    chain = [settings]
    for parent in parents:
        if value is None and not isinstance(chain[-1].get(parent), dict):
            return ()
        if chain[-1].get(parent) is None:
            chain[-1][parent] = {}
        if not isinstance(chain[-1][parent], dict):
            raise TypeError(parent)
        chain.append(chain[-1][parent])
    before = chain[-1].get(name)
    if before == value and type(before) is type(value):
        return ()
    if value is not None:
        chain[-1][name] = value
        return path
    while len(chain) > 1 and len(chain[-1]) == 1:
        chain.pop()
    shortened = path[: len(chain)]
    del chain[-1][shortened[-1]]
    return shortened


def _not_possible() -> ProfileEditError:
    return ProfileEditError(
        "the profile would change in more than these settings, so it was not written",
        hint="edit the file by hand; then: provision check",
    )
