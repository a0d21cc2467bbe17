"""Edit an inventory in YAML: only the characters of changed values change.

The positions come from PyYAML's nodes, which are made only for the entries concerned if these have a meaning by themselves. A
field is replaced, inserted below the last field of its entry, or removed with its line. Entries in flow style (`{id: ada, …}`)
stay in flow style.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from provision.fleet.edit.entry_edit import EntryEdit, InventoryEditError, apply_to_entries, unknown_user
from provision.fleet.edit.yaml_entries import HEAD, LOADER, YamlEntries, read_entries
from provision.formats.edits import Edit, apply_edits
from provision.formats.scalars import AmbiguousError, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RUN = 100
"""The most entries that are parsed into nodes at a time."""
_PLAIN = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9._/@+-]*")


def edit_yaml(data: bytes, edits: Sequence[EntryEdit]) -> bytes:
    """Return the inventory with the edits. Raises InventoryEditError."""
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    text = data.decode("utf-8-sig")
    entries = _entries(text)
    if not entries.ids and edits:  # the first one shows how the others are written
        first = edits[0].user
        text = _as_a_whole(text, [edit for edit in edits if edit.user == first])
        edits, entries = [edit for edit in edits if edit.user != first], _entries(text)
    if edits:
        text = _piecewise(text, entries, edits) if entries.separable else _as_a_whole(text, edits)
    return bom + text.encode()


def edit_mapping(text: str, path: Sequence[str], value: Any) -> str:
    """Return a file of settings in which the one at `path` has this value; None removes it. Raises yaml.YAMLError."""
    node: Any = yaml.compose(text, Loader=LOADER)
    if node is None:  # only comments
        return text + ("\n" if text and not text.endswith("\n") else "") + _nested(path, value) + "\n"
    rest = list(path)
    while len(rest) > 1:
        found = next((each for key, each in node.value if key.value == rest[0]), None)
        if not isinstance(found, yaml.MappingNode) or not found.value:
            break
        node, _ = found, rest.pop(0)
    return _YamlText(text).with_fields(node, {rest[0]: _inner(rest[1:], value)})


def _inner(path: Sequence[str], value: Any) -> Any:
    return {path[0]: _inner(path[1:], value)} if path else value


def _nested(path: Sequence[str], value: Any) -> str:
    return f"{path[0]}: {_flow(_inner(path[1:], value))}"


def _entries(text: str) -> YamlEntries:
    try:
        return read_entries(text)
    except yaml.YAMLError as e:
        raise _not_editable() from e


def _piecewise(text: str, entries: YamlEntries, edits: Sequence[EntryEdit]) -> str:
    """Edit the text of the entries concerned alone, so that time and memory beyond one reading grow with the edits."""
    bounds, count, at = entries.bounds, len(entries.ids), 0
    out, expected, last = [text[: bounds[0]]], list[int](), text[bounds[-2] : bounds[-1]]
    groups = _by_entry(entries, edits)
    for (start, stop), wanted in _runs({position: groups[position] for position in groups if position < count}):
        piece = _as_a_whole(HEAD + text[bounds[start] : bounds[stop]], wanted)
        found = _entries(piece)
        out += (text[bounds[at] : bounds[start]], piece[len(HEAD) :])
        expected += (*entries.digests[at:start], *found.digests)
        at, last = stop, piece[found.bounds[-2] :] if stop == count else last
    out.append(text[bounds[at] : bounds[-1]])
    expected += entries.digests[at:]
    for _, wanted in _runs({position: groups[position] for position in groups if position >= count}):
        piece = _as_a_whole(HEAD + last, wanted)
        found = _entries(piece)
        out.append(piece[len(HEAD) + len(last) :])
        expected += found.digests[1:]
        last = piece[found.bounds[-2] :]
    edited = "".join((*out, text[bounds[-1] :]))
    after = _entries(edited)
    if (after.digests, after.rest) != (expected, entries.rest):
        raise _other_changes()
    return edited


def _by_entry(entries: YamlEntries, edits: Sequence[EntryEdit]) -> dict[int, list[EntryEdit]]:
    """The edits by the position of the entry; new users have the positions behind the last one."""
    positions = {user: position for position, user in enumerate(entries.ids)}
    behind = itertools.count(len(entries.ids))
    found: dict[int, list[EntryEdit]] = {}
    for edit in edits:
        if edit.user not in positions:
            positions[edit.user] = next(behind)
        position = positions[edit.user]
        found.setdefault(position, []).append(edit)
        if (renamed := edit.fields.get("id", edit.user)) != edit.user:
            positions[renamed] = position
    return found


def _runs(by_entry: dict[int, list[EntryEdit]]) -> list[tuple[tuple[int, int], list[EntryEdit]]]:
    """Join neighbours, a bounded number: each run is parsed once."""
    runs: list[list[int]] = []
    for position in sorted(by_entry):
        if runs and position == runs[-1][-1] + 1 and len(runs[-1]) < _RUN:
            runs[-1].append(position)
        else:
            runs.append([position])
    return [((run[0], run[-1] + 1), [edit for each in run for edit in by_entry[each]]) for run in runs]


def _as_a_whole(text: str, edits: Sequence[EntryEdit]) -> str:
    expected = _parsed(text)
    apply_to_entries(expected["users"], edits)
    try:
        for edit in _merged(edits):
            text = _YamlText(text).with_edits(edit)
        same = yaml.load(text, Loader=LOADER) == expected  # noqa: S506  a safe loader
    except yaml.YAMLError as e:
        raise _other_changes() from e
    if not same:
        raise _other_changes()
    return text


def _other_changes() -> InventoryEditError:
    return InventoryEditError(
        "the inventory would change in more than the edited entries, so it was not written",
        hint="write entries without anchors, or edit the file by hand; then: provision check",
    )


def _not_editable() -> InventoryEditError:
    return InventoryEditError("the inventory cannot be edited as it is", hint="provision check")


def _parsed(text: str) -> Any:
    try:
        root = yaml.load(text, Loader=LOADER)  # noqa: S506  a safe loader, the C one if there is one
        if not isinstance(root["users"], list):
            raise TypeError("users")
        if not all(isinstance(entry["id"], str) for entry in root["users"]):
            raise TypeError("id")
    except (yaml.YAMLError, KeyError, TypeError) as e:
        raise _not_editable() from e
    return root


def _merged(edits: Sequence[EntryEdit]) -> list[list[EntryEdit]]:
    """Split the edits into rounds in which no user is edited twice: each round is spliced into the text at once."""
    rounds: list[list[EntryEdit]] = []
    seen: set[str] = set()
    for edit in edits:
        names = {edit.user, edit.fields.get("id", edit.user)}
        if not rounds or seen & names:
            rounds.append([])
            seen = set()
        rounds[-1].append(edit)
        seen |= names
    return rounds


class _YamlText:
    """One text with the nodes of its users."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._break = "\r\n" if "\r\n" in text else "\n"
        root: Any = yaml.compose(text, Loader=LOADER)
        self._users = next((value for key, value in root.value if key.value == "users"), None)
        self._by_id = {_scalar(entry, "id"): entry for entry in self._users.value} if self._users is not None else {}
        self._edits: list[Edit] = []

    def with_fields(self, node: Any, fields: Mapping[str, Any]) -> str:
        self._fields(node, fields)
        return apply_edits(self._text, self._edits)

    def with_edits(self, edits: Sequence[EntryEdit]) -> str:
        new: list[dict[str, Any]] = []
        for edit in edits:
            if edit.new:
                new.append(_new_entry(edit))
                continue
            entry = self._by_id.get(edit.user)
            if entry is None:
                raise unknown_user(edit.user)
            if edit.machine is not None and edit.machine != _scalar(entry, "machine"):
                self._machine(entry, edit)
            else:
                self._fields(entry, edit.fields, edit.absent)
        if new:
            self._append(self._users, new)
        return apply_edits(self._text, self._edits)

    def _machine(self, entry: Any, edit: EntryEdit) -> None:
        machines = next((value for key, value in entry.value if key.value == "machines"), None)
        for machine in machines.value if machines is not None else ():
            if _scalar(machine, "name") == edit.machine:
                self._fields(machine, edit.fields, edit.absent)
                return
        every = {**edit.fields, **edit.absent}
        added = {"name": edit.machine, **{k: v for k, v in every.items() if v is not None}}
        if machines is None:
            self._fields(entry, {"machines": [added]})
        else:
            self._append(machines, [added])

    def _fields(self, entry: Any, fields: Mapping[str, Any], absent: Mapping[str, Any] | None = None) -> None:
        pairs = {key.value: (index, key, value) for index, (key, value) in enumerate(entry.value)}
        new: dict[str, Any] = {}
        missing = {n: v for n, v in (absent or {}).items() if n not in pairs or not _is_set(pairs[n][2])}
        fields = {**fields, **missing}
        gone = [fields.get(key.value, "kept") is None for key, _ in entry.value]
        if entry.flow_style and sum(gone) > 1:
            start, end = entry.start_mark.index, entry.end_mark.index
            whole = {**yaml.load(self._text[start:end], Loader=LOADER), **fields}  # noqa: S506  a safe loader
            self._edits.append(Edit(start, end, _flow({k: v for k, v in whole.items() if v is not None})))
            return
        leading = gone.index(False) if self._is_behind_dash(entry) else 0
        if leading and not entry.flow_style:  # the first key stands behind the dash of its entry
            self._edits.append(Edit(entry.value[0][0].start_mark.index, entry.value[leading][0].start_mark.index, ""))
        for name, value in fields.items():
            if name not in pairs:
                if value is not None:
                    new[name] = value
            elif value is None:
                if entry.flow_style or pairs[name][0] >= leading:
                    self._remove(entry, pairs[name][0])
            else:
                _, key, node = pairs[name]
                start = self._text.index(":", key.end_mark.index) + 1
                self._edits.append(Edit(start, max(start, self._end(node)), " " + _flow(value)))
        if new:
            kept = [pair for pair in entry.value if fields.get(pair[0].value, "kept") is not None]
            self._insert(entry, kept[-1], new)

    def _is_behind_dash(self, entry: Any) -> bool:
        start = entry.start_mark.index
        return bool(self._text[self._text.rfind("\n", 0, start) + 1 : start].strip(" \ufeff"))

    def _insert(self, entry: Any, last: tuple[Any, Any], new: dict[str, Any]) -> None:
        end = max(self._end(last[1]), last[0].end_mark.index)
        if entry.flow_style:
            text = "".join(f", {name}: {_flow(value)}" for name, value in new.items())
            self._edits.append(Edit(end, end, text))
            return
        lines = _block(new, entry.start_mark.column)
        end = self._line_end(end)
        self._edits.append(Edit(end, end, "".join(self._break + line for line in lines)))

    def _remove(self, entry: Any, index: int) -> None:
        key, node = entry.value[index]
        start, end = key.start_mark.index, max(self._end(node), self._text.index(":", key.end_mark.index) + 1)
        if index + 1 < len(entry.value) and entry.flow_style:
            end = entry.value[index + 1][0].start_mark.index
        elif entry.flow_style:
            start = self._end(entry.value[index - 1][1])
        else:
            start = self._text.rindex("\n", 0, start) + 1
            end = min(self._text.find("\n", end) + 1 or len(self._text), len(self._text))
        self._edits.append(Edit(start, end, ""))

    def _append(self, sequence: Any, entries: list[dict[str, Any]]) -> None:
        if not sequence.value:  # `users: []`
            column = self._key_column(sequence)
            lines = [line for entry in entries for line in _item(entry, column + 2)]
            text = "".join(self._break + line for line in lines)
            start = len(self._text[: sequence.start_mark.index].rstrip(" "))
            self._edits.append(Edit(start, sequence.end_mark.index, text))
            return
        end = self._end(sequence.value[-1])
        if sequence.flow_style:
            self._edits.append(Edit(end, end, "".join(", " + _flow(entry) for entry in entries)))
            return
        lines = [line for entry in entries for line in _item(entry, sequence.start_mark.column)]
        end = self._line_end(end)
        self._edits.append(Edit(end, end, "".join(self._break + line for line in lines)))

    def _key_column(self, node: Any) -> int:
        start = self._text.rfind("\n", 0, node.start_mark.index) + 1
        line = self._text[start : node.start_mark.index]
        return len(line) - len(line.lstrip(" -"))

    def _end(self, node: Any) -> int:
        """The end of a value. The own mark of blocks is that of the next token."""
        if node.value and not isinstance(node, yaml.ScalarNode) and not node.flow_style:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
            while self._text[end - 1] in " \r\n":
                end -= 1
        return end

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1] == "\r" else end


def _is_set(node: Any) -> bool:
    return not str(node.tag).endswith(":null")


def _scalar(entry: Any, name: str) -> Any:
    return next((value.value for key, value in entry.value if key.value == name), None)


def _new_entry(edit: EntryEdit) -> dict[str, Any]:
    fields = {name: value for name, value in {**edit.fields, **edit.absent}.items() if value is not None}
    if edit.machine is not None and edit.machine != fields.get("machine"):
        return {"id": edit.user, "machines": [{"name": edit.machine, **fields}]}
    return {"id": edit.user, **fields}


def _item(entry: dict[str, Any], column: int) -> list[str]:
    first, *rest = _block(entry, column + 2)
    return [f"{' ' * column}- {first.lstrip()}", *rest]


def _block(fields: dict[str, Any], column: int) -> list[str]:
    lines = []
    for name, value in fields.items():
        if name == "machines":
            lines.append(f"{' ' * column}machines:")
            lines += [line for machine in value for line in _item(machine, column + 2)]
        else:
            lines.append(f"{' ' * column}{name}: {_flow(value)}")
    return lines


def _flow(value: Any) -> str:
    """A value on one line. Text is quoted unless it is plain for every parser."""
    match value:
        case str():
            return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(_flow, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case _:
            return json.dumps(value)


def _is_plain(text: str) -> bool:
    try:
        return bool(_PLAIN.fullmatch(text)) and resolve_scalar(text) == text
    except AmbiguousError:
        return False
