"""JSON and HAR: secret values are masked, everything else stays byte for byte."""

from __future__ import annotations

import base64
import json

import pytest
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.stream import redact_bytes
from provision.redact.structured.json_text import NotJsonError, json_values, redact_json

WORD = opaque("structured", 14)
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
    first = redact_json(json.dumps(har).encode(), "x.har", session())
    result = redact_bytes(first, session(), "x.har").decode()
    assert not pieces_left(WORD, result)
    assert not pieces_left(key, result)
    entry = json.loads(result)["log"]["entries"][0]
    assert entry["request"]["headers"][1]["value"] == "application/json"
    assert entry["request"]["queryString"][1]["value"] == "abcdefghijk"
    assert base64.b64decode(entry["response"]["content"]["text"]).startswith(b"-- [REDACTED:")
