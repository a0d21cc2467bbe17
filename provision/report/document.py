"""JSON as an output format: documents with a versioned schema name."""

from __future__ import annotations

import json
from typing import Any


def document(schema: str, **fields: Any) -> str:
    """Write a JSON object whose first member is `"schema": "provision/NAME/vN"`; ends in a newline."""
    return json.dumps({"schema": f"provision/{schema}", **fields}, ensure_ascii=False, indent=2) + "\n"
