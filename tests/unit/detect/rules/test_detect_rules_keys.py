"""Private keys: with and without their end, escaped, and source code that only mentions them."""

from __future__ import annotations

from provision.detect.detector import Detector
from provision.detect.rules.keys import RULES
from provision.detect.rules.pieces import ALNUM, filler

DETECTOR = Detector(RULES, decode=False, engine="re2")
BODY = filler("body", ALNUM + "+/", 256)
LINES = [BODY[at : at + 64] for at in range(0, 256, 64)]
BEGIN, END = f"-----BEGIN {'PRIVATE'} KEY-----", f"-----END {'PRIVATE'} KEY-----"


def rules(text: str) -> list[str]:
    return [match.rule for match in DETECTOR.scan(text.encode())]


def test_a_whole_key_is_one_secret_from_its_first_to_its_last_line() -> None:
    text = "\n".join(["before", BEGIN, *LINES, END, "after"])
    (match,) = DETECTOR.scan(text.encode())
    assert match.secret.reveal() == text[text.index(BEGIN) : text.index(END) + len(END)]


def test_a_key_without_its_end_is_found() -> None:
    assert rules("\n".join([BEGIN, *LINES])) == ["private-key"]


def test_a_key_in_a_json_string_is_found() -> None:
    assert rules('{"key": "' + "\\n".join([BEGIN, *LINES, END]) + '"}') == ["private-key"]


def test_code_and_placeholders_are_not_keys() -> None:
    assert rules(f"if text.startswith('{BEGIN}') and text.endswith('{END}'):") == []
    assert rules(f"{BEGIN}\n{'A' * 64}\n{'A' * 64}\n{END}") == []
    assert rules(f"{BEGIN}\n(put your key here)\n{END}") == []


def test_a_wireguard_key_has_exactly_43_characters() -> None:
    key = filler("wg", ALNUM + "+/", 43)
    assert rules(f"PrivateKey = {key}=") == ["wireguard-key"]
    assert rules(f"PrivateKey = {key[:-1]}=") == []
    assert rules(f"PublicKey = {key}=") == []
