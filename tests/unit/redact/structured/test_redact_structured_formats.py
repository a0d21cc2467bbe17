"""The file name decides which format is expected; the last member's name counts inside archives."""

from __future__ import annotations

import pytest

from provision.redact.structured import structured_redactor
from provision.redact.structured.dotenv import redact_dotenv
from provision.redact.structured.json_text import redact_json
from provision.redact.structured.yaml_text import redact_yaml


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (".env", redact_dotenv),
        ("home/.ENV.local", redact_dotenv),
        ("prod.env", redact_dotenv),
        ("a.JSON", redact_json),
        ("trace.har", redact_json),
        ("config.yaml", redact_yaml),
        ("bundle.zip!inner/config.yml", redact_yaml),
        ("home.zip!.env.local", redact_dotenv),
        ("config.yaml!notes.txt", None),
        ("environment", None),
        ("json", None),
        ("config.yaml.bak", None),
    ],
)
def test_a_name_promises_a_format(file: str, expected: object) -> None:
    assert structured_redactor(file) is expected
