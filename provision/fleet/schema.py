"""JSON Schema (2020-12) of profile and inventory, for editors and checks in other tools."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from provision.errors import UsageError
from provision.fleet import models
from provision.fleet.models import InventoryFile, ProfileFile
from provision.fleet.nearest import spelling_hint

if TYPE_CHECKING:
    from pydantic import BaseModel

_FILES: dict[str, type[BaseModel]] = {"profile": ProfileFile, "inventory": InventoryFile}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(name: str) -> dict[str, Any]:
    """Return the schema of `profile` or `inventory`. It accepts the same structure as the loader. Raises UsageError."""
    if name not in _FILES:
        raise UsageError(f"unknown schema {name!r}", hint=spelling_hint(name, list(_FILES)))
    plain = _FILES[name].model_json_schema(mode="validation")
    _describe(plain, _FILES[name].__name__)
    for model, definition in plain.get("$defs", {}).items():
        _describe(definition, model)
    schema = _tidy(plain)
    return {"$schema": DIALECT, "$id": f"urn:hermes-provision:{name}:v1", **schema}


def _describe(definition: dict[str, Any], model: str) -> None:
    """Add the docstrings of fields. Pydantic's `use_attribute_docstrings` reads the source too, but at every start."""
    source = inspect.getsource(models)
    classes = {node.name: node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    inherited = [classes.get(each.__name__, []) for each in getattr(models, model, object).__mro__]
    for field, text in (pair for body in inherited for pair in pairwise(body)):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(described))):
                definition["properties"][name].setdefault("description", described)


def _tidy(node: Any) -> Any:
    """Remove pydantic's titles and `default: null`, which editors would offer, and make names as strict as the loader."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(value) for key, value in node.items() if not _decoration(key, value)}
    if "patternProperties" in kept:  # pydantic accepts any value for names that do not match the pattern
        kept.setdefault("additionalProperties", False)
    return kept


def _decoration(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
