"""JSON documents with a versioned schema name, the public form of every result."""

from __future__ import annotations

import json
from typing import Any


def document(schema: str, **fields: Any) -> str:
    """A JSON object whose first member is `"schema": "provision/NAME/vN"`; ends in a newline."""
    return json.dumps({"schema": f"provision/{schema}", **fields}, ensure_ascii=False, indent=2) + "\n"
