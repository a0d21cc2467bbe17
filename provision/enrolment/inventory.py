"""Write confirmed keys into inventory.yaml, keeping its comments, order and quotes (ruamel.yaml).

The result is parsed again and compared with the original: when anything but the confirmed keys differs, nothing is written.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ruamel.yaml import YAML

    from provision.enrolment.policy import Candidate

_FIELDS = ("platform", "host")


class InventoryEditError(ProvisionError):
    """The inventory cannot be edited by this program; the snippet can be added by hand."""


def add_keys(data: bytes, candidates: Iterable[Candidate], profile: str | None) -> bytes:
    """Return the inventory with the candidates' keys; new users get `profile` (None: the inventory's default).

    Raises InventoryEditError.
    """
    yaml = _yaml(data)
    try:
        root = yaml.load(data)
        users = root["users"]
        by_id = {entry["id"]: entry for entry in users}
    except Exception as e:
        raise InventoryEditError(
            f"the inventory cannot be edited: {type(e).__name__}", hint="run `provision check` to see what is wrong"
        ) from e
    expected = _plain(data)
    expected_by_id = {entry["id"]: entry for entry in expected["users"]}
    for candidate in candidates:
        entry, plain_entry = by_id.get(candidate.user), expected_by_id.get(candidate.user)
        if entry is None or plain_entry is None:
            if not profile and not (root.get("defaults") or {}).get("profile"):
                raise InventoryEditError(f"{candidate.user} is new and has no profile", hint="pass --profile NAME")
            entry, plain_entry = _new(candidate, profile), {}
            users.append(entry)
            expected["users"].append(plain_entry)
        else:
            _set(entry, candidate)
        plain_entry.update({name: _unwrapped(value) for name, value in entry.items()})
    out = io.BytesIO()
    yaml.dump(root, out)
    text = _with_line_ends_of(data, out.getvalue())
    if _plain(text) != expected:
        raise InventoryEditError(
            "the inventory would change in more than the keys, so it was not written", hint="add the snippet by hand"
        )
    return text


def inventory_snippet(candidates: Iterable[Candidate], profile: str | None) -> str:
    """Return the keys as inventory lines to add by hand."""
    yaml = _yaml(b"users:\n  - ")
    out = io.StringIO()
    yaml.dump({"users": [_new(candidate, profile) for candidate in candidates]}, out)
    return out.getvalue()


def _set(entry: Any, candidate: Candidate) -> None:
    entry["recipients"] = _flow(candidate.recipients)
    if candidate.endpoint_key:
        entry["endpoint_key"] = _quoted(candidate.endpoint_key)
    for name in _FIELDS:
        value = getattr(candidate, name)
        if value and entry.get(name) is None:
            entry[name] = value


def _new(candidate: Candidate, profile: str | None) -> Any:
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415  heavy, and only this command needs it

    entry = CommentedMap()
    entry["id"] = candidate.user
    if profile:
        entry["profile"] = profile
    _set(entry, candidate)
    return entry


def _flow(texts: Iterable[str]) -> Any:
    from ruamel.yaml.comments import CommentedSeq  # noqa: PLC0415

    found = CommentedSeq([text if text.startswith("age1") and " " not in text else _quoted(text) for text in texts])
    found.fa.set_flow_style()
    return found


def _quoted(text: str) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415

    return DoubleQuotedScalarString(text)


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unwrapped(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _yaml(data: bytes) -> YAML:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100_000
    flush = re.search(rb"(?m)^users:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*- ", data)
    yaml.indent(mapping=2, sequence=2 if flush else 4, offset=0 if flush else 2)
    return yaml


def _plain(data: bytes) -> Any:
    import yaml  # noqa: PLC0415

    return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader, the C one if there is one


def _with_line_ends_of(data: bytes, text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n") if b"\r\n" in data and b"\r\n" not in text else text
