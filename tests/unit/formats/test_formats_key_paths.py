"""Key paths: the name under which a byte of a settings file stands."""

from __future__ import annotations

import json

import pytest
import seeded

from provision.formats.key_paths import form_of, key_paths, printable_name

YAML = """\ufeffa: é
model: {api_key: <1>, base: 'x'}
custom_providers:
  - name: one
  - {k: v, "api key": "<2>"}
b: &anchor [1, <3>]
c: *anchor
? [complex]
: <4>
d: |
  text
  <5>
<6>: value
"""
JSON = '{"credential_pool": {"custom:aisa": [{"id": 1, "access_token": "<1>"}, "<2>"]}, "x": {"y\\"z": ["<3>"]}}\n{"z": "<4>"}'


@pytest.mark.parametrize(
    ("name", "text", "paths"),
    [
        (
            "config.yaml",
            YAML,
            ["model.api_key", 'custom_providers[1]."api key"', "b[1]", '"?"', "d", '"<6>"'],
        ),
        (
            "b.zip!auth.json",
            JSON,
            ['credential_pool."custom:aisa"[0].access_token', 'credential_pool."custom:aisa"[1]', 'x."y\\"z"[0]', "z"],
        ),
        (".env.bak", "A=1\nexport KEY = <1>\n# <2>\nB='x\n<3>'\n", ["KEY", None, None]),
        ("notes.txt", "a: <1>", [None]),
        ("broken.yaml", "a: [<1>]\nb: }\nc: <2>", ["a[0]", None]),
        ("deep.json", '{"a": "<1>"}' + "[" * 5000 + '"<2>"', ["a", None]),
    ],
)
def test_paths(name: str, text: str, paths: list[str | None]) -> None:
    data = text.encode()
    path_at = key_paths(name, data)
    found = [path_at(data.index(f"<{i}>".encode())) for i in range(1, len(paths) + 1)]
    assert found == paths


def test_forms_go_by_the_name_and_see_through_backups() -> None:
    names = {
        "config.yaml": "yaml", "/x/config.yaml.corrupt.20260101.bak": "yaml", "a.yml": "yaml", "auth.json": "json",
        "b.zip!home/.env": "env", ".env": "env", ".op.env": "env", ".env.old": "env", "prod.env": "env", "x.txt": None,
        "environment": None, "a.jsonl": None, "yaml": None,
    }  # fmt: skip
    assert {name: form_of(name) for name in names} == names


def test_a_secret_used_as_a_name_does_not_show() -> None:
    key = "sk-" + "aisa-" + seeded.token_urlsafe(32)
    data = json.dumps({key: {"a": "x"}, "long" * 50 + key: "y", "\x1b[31m\n": "z"}).encode()
    path_at = key_paths("a.json", data)
    shown = " ".join(str(path_at(offset)) for offset in range(len(data)))
    assert not any(key[i : i + 6] in shown for i in range(8, len(key) - 6))
    assert shown.isprintable()
    assert printable_name("plain_name") == "plain_name"
