"""Merging a team's rendering into a `config.yaml` that a user already has.

Three ways: what stands there, what we wrote last time, what we are to write. The user's keys, order and comments stay as
far as the YAML library can carry them; ours are set; what would hijack the route is taken out and listed. The result is
read again as Hermes reads it and compared value by value with what was meant: any difference is an error, and nothing
changes. Pure: bytes in, bytes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yaml import YAMLError

from provision.errors import Place
from provision.hermes.config.conflicts import ProvisionedProvider, keep_other_endpoint, remove_conflicts
from provision.hermes.config.draft import Draft, same_value
from provision.hermes.config.roundtrip import replay_changes
from provision.hermes.config.splice import UnusualError, splice_changes
from provision.hermes.config.three_way import apply_rendering, retire_previous
from provision.hermes.config.yaml11 import YamlError, parse_yaml11
from provision.hermes.removed_setting import RemovedSetting

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "config.yaml"
SIZE_LIMIT_BYTES = 512 << 10
_BOM = b"\xef\xbb\xbf"


class MergeError(YamlError):
    """A user's `config.yaml` cannot be merged; it was not changed, and `place` and `hint` say what to mend."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged `config.yaml`. `pools` are the provider names whose credential pools serve our gateway: for `clean_auth`."""

    data: bytes
    removed: tuple[RemovedSetting, ...] = ()
    notes: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()


def merge_config(current: bytes | None, last: bytes | None, new: bytes) -> Merged:
    """What `config.yaml` is to hold: `new` merged into `current`, given that `last` was our previous rendering.

    Without a current file the rendering itself, byte for byte. When nothing has to change, the current bytes. Raises
    MergeError, with the line, for a file that is not YAML to Hermes, says a key twice, is enormous, or is written so
    unusually that it cannot be changed without a risk to what the user set.
    """
    wanted = parse_yaml11(new, "the rendering").data
    pools: tuple[str, ...] = (ProvisionedProvider.of(wanted).name,)
    if current is None or not current.strip(b"\xef\xbb\xbf \t\r\n"):
        return Merged(new, pools=pools)
    text, data = _read(current)
    if data is None:
        comments = [
            line for line in text.split("\n") if line.startswith("#")
        ]  # the rest is `---`, `null` and blank lines
        return Merged(_styled("".join(line + "\n" for line in comments) + new.decode(), current), pools=pools)
    before, note = _last(last)
    notes = (note,) if note else ()
    draft = Draft(data, FILE)
    moved = keep_other_endpoint(draft, wanted)
    if moved:
        notes = (*notes, f"the endpoint that stood in model: is kept as providers.{moved}, with its key")
    wanted["_config_version"] = _newer(data.get("_config_version"), wanted["_config_version"])
    retire_previous(draft, before, wanted)
    apply_rendering(draft, wanted, before)
    pools = remove_conflicts(draft, wanted)
    if not draft.changes:
        return Merged(current, pools=pools)
    result = _written(text, draft)
    return Merged(_styled(result, current), tuple(draft.removed), notes, pools)


def clean_config(current: bytes | None, last: bytes | None, new: bytes) -> Merged:
    """A user's own `config.yaml` under a managed scope that holds `new`: nothing of ours in it, nothing that beats the scope.

    `last` is our previous rendering when it went into this file. Raises MergeError, like `merge_config`.
    """
    wanted = parse_yaml11(new, "the rendering").data
    text, data = _read(current or b"")
    if current is None or data is None:
        return Merged(current or b"", pools=(ProvisionedProvider.of(wanted).name,))
    before, note = _last(last)
    notes = (note,) if note else ()
    draft = Draft(data, FILE)
    retire_previous(draft, before, {})
    pools = remove_conflicts(draft, wanted)
    if not draft.changes:
        return Merged(current, pools=pools)
    return Merged(_styled(_written(text, draft), current), tuple(draft.removed), notes, pools)


def change_config(current: bytes, change: Callable[[Draft], object]) -> Merged:
    """A user's own `config.yaml` with what `change` does to its draft, and nothing else. Raises MergeError."""
    text, data = _read(current)
    draft = Draft(data or {}, FILE)
    change(draft)
    if not draft.changes:
        return Merged(current)
    return Merged(_styled(_written(text, draft), current), tuple(draft.removed))


def _read(current: bytes) -> tuple[str, Any]:
    """The file's text with plain line ends and no BOM, and what Hermes reads from it."""
    if len(current) > SIZE_LIMIT_BYTES:
        raise MergeError(f"the file is larger than {SIZE_LIMIT_BYTES >> 10} KiB", place=Place(FILE))
    try:
        text = current.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as e:
        line = current[: e.start].count(b"\n") + 1
        raise MergeError("the file is not UTF-8 text, so Hermes ignores it", place=Place(FILE, line)) from None
    try:
        parsed = parse_yaml11(text, FILE)
    except YamlError as e:
        hint = e.hint or "Hermes ignores this file as it is; mend it or move it away, and run the same command again"
        raise MergeError(e.message, place=e.place, hint=hint) from None
    if parsed.duplicates:
        again = parsed.duplicates[0]
        hint = "Hermes ignores the first of the two: keep the one that is meant"
        raise MergeError(f"the key {again.key!r} stands here a second time", place=again.place, hint=hint)
    if parsed.data is not None and not isinstance(parsed.data, dict):
        raise MergeError("the file does not hold settings (it is not a mapping)", place=Place(FILE, 1))
    return text, parsed.data


def _last(last: bytes | None) -> tuple[dict[str, Any], str]:
    """Our previous rendering, and a remark. A damaged copy counts as none: then nothing is retired, and a note says so."""
    if not last:
        return {}, ""
    try:
        data = parse_yaml11(last, "the last rendering").data
    except YamlError:
        data = None
    if isinstance(data, dict):
        return data, ""
    return {}, "the copy of the last rendering is damaged: settings the team no longer sets may stay"


def _newer(have: Any, ours: int) -> int:
    """Hermes' own migrations may have moved the file on; taking it back would run them again."""
    return have if isinstance(have, int) and not isinstance(have, bool) and have > ours else ours


def _written(text: str, draft: Draft) -> str:
    """The text with the draft's changes, proven to mean to Hermes what the draft says."""
    try:
        result = splice_changes(text, draft.changes)
        if _means(result, draft.data):
            return result
    except (UnusualError, YAMLError, YamlError):
        pass  # flow style or anchors: ruamel carries those, at the price of some of the user's formatting
    hint = "anchors or unusual YAML stand where a setting has to change: write that part out plainly and try again"
    try:
        result = replay_changes(text, draft.changes)
        if _means(result, draft.data):
            return result
    except YamlError as e:
        raise MergeError(e.message, place=Place(FILE), hint=hint) from e
    raise MergeError("this file cannot be changed without altering your own settings", place=Place(FILE), hint=hint)


def _means(text: str, data: dict[str, Any]) -> bool:
    """Whether Hermes reads exactly `data` from `text`."""
    parsed = parse_yaml11(text, FILE)
    return not parsed.duplicates and same_value(parsed.data, data)


def _styled(text: str, like: bytes) -> bytes:
    """Text with the BOM and the line ends of the file it replaces."""
    data = text.encode()
    if like.count(b"\r\n") * 2 > like.count(b"\n"):
        data = data.replace(b"\n", b"\r\n")
    return _BOM + data if like.startswith(_BOM) else data
