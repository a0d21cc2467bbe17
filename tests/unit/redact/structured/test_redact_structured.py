"""Structured formats: the right values go, everything else stays byte for byte."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.session import RedactionOptions
from provision.redact.structured.dotenv import redact_dotenv
from provision.redact.structured.json_text import NotJsonError, json_values, redact_json
from provision.redact.structured.secret_names import names_secret, path_chosen, plain_value
from provision.redact.structured.yaml_text import redact_yaml, yaml_scalars

WORD = opaque("structured", 14)


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "API_KEY", "AISA_API_KEY", "client-secret", "password", "db_password", "accessToken", "token",
     "X-Api-Key", "Authorization", "secret_access_key", "private_key", "AUTH_TOKEN", "PASSPHRASE"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    ["key_env", "max_tokens", "token_url", "tokens", "keyboard", "monkey", "primary_key", "key", "secret_name", "api_key_env",
     "password_file", "token_count", "access_token_env", "author", "public_key", "", "cookie_policy"],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "value", ["", "  ", "true", "8192", "${AISA_API_KEY}", "$TOKEN", "your-api-key", "null", "0.5"]
)
def test_values_that_tell_nothing(value: str) -> None:
    assert plain_value(value)


def test_key_paths_match_step_by_step() -> None:
    assert path_chosen(("providers", "aisa", "note"), ["providers.*.note"])
    assert not path_chosen(("providers", "aisa", "x", "note"), ["providers.*.note"])


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
    found = {s.text: s.path for s in yaml_scalars(text)}
    assert found["1"] == ("a", "0", "b")
    assert found["3"] == ("a", "1", "c", "1")
    assert found["4"][-1] == "d"
    assert found["6"] == ("f",)


JSON = '{ "a" : 1.50e3 , "api_key":"%s", "list" : [ {"token" : "%s\\n"}, null, true ],"pin_secret": 123456789, "é":"\\u00e9" }\n'


def test_json_keeps_everything_but_the_secrets() -> None:
    result = redact_json((JSON % (WORD, WORD)).encode(), "c.json", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert "123456789" not in result
    assert result.startswith('{ "a" : 1.50e3 , "api_key":"[REDACTED:secret-field#')
    assert result.endswith(',"pin_secret": "' + json.loads(result)["pin_secret"] + '", "é":"\\u00e9" }\n')
    assert redact_json(result.encode(), "c.json", session()) == result.encode()


@pytest.mark.parametrize(
    "text", ['{"token": "abcdefghij",}', "[1 2]", "{'token': 1}", '"a" "b"', '{"a": tru}', "", '["\n"', "[" * 9999]
)
def test_what_is_no_json_stays(text: str) -> None:
    assert redact_json(text.encode(), "c.json", session()) == text.encode()
    with pytest.raises(NotJsonError):
        list(json_values(text))


def test_json_strings_are_searched_without_their_escapes() -> None:
    key = aisa_key("json")
    text = json.dumps({"note": "x"}).replace('"x"', '"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"')
    result = json.loads(redact_json(text.encode(), "c.json", session()))
    assert result["note"].startswith("[REDACTED:")


def test_har_headers_cookies_queries_and_bodies() -> None:
    key = aisa_key("har")
    har = {
        "log": {
            "version": "1.2",
            "entries": [
                {
                    "request": {
                        "url": f"https://api.aisa.one/v1/models?api_key={key}",
                        "headers": [
                            {"name": "Authorization", "value": f"Bearer {WORD}"},
                            {"name": "Accept", "value": "application/json"},
                        ],
                        "cookies": [{"name": "sid", "value": WORD}],
                        "queryString": [{"name": "api_key", "value": WORD}, {"name": "page", "value": "abcdefghijk"}],
                        "postData": {"mimeType": "application/json", "text": json.dumps({"note": key})},
                    },
                    "response": {
                        "content": {"encoding": "base64", "text": base64.b64encode(f"-- {key} --".encode()).decode()}
                    },
                }
            ],
        }
    }
    from provision.redact.stream import redact_bytes

    first = redact_json(json.dumps(har).encode(), "x.har", session())
    result = redact_bytes(first, session(), "x.har").decode()
    assert not pieces_left(WORD, result)
    assert not pieces_left(key, result)
    entry = json.loads(result)["log"]["entries"][0]
    assert entry["request"]["headers"][1]["value"] == "application/json"
    assert entry["request"]["queryString"][1]["value"] == "abcdefghijk"
    assert base64.b64decode(entry["response"]["content"]["text"]).startswith(b"-- [REDACTED:")


ENV = """\
# AISA_API_KEY={word}
AISA_API_KEY={word}
export OTHER="{word} with words
on two lines" # a comment
SINGLE='{word}'  # more
HERMES_HOME=/srv/hermes
AISA_MODEL=gpt-5.2
DEBUG=true
EMPTY=
REF=${{OTHER}}
 INDENTED = {word}
# a sentence = is not a value here
"""


def test_env_shows_only_what_is_allowed() -> None:
    result = redact_dotenv(ENV.format(word=WORD).encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert "on two lines" not in result
    for line in (
        "HERMES_HOME=/srv/hermes",
        "AISA_MODEL=gpt-5.2",
        "DEBUG=true",
        "EMPTY=",
        "REF=${OTHER}",
        "# a sentence = is not a value here",
    ):
        assert line + "\n" in result
    assert "  # more\n" in result
    assert " # a comment\n" in result
    assert redact_dotenv(result.encode(), ".env", session()) == result.encode()


def test_env_names_of_the_user_stay() -> None:
    shown = redact_dotenv(b"TEAM=blue-team-7\n", ".env", session(options=RedactionOptions(allow=frozenset({"TEAM"}))))
    assert shown == b"TEAM=blue-team-7\n"
    assert b"blue" not in redact_dotenv(b"TEAM=blue-team-7\n", ".env", session())


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_env_line_ends_and_marks_stay(newline: str, mark: str) -> None:
    text = f"{mark}A={WORD}{newline}B=true{newline}"
    result = redact_dotenv(text.encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
    assert result.startswith(f"{mark}A=[REDACTED:env-value#")
    assert result.endswith(f"]{newline}B=true{newline}")


def test_env_with_a_quote_that_never_closes() -> None:
    result = redact_dotenv(f'A="{WORD}\nB={WORD}x\n'.encode(), ".env", session()).decode()
    assert not pieces_left(WORD, result, 6)
