"""YAML: secret values are masked, everything else stays byte for byte."""

from __future__ import annotations

import pytest
import yaml
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.session import RedactionOptions
from provision.redact.structured.yaml_text import redact_yaml, scalars_with_paths

WORD = opaque("structured", 14)

YAML = """\
# the model
model:
  provider: custom:aisa   # stays
  api_key: {word}   # a note
  max_tokens: 4096
  base_url: "https://api.aisa.one/v1"
providers: {{aisa: {{key_env: AISA_API_KEY, api_key: '{word}'}}}}
list:
- token: "{word}\\x21"
  name: ünïcode
- password: |
    {word}
    second line

- secret: >-
    {word}
  after: yes
anchored: &a {{client_secret: {word}}}
again: *a
---
api_key: ${{AISA_API_KEY}}
"""


def test_yaml_keeps_everything_but_the_secrets() -> None:
    text = YAML.format(word=WORD)
    result = redact_yaml(text.encode(), "c.yaml", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert "second line" not in result
    before, after = list(yaml.safe_load_all(text)), list(yaml.safe_load_all(result))
    assert after[0]["model"]["max_tokens"] == 4096
    assert after[0]["list"][1]["password"].startswith("[REDACTED:secret-field#")
    assert [list(d) for d in after] == [list(d) for d in before]
    for line in (
        "# the model",
        "  provider: custom:aisa   # stays",
        "  max_tokens: 4096",
        "- token:",
        "  name: ünïcode",
        "again: *a",
        "  after: yes",
    ):
        assert line in result
    assert "   # a note\n" in result
    assert result.endswith("---\napi_key: ${AISA_API_KEY}\n")


def test_yaml_twice_is_once() -> None:
    once = redact_yaml(YAML.format(word=WORD).encode(), "c.yaml", session())
    assert redact_yaml(once, "c.yaml", session()) == once


def test_yaml_values_are_searched_without_their_escapes() -> None:
    key = aisa_key("escaped")
    text = 'note: "' + "".join(f"\\x{ord(c):02x}" for c in key) + '"\nfolded: >\n  ' + "see " + key + "\n  more\n"
    result = redact_yaml(text.encode(), "c.yaml", session()).decode()
    assert yaml.safe_load(result)["note"].startswith("[REDACTED:")
    assert "\\x" not in result


def test_yaml_paths_of_the_user() -> None:
    options = RedactionOptions(paths=("notes.*.text",))
    result = redact_yaml(b"notes:\n- text: visible\n  more: stays\n", "c.yaml", session(options=options)).decode()
    assert "visible" not in result
    assert "more: stays" in result


@pytest.mark.parametrize("text", ["a: [1, 2", "{{{", "\x00", "a:\n\tb: 1", "%YAML 9.9\n---\n", "[" * 5000])
def test_what_is_no_yaml_stays(text: str) -> None:
    assert redact_yaml(text.encode(), "c.yaml", session()) == text.encode()


def test_a_yaml_bomb_costs_nothing() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
    )
    assert redact_yaml(bomb.encode(), "c.yaml", session()) == bomb.encode()


def test_yaml_paths_of_every_shape() -> None:
    text = "a:\n- b: 1\n- {c: [2, 3]}\n? [x, y]\n: d: 4\nf: 6\n"
    found = {s.text: s.path for s in scalars_with_paths(text)}
    assert found["1"] == ("a", "0", "b")
    assert found["3"] == ("a", "1", "c", "1")
    assert found["4"][-1] == "d"
    assert found["6"] == ("f",)
