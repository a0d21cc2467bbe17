"""Several values below one name: lists, maps, blocks, sections, values with commas."""

from __future__ import annotations

import random
import string

import pytest

from provision.detect.detector import WINDOW_BYTES, Detector
from provision.detect.policy import Policy
from provision.detect.rules.several import several_values

AUDIT, PUBLISHING = Detector(), Detector(policy=Policy.PUBLISHING)
MADE = random.Random(20261129)
NAMES = ("api_keys", "tokens", "passwords", "secrets", "credentials", "team.accessKeys")
FORMS = {
    "list": '{n} = ["{v}", "{w}"]', "tuple": "{n} = ('{v}', '{w}')", "list over lines": '"{n}": [\r\n  "{v}",\r\n  "{w}"\r\n]',
    "map": '{n} = {{"ada": "{v}", "bob": "{w}"}}', "map of Ruby": "{n} = {{'ada' => '{v}', 'bob' => '{w}'}}",
    "map over lines": "{n}: {{\n  ada: {v},\n  bob: {w}\n}}", "flow of YAML": "x: {{{n}: [{v}, {w}]}}",
    "block": "{n}:\n  ada: {v}\n  # note\n\n  bob: {w}\nother: 1", "block of a list": "- {n}:\n  - {v}  # first\n  - '{w}'\n",
    "section": '[{n}]\nada = {v}\nbob = "{w}"\n[other]\nx = 1\n', "section of TOML": "[a.{n}]\r\nada = '{v}'\r\nbob = '{w}'\r\n",
}  # fmt: skip
ON_ONE_LINE = (
    '{n}="{v} {w}"', "export {n}='{v} {w} '", "{n}={v},{w}", '"{n}": "{v},{w}"', "{n}: {v} | {w}", "{n}='{v}\n{w}'",
    "{n} = '{v};{w}'", "{n}={v} {w}",
)  # fmt: skip


def made() -> str:
    """A value that looks random, the same in every run."""
    return "".join(MADE.choices(string.ascii_letters + string.digits, k=24))


@pytest.mark.parametrize("form", FORMS)
def test_each_member_is_found(form: str) -> None:
    for name in NAMES:
        v, w = (made() for _ in range(2))
        data = FORMS[form].format(n=name, v=v, w=w).encode()
        for detector in (AUDIT, PUBLISHING):
            assert [data[m.start : m.end].decode() for m in detector.scan(data)] == [v, w], name


@pytest.mark.parametrize("name", ["API_KEYS", "SECRETS", "PASSWORDS"])
def test_values_between_commas_are_found(name: str) -> None:
    v, w = (made() for _ in range(2))
    for form in (f"{name}={v},{w}\n", f"export {name}='{v}, {w}'\n", f'{name}="{v};{w}"'):
        data = form.encode()
        assert [data[m.start : m.end].decode() for m in AUDIT.scan(data)] == [v, w]


@pytest.mark.parametrize("name", ["API_KEYS", "TOKENS", "SECRETS", "PASSWORDS", "deploy_keys"])
@pytest.mark.parametrize("form", ON_ONE_LINE)
def test_values_on_one_line_are_found(name: str, form: str) -> None:
    rng = random.Random(name + form)
    v, w = ("q" + "".join(rng.choices(string.ascii_letters + string.digits, k=24)) + "7" for _ in range(2))
    data = form.format(n=name, v=v, w=w).encode()
    for detector in (AUDIT, PUBLISHING):
        assert [data[m.start : m.end].decode() for m in detector.scan(data)] == [v, w]


@pytest.mark.parametrize("form", ['API_KEYS="{v} {w}"', "PASSWORDS={v},{w}", "deploy_api_keys='{v}\n{w}'"])
def test_before_publishing_weak_values_on_one_line_go(form: str) -> None:
    data = form.format(v="hunter22", w="monkey123").encode()
    assert [data[m.start : m.end] for m in PUBLISHING.scan(data)] == [b"hunter22", b"monkey123"]


@pytest.mark.parametrize("name", ["secrets", "tokens", "passwords", "api_keys", "API keys", "passphrases"])
def test_headers_of_columns_may_name_several(name: str) -> None:
    value = made()
    for form in (
        f"user,{name}\nada,{value}\n",
        f"user\t{name}\tmail\nada\t{value}\tx\n",
        f"| user | {name} |\n|---|---|\n| ada | {value} |\n",
    ):
        data = form.encode()
        for detector in (AUDIT, PUBLISHING):
            assert [data[m.start : m.end].decode() for m in detector.scan(data)] == [value]


def test_before_publishing_all_passwords_of_a_list_go() -> None:
    data = b"passwords:\n  ada: hunter22\n  bob: monkey123\n"
    assert [data[m.start : m.end] for m in PUBLISHING.scan(data)] == [b"hunter22", b"monkey123"]


@pytest.mark.parametrize(
    "text",
    [
        "tokens = ['the', 'quick', 'brown2']", 'tokens = "the quick brown2 fox"', "api_keys: the names of the 2 keys",
        "tokens=8916 latency=1", "input_tokens: [101, 2023, 3012]",
        "secrets:\n  - db_password\n  - smtp_password\n",
        "secrets:\n  db:\n    file: ./db1\n", "for key in api_keys:\n    return value1\n", "secrets: inherit\njobs: x1\n",
        'passwords: ["${FIRST}", "<second>", "****"]', "passwords:\n  type: array\n  required: true\n",
        "[secrets]\nfile = /run/secrets/db1\n", "x[secrets]\nada = 1\n", "'password' => ['required', 'confirmed', 'min:8']",
    ],
)  # fmt: skip
def test_names_counts_and_placeholders_are_none(text: str) -> None:
    assert [*AUDIT.scan(text.encode()), *PUBLISHING.scan(text.encode())] == []


def test_a_list_across_windows_is_found_whole() -> None:
    values = [made().encode() for _ in range(200)]
    data = (
        b"a line of words\n" * 65_000
        + b"tokens:\n"
        + b"".join(b"- %b\n" % value for value in values)
        + b"\n"
        + b"other words\n" * 9_000
    )
    assert len(data) > WINDOW_BYTES
    assert [data[m.start : m.end] for m in AUDIT.scan(data)] == values


def test_a_block_ends_where_its_indent_ends() -> None:
    data = b"a:\n  tokens:\n    ada: x\n  host: 10aB3xTq7Lm2Wz9\n"
    assert list(several_values(data, 0, len(data))) == []


def test_a_mask_is_no_list() -> None:
    data = b"api_keys=[REDACTED:aisa-key#0a1b]\ntokens: [REDACTED]\n"
    assert [*AUDIT.scan(data), *PUBLISHING.scan(data)] == []
