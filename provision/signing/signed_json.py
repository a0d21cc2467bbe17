"""Parse small signed JSON documents: manifests, receipts, the parts of a feed's index.

They are bounded, have one schema and no unknown fields. Duplicate names are refused, because parsers differ on which one
counts. Error messages quote only the schema and the places of mistakes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from provision.detect.shapes import SECRET_LIKE

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.errors import ProvisionError

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class DocumentForm(Generic[M]):
    """One kind of document: its model and schema, its name in messages, the error to raise, and further checks.

    `sound` raises ValueError with what is wrong. `hint` is the hint for damage, `other_version` the one for another schema.
    """

    model: type[M]
    schema: str
    name: str
    limit_bytes: int
    error: type[ProvisionError]
    sound: Callable[[M], object]
    other_version: str
    hint: str = ""

    def parse(self, data: bytes) -> M:
        """Parse a document. Raises the form's error."""
        if len(data) > self.limit_bytes:
            raise self.error(f"{self.name} is larger than {self.limit_bytes} bytes", hint=self.hint)
        try:
            plain = json.loads(data, object_pairs_hook=_without_duplicates)
            if isinstance(plain, dict) and plain.get("schema") != self.schema:
                shown = str(plain.get("schema"))[:60]
                raise self.error(
                    f"{self.name} has schema {shown!r}, this version reads {self.schema!r}", hint=self.other_version
                )
            document = self.model.model_validate_json(data)
            self.sound(document)
        except ValidationError as e:
            first = e.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "document"
            raise self.error(f"{self.name} is invalid: {where}: {first['msg']}", hint=self.hint) from e
        except (ValueError, RecursionError) as e:
            raise self.error(f"{self.name} is invalid: {e}", hint=self.hint) from e
        return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def refuse_secrets(document: BaseModel) -> None:
    """A check for `sound`: a report that holds a secret is not passed on. Raises ValueError."""
    if SECRET_LIKE.search(document.model_dump_json()):
        raise ValueError("it holds something that looks like a secret in plaintext: treat that as leaked")
