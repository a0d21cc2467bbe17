"""Change a YAML text line by line. Only the lines of changed settings change; all others keep every byte.

Supports block style without anchors: the style of Hermes and most users. For other styles it raises `UnusualError`, and
the caller uses `roundtrip` instead. The caller must read the result again and compare: it is not trusted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from provision.hermes.config.draft import ABSENT, ConfigChange, SettingPath, copy_unshared
from provision.hermes.config.yaml11 import dump_block, dump_flow, dump_scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE = re.compile("[^\n\x85\u2028\u2029]*[\n\x85\u2028\u2029]")  # what PyYAML counts as a line
_TEXT_TAG = "tag:yaml.org,2002:str"


class UnusualError(Exception):
    """The style of the text does not allow changes line by line."""


def splice_changes(text: str, changes: Sequence[ConfigChange]) -> str:
    """Apply these changes to `text`, which must have LF line ends. Raises UnusualError."""
    for change in changes:
        if not text.endswith("\n"):
            text += "\n"
        lines = _LINE.findall(text)
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise UnusualError("an empty document")
        outer = _flow_above(root, change.path)
        if outer is not None:
            _rewrite_flow(lines, root, text, outer, change)
        elif change.value is ABSENT:
            _delete(lines, root, change.path)
        else:
            _set(lines, root, change.path, change.value)
        text = "".join(lines)
    return text


def _flow_above(root: yaml.Node, path: SettingPath) -> int | None:
    """Return how many steps of a path lead to the outermost `{…}` or `[…]` around the rest of it, else None."""
    node: yaml.Node = root
    for depth, step in enumerate(path):
        if isinstance(node, yaml.CollectionNode) and node.flow_style and node.value:
            return depth
        entry = _entry(node, step) if isinstance(node, yaml.CollectionNode) else None
        if entry is None:
            return None
        node = entry[1]
    return None


def _rewrite_flow(lines: list[str], root: yaml.Node, text: str, depth: int, change: ConfigChange) -> None:
    """Rewrite a `{…}` on one line, with the change applied."""
    node = _find(root, change.path[:depth])
    start, end = node.start_mark, node.end_mark
    if depth == 0:
        raise UnusualError("the whole file in flow style")
    holder = value = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader
    for step in change.path[:depth]:
        value = value[step]
    holder = value = copy_unshared(value)
    for step in change.path[depth:-1]:
        holder = holder[step]
    if change.value is ABSENT:
        del holder[change.path[-1]]
    else:
        holder[change.path[-1]] = change.value
    first, last = lines[start.line], lines[end.line]
    lines[start.line : end.line + 1] = [first[: start.column] + dump_flow(value) + last[end.column :]]


def _find(root: yaml.Node, path: SettingPath) -> yaml.Node:
    node = root
    for step in path:
        _block(node)
        entry = _entry(node, step)
        if entry is None:
            raise UnusualError("no such path")
        node = entry[1]
    return node


def _block(node: yaml.Node) -> None:
    if not isinstance(node, yaml.CollectionNode) or (node.flow_style and node.value):
        raise UnusualError("flow style, or not a collection")


def _entry(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return key and value of a mapping's entry; for an item of a list, the item twice."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return (node.value[step], node.value[step]) if step < len(node.value) else None
    for key, value in node.value:
        if key.tag == _TEXT_TAG and key.value == step:
            return key, value
    return None


def _last_line(node: yaml.Node) -> int:
    """Return the last line of a node, without the comments after it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    mark = node.end_mark
    return int(
        mark.line - 1
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and not mark.column
        else mark.line
    )


def _delete(lines: list[str], root: yaml.Node, path: SettingPath) -> None:
    holder = _find(root, path[:-1])
    _block(holder)
    entry = _entry(holder, path[-1])
    if entry is None:
        raise UnusualError("no such entry")
    if len(holder.value) == 1:
        if not path[:-1]:
            raise UnusualError("nothing would be left")
        _set(lines, root, path[:-1], [] if isinstance(holder, yaml.SequenceNode) else {})
        return
    start = entry[0].start_mark
    before = lines[start.line][: start.column]
    if isinstance(holder, yaml.SequenceNode):
        if before.strip() != "-":
            raise UnusualError("a list in a list")
    elif before.strip():  # the first key of a list item: the next key moves up to the dash
        following = holder.value[1][0].start_mark if holder.value[0][0] is entry[0] else None
        if following is None or before.strip() != "-" or following.line == start.line:
            raise UnusualError("not on a line of its own")
        lines[start.line : following.line + 1] = [before + lines[following.line][following.column :]]
        return
    del lines[start.line : _last_line(entry[1]) + 1]


def _set(lines: list[str], root: yaml.Node, path: SettingPath, value: Any) -> None:
    if not path:
        raise UnusualError("the whole file")
    holder = _find(root, path[:-1])
    _block(holder)
    if not holder.value:  # `providers: {}`
        _set(lines, root, path[:-1], {path[-1]: value})
        return
    if not isinstance(holder, yaml.MappingNode):
        raise UnusualError("an item of a list")
    entry = _entry(holder, path[-1])
    column = holder.value[0][0].start_mark.column
    if entry is None:
        at = _last_line(holder) + 1
        lines[at:at] = _rendered(path[-1], value, column)
        return
    key, old = entry
    one_line = (
        isinstance(old, yaml.ScalarNode) and old.style not in ("|", ">") and old.start_mark.line == old.end_mark.line
    )
    if one_line and old.end_mark.column > old.start_mark.column and not (isinstance(value, dict | list) and value):
        line = lines[old.start_mark.line]
        lines[old.start_mark.line] = line[: old.start_mark.column] + dump_flow(value) + line[old.end_mark.column :]
        return
    before = lines[key.start_mark.line][: key.start_mark.column]
    if before.strip() not in ("", "-"):
        raise UnusualError("not on a line of its own")
    first, *rest = _rendered(path[-1], value, column)
    lines[key.start_mark.line : _last_line(old) + 1] = [before + first.lstrip(), *rest]


def _rendered(key: str | int, value: Any, column: int) -> list[str]:
    pad = " " * column
    if isinstance(value, dict) and value:
        lines = [f"{pad}{dump_scalar(key)}:", *dump_block(value, column + 2).split("\n")]
    elif isinstance(value, list) and value:
        lines = [f"{pad}{dump_scalar(key)}:", *(f"{pad}- {dump_flow(item)}" for item in value)]
    else:
        lines = [f"{pad}{dump_scalar(key)}: {dump_flow(value)}"]
    return [line + "\n" for line in lines]
