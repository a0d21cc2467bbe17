"""Merge a team's rendering into a user's existing `config.yaml`.

A three-way merge of the current file, the last rendering and the new rendering. The user's keys, order and comments stay
as far as the YAML library supports it. Our settings are applied. Settings that would change the route are removed and
listed. Then the result is read as Hermes reads it and compared value by value with the intended values. Any difference is
an error, and nothing changes. Pure: bytes in, bytes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yaml import YAMLError

from provision.errors import Place
from provision.hermes.config.conflicts import ProvisionedProvider, keep_other_endpoint, remove_conflicts
from provision.hermes.config.draft import Draft, same_value
from provision.hermes.config.roundtrip import replay_changes
from provision.hermes.config.side_leaks import ProvisionedKey, remove_leaks
from provision.hermes.config.splice import UnusualError, splice_changes
from provision.hermes.config.three_way import apply_rendering, retire_previous
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.hermes.removed_setting import RemovedSetting

FILE = facts.CONFIG_NAME
SIZE_LIMIT_BYTES = 512 << 10
_BOM = b"\xef\xbb\xbf"


class MergeError(YamlError):
    """A user's `config.yaml` cannot be merged and was not changed. `place` and `hint` say what to correct."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged `config.yaml`. `pools` names the providers whose credential pools serve our gateway, for `clean_auth`."""

    data: bytes
    removed: tuple[RemovedSetting, ...] = ()
    notes: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()


def merge_config(current: bytes | None, last: bytes | None, new: bytes, key: ProvisionedKey | None = None) -> Merged:
    """Merge `new` into `current`, where `last` is our previous rendering. `key` is what must not leak.

    Without a current file, returns the bytes of the rendering. If nothing has to change, returns the current bytes. Raises
    MergeError, with the line, for a file that is not valid YAML for Hermes, contains a key twice, is too large, or has a
    style that cannot be changed without a risk for the user's settings.
    """
    wanted = parse_yaml11(new, "the rendering").data
    pools: tuple[str, ...] = (ProvisionedProvider.of(wanted).name,)
    if current is None or not current.strip(b"\xef\xbb\xbf \t\r\n"):
        return Merged(new, pools=pools)
    text, data = _read(current)
    if data is None:
        comments = [line for line in text.split("\n") if line.startswith("#")]  # other lines are `---`, `null` or blank
        return Merged(_styled("".join(line + "\n" for line in comments) + new.decode(), current), pools=pools)
    before, note = _last(last)
    notes = (note,) if note else ()
    draft = Draft(data, FILE)
    moved = keep_other_endpoint(draft, wanted)
    if moved:
        notes = (*notes, f"the endpoint in model: was moved to providers.{moved}, with its key")
    wanted[facts.VERSION_KEY] = _newer(data.get(facts.VERSION_KEY), wanted[facts.VERSION_KEY])
    retire_previous(draft, before, wanted)
    apply_rendering(draft, wanted, before)
    _remove_leaks(draft, wanted, key)
    pools = remove_conflicts(draft, wanted)
    if not draft.changes:
        return Merged(current, pools=pools)
    result = _written(text, draft)
    return Merged(_styled(result, current), tuple(draft.removed), notes, pools)


def clean_config(current: bytes | None, last: bytes | None, new: bytes, key: ProvisionedKey | None = None) -> Merged:
    """Clean a user's `config.yaml` under a managed scope with `new`: remove our settings and all that override the scope.

    `last` is our previous rendering if it was merged into this file. Raises MergeError, like `merge_config`.
    """
    wanted = parse_yaml11(new, "the rendering").data
    text, data = _read(current or b"")
    if current is None or data is None:
        return Merged(current or b"", pools=(ProvisionedProvider.of(wanted).name,))
    before, note = _last(last)
    notes = (note,) if note else ()
    draft = Draft(data, FILE)
    retire_previous(draft, before, {})
    _remove_leaks(draft, wanted, key)
    pools = remove_conflicts(draft, wanted)
    if not draft.changes:
        return Merged(current, pools=pools)
    return Merged(_styled(_written(text, draft), current), tuple(draft.removed), notes, pools)


def _remove_leaks(draft: Draft, wanted: dict[str, Any], key: ProvisionedKey | None) -> None:
    ours = ProvisionedProvider.of(wanted)
    remove_leaks(draft, ours, wanted, key or ProvisionedKey(frozenset({ours.key_env})))


def change_config(current: bytes, change: Callable[[Draft], object]) -> Merged:
    """Apply `change` to the draft of a user's `config.yaml`, and nothing else. Raises MergeError."""
    text, data = _read(current)
    draft = Draft(data or {}, FILE)
    change(draft)
    if not draft.changes:
        return Merged(current)
    return Merged(_styled(_written(text, draft), current), tuple(draft.removed))


def _read(current: bytes) -> tuple[str, Any]:
    """Return the file's text with LF line ends and without BOM, and what Hermes reads from it."""
    if len(current) > SIZE_LIMIT_BYTES:
        raise MergeError(f"the file is larger than {SIZE_LIMIT_BYTES >> 10} KiB", place=Place(FILE))
    try:
        text = current.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as e:
        line = current[: e.start].count(b"\n") + 1
        raise MergeError("the file is not UTF-8 text: Hermes ignores it", place=Place(FILE, line)) from None
    try:
        parsed = parse_yaml11(text, FILE)
    except YamlError as e:
        hint = e.hint or "Hermes ignores this file: correct it or move it away, then run the same command again"
        raise MergeError(e.message, place=e.place, hint=hint) from None
    if parsed.duplicates:
        again = parsed.duplicates[0]
        hint = "keep one of the two: Hermes ignores the first"
        raise MergeError(f"duplicate key {again.key!r}", place=again.place, hint=hint)
    if parsed.data is not None and not isinstance(parsed.data, dict):
        raise MergeError("the file contains no settings: it is not a mapping", place=Place(FILE, 1))
    return text, parsed.data


def _last(last: bytes | None) -> tuple[dict[str, Any], str]:
    """Return our previous rendering and a note. A damaged copy counts as missing: no setting is removed, and the note says so."""
    if not last:
        return {}, ""
    try:
        data = parse_yaml11(last, "the last rendering").data
    except YamlError:
        data = None
    if isinstance(data, dict):
        return data, ""
    return {}, "the copy of the last rendering is damaged: settings that the team no longer sets may remain"


def _newer(have: Any, ours: int) -> int:
    """Return the higher version: Hermes may have migrated the file already, and a lower number would repeat that."""
    return have if isinstance(have, int) and not isinstance(have, bool) and have > ours else ours


def _written(text: str, draft: Draft) -> str:
    """Write the draft's changes into the text, and verify that Hermes reads the draft's values from it."""
    try:
        result = splice_changes(text, draft.changes)
        if _means(result, draft.data):
            return result
    except (UnusualError, YAMLError, YamlError):
        pass  # flow style or anchors: ruamel supports them, but loses some of the user's formatting
    hint = "write the part with anchors or unusual YAML in plain block style, then run the same command again"
    try:
        result = replay_changes(text, draft.changes)
        if _means(result, draft.data):
            return result
    except YamlError as e:
        raise MergeError(e.message, place=Place(FILE), hint=hint) from e
    raise MergeError("cannot change this file without changing your own settings", place=Place(FILE), hint=hint)


def _means(text: str, data: dict[str, Any]) -> bool:
    """Return whether Hermes reads exactly `data` from `text`."""
    parsed = parse_yaml11(text, FILE)
    return not parsed.duplicates and same_value(parsed.data, data)


def _styled(text: str, like: bytes) -> bytes:
    """Encode text with the BOM and the line ends of the file that it replaces."""
    data = text.encode()
    if like.count(b"\r\n") * 2 > like.count(b"\n"):
        data = data.replace(b"\n", b"\r\n")
    return _BOM + data if like.startswith(_BOM) else data
