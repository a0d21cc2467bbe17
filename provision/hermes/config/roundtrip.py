"""Change a user's YAML text with ruamel, and keep comments, order, quotes and spelling of everything else.

ruamel reads YAML 1.2 and Hermes 1.1, so the values that ruamel reads are not trusted: `merge` reads the result again as
Hermes does. Inserted text is quoted unless all readers agree on its meaning.
"""

from __future__ import annotations

import copy
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from provision.hermes.config.draft import ABSENT, ConfigChange, SettingPath
from provision.hermes.config.yaml11 import YamlError, dump_scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIST = re.compile(r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)
_STEP = re.compile(r"^[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*( +)[^\s#-]", re.MULTILINE)


class _Representer(RoundTripRepresenter):
    """Writes floats so that PyYAML reads them as floats."""

    def represent_plain_float(self, value: float) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:float", dump_scalar(value))


_Representer.add_representer(float, _Representer.represent_plain_float)


def replay_changes(text: str, changes: Sequence[ConfigChange]) -> str:
    """Apply these changes to `text`. Raises YamlError if ruamel cannot process the text."""
    yaml = _dialect(text)
    try:
        tree = yaml.load(text)
        shared = _shared(tree)
        for change in changes:
            _make(tree, change, shared)
        out = io.StringIO()
        yaml.dump(tree, out)
    except (
        YAMLError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        NotImplementedError,
        RecursionError,
    ) as e:
        raise YamlError(f"cannot change this file safely: its YAML is too unusual ({type(e).__name__})") from e
    return out.getvalue()


def _dialect(text: str) -> YAML:
    """Return a reader and writer with the indentation of the text."""
    yaml = YAML(typ="rt")
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    step = _STEP.search(text)
    nested = _LIST.search(text)
    offset = max(0, len(nested[2]) - len(nested[1])) if nested else 2
    yaml.indent(mapping=len(step[1]) if step else 2, sequence=offset + 2, offset=offset)
    return yaml


def _shared(tree: Any) -> set[int]:
    """Return the ids of containers that anchors use in several places."""
    seen: Counter[int] = Counter()

    def visit(node: Any) -> None:
        if isinstance(node, CommentedMap | CommentedSeq):
            seen[id(node)] += 1
            if seen[id(node)] == 1:
                for item in node.values() if isinstance(node, CommentedMap) else node:
                    visit(item)

    visit(tree)
    return {key for key, count in seen.items() if count > 1}


def _make(tree: Any, change: ConfigChange, shared: set[int]) -> None:
    holder = _holder(tree, change.path[:-1], shared)
    step = change.path[-1]
    if change.value is ABSENT:
        del holder[step]
    else:
        holder[step] = _native(change.value)


def _holder(tree: Any, path: SettingPath, shared: set[int]) -> Any:
    """Return the container at a path. A container that anchors share is copied first, so that only this place changes."""
    node = tree
    for step in path:
        child = node[step]
        if id(child) in shared:
            child = copy.deepcopy(child)
            child.yaml_set_anchor(None)
            node[step] = child
        node = child
    return node


def _native(value: Any) -> Any:
    """Convert a value for ruamel: mappings and lists in block form, ambiguous text in double quotes."""
    if isinstance(value, dict):
        return CommentedMap((_native(key), _native(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(map(_native, value))
    if isinstance(value, str) and dump_scalar(value) != value:
        return DoubleQuotedScalarString(value)
    return value
