"""Which operands are secrets without a prefix: long hex, UUIDs and random text, unless they name something that exists.

An operand that names a file, or that the inventory contains, is a name. The host and path of a URL are an address. Public
keys, fingerprints, and digests with their algorithm in front are public.
"""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PUBLIC = lazy_regex(
    r"(?:SHA(?:1|256|384|512):|sha\d{1,3}[-:=]|MD5:|fp_|pf_|age1|ssh-|AAAA[BCE])[A-Za-z0-9+/=:_-]*", re.IGNORECASE
)
_ADDRESS = lazy_regex(r"(?<=://)([^/@?#]*@)?[^@?#]*")
_TIME = lazy_regex(r"20\d\d-?\d\d-?\d\d(?:[T_-]?[\d-]{4,8}Z?)?")
_UUID = lazy_regex(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BODY = lazy_regex(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = lazy_regex(r"(?i)[0-9a-f]{24,}")
_ONE_CASE = lazy_regex(r"[a-z0-9]{20,}|[A-Z0-9]{20,}")
_PASSWORD = lazy_regex(r"(?=.*[!#$%^&*()?<>|;~])[\x21-\x7e]{16,}")
_FEW_CHARACTERS = 8
_LEAST_CHANGES, _LETTERS_ONLY_CHANGES = 0.2, 0.35
"""Random letters change their case at every second place, those of a name in camel case at every fourth."""
_LEAST_BITS = 3.4
_MAX_INVENTORY_BYTES = 32 << 20


def opaque_operands(arguments: Sequence[str]) -> Iterator[str]:
    """Yield every part of the arguments that is a secret without a prefix. Reads the inventory only if there may be one."""
    found = [part for argument in arguments for part in _opaque_parts(argument)]
    if found:
        named = _names(arguments)
        yield from (part for part in found if not named(part))


def _opaque_parts(argument: str) -> Iterator[str]:
    """Yield the parts of one argument that look random."""
    value = argument.partition("=")[2] if argument.startswith("--") else argument
    if _exists(argument) or (value and _exists(value)):
        return
    text = _TIME.sub(" ", _PUBLIC.sub(" ", _ADDRESS.sub(r"\1 ", argument)))
    for found in _UUID.finditer(text):
        yield found.group()
    for found in _BODY.finditer(_UUID.sub(" ", text)):
        if _is_random(part := found.group().lstrip("-")):
            yield part
    if _PASSWORD.fullmatch(value) and "://" not in value:
        from provision.detect.entropy import looks_random  # noqa: PLC0415  few commands have such an operand

        if looks_random(value):
            yield value


def _is_random(part: str) -> bool:
    """Return whether a text looks generated. An operand is one text among few, so this finds more than `audit --entropy`."""
    from provision.detect.entropy import HINT, case_changes, looks_random, shannon, word_share  # noqa: PLC0415  as above
    from provision.detect.not_secret import is_not_secret  # noqa: PLC0415  as above

    body = part.strip("=/")
    if len(set(body)) < _FEW_CHARACTERS or is_not_secret(body, HINT.id) or _is_new_file(part):
        return False
    if _HEX.fullmatch(body):
        return any(map(str.isdigit, body)) and any(map(str.isalpha, body))
    if _ONE_CASE.fullmatch(body):
        return looks_random(body)
    changes = case_changes(body)
    least = _LEAST_CHANGES if any(map(str.isdigit, body)) else _LETTERS_ONLY_CHANGES
    return changes >= least and word_share(body) < changes and shannon(body) >= _LEAST_BITS


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def _is_new_file(path: str) -> bool:
    """Return whether a file of this name would be made in a folder that exists below the root."""
    folder = os.path.dirname(path)  # noqa: PTH120  a text that may not be a path
    return len(folder) > 1 and _exists(folder)


def _names(arguments: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether a text is in the inventory of the workspace: as the name of a user or machine."""
    from provision.files import read_optional  # noqa: PLC0415  as above
    from provision.fleet.workspace import find_workspace, read_workspace  # noqa: PLC0415  as above

    follows = dict(pairwise(arguments))
    given = follows.get("-w") or follows.get("--workspace")
    given = given or next((a.partition("=")[2] for a in arguments if a.startswith("--workspace=")), None)
    try:
        workspace = read_workspace(Path(given) if given else find_workspace(Path.cwd()))[0]
        inventory = read_optional(workspace.inventory, _MAX_INVENTORY_BYTES) or b""
    except (ProvisionError, OSError, ValueError):
        return lambda part: False
    return lambda part: part.encode() in inventory
