"""A text's form comes from its name and from its beginning; the last member's name counts inside archives."""

from __future__ import annotations

import pytest

from provision.redact.structured import forms_of_file
from provision.redact.structured.text_form import BEGINNING_BYTES, TextForm, may_have_form, text_form

PROSE = b"hello world\n"
TEXTS: dict[TextForm | None, tuple[str, ...]] = {
    TextForm.DOTENV: (
        "FOO=bar\n", '# c\nDB=hunter\nexport A_KEY="x y"\n', "A='x'\n\nB=\n", "db_password=hunter\nuser=ada\n",
        'A="x\ny\nz"\nB=c\n', "FOO=bar", "FOO=bar # why\r\nB=1\r\n", "\ufeffFOO=bar\n",
    ),
    TextForm.SETTINGS: (
        "[a]\nx = 1\npassword = hunter\n", "password = hunter\n", "db.user=ada\ndb.password=hunter\n",
        'title = "x"\n[db]\nports = [\n  1,\n  2\n]\n', "[Unit]\nA=x\n\n[Service]\nExecStart=/bin/x \\\n  --y\n",
        "registry=https://x/\n//registry.npmjs.org/:_authToken=abc\n", "; c\n[x]\na: b\n", '[[a."b"]]\nc = 1\n',
    ),
    TextForm.JSON: (
        '{"a": "hunter"}\n', '{\n "a": 1}', '[{"a": 1}]', "[1, 2]\n", '\n {"a": "\u00e9"}', "{}",
    ),
    TextForm.YAML: (
        "# c\nmodel:\n  api_key: x\nlist:\n- a\n- b: c\n", "password: hunter\n", "---\na: b\n---\na: c\n", "- name: x\n  v: y\n",
        '"a b": c\n', "first name: ada\n", "Host: x\nAccept: y\n",
    ),
    TextForm.TABLE: (
        "id,api_key\n1,x\n", "user;password\r\na;b\r\n", '"user","API Key"\n"a","b"\n', "id\ttoken\n1\tx\n",
        " id | password\n----+---\n 1 | x\n", "+----+----------+\n| id | password |\n+----+----------+\n| 1 | x |\n",
        "-- MySQL dump 10.13\n", "--\n-- PostgreSQL database dump\n--\n", "\ufeffid,secret\n1,x\n",
    ),
    None: (
        "password, token and cookie\n", "a,b,c\n1,2,3\n", "-- a list\n-- of things\n", "def f(user, password):\n",
        '{"a":1}\n{"a":2}\n', "2026-06-12 10:00:01 INFO foo: bar\n", "[2026-06-12 10:00:01] x\n", "[INFO] x\n",
        "INFO:     Started\nINFO:     Waiting\n", "level=info msg=foo\n", "# Title\n\nSome text\n", "- foo\n- bar\n",
        "hello world\n",
        "", '{"log": {"entries": [\n', "y\n", "a,b\n1,2\n", "#!/bin/sh\nFOO=bar\necho $FOO\n", "import os\nX = 1\n",
        "GET / HTTP/1.1\nHost: x\n", "a: 1\nb=2\n",
        "Package: a\nStatus: x\n\nPackage: b\n", "Dear Ada,\nhere: x\n", "\x00\x01", "key\n", "a\tb\n",
    ),
}  # fmt: skip
CASES = [(form, text) for form, texts in TEXTS.items() for text in texts]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (".env", TextForm.DOTENV),
        ("home/.ENV.local", TextForm.DOTENV),
        ("prod.env", TextForm.DOTENV),
        ("a.JSON", TextForm.JSON),
        ("trace.har", TextForm.JSON),
        ("config.yaml", TextForm.YAML),
        ("bundle.zip!inner/config.yml", TextForm.YAML),
        ("home.zip!.env.local", TextForm.DOTENV),
        ("php.ini", TextForm.SETTINGS),
        ("users.CSV", TextForm.TABLE),
        ("dump.sql", TextForm.TABLE),
        ("pyproject.toml", TextForm.SETTINGS),
        ("config.yaml!notes.txt", None),
        ("environment", None),
        ("json", None),
        ("config.yaml.bak", None),
    ],
)
def test_a_name_promises_a_form(file: str, expected: TextForm | None) -> None:
    assert forms_of_file(file, PROSE) == ((expected,) if expected else ())


def test_a_name_only_adds_to_what_the_text_shows() -> None:
    assert forms_of_file("x.yaml", b"A_KEY=hunter\n") == (TextForm.YAML, TextForm.DOTENV)
    assert forms_of_file("x.env", b"A_KEY=hunter\n") == (TextForm.DOTENV,)
    assert forms_of_file("x.txt", b"A_KEY=hunter\n") == (TextForm.DOTENV,)


@pytest.mark.parametrize(("form", "text"), CASES)
def test_the_beginning_shows_the_form(form: TextForm | None, text: str) -> None:
    assert text_form(text.encode(), whole=True) is form


@pytest.mark.parametrize(("form", "text"), CASES)
def test_a_form_is_never_refuted_too_early(form: TextForm | None, text: str) -> None:
    data = text.encode()
    may = [may_have_form(data[:end]) for end in range(len(data) + 1)]
    assert may == sorted(may, reverse=True), "what is refuted stays refuted"
    assert form is None or all(may)


@pytest.mark.parametrize(
    "line",
    [
        "2026-06-12 10:00:01 INFO start\n",
        "[INFO] start\n",
        "hello world\n",
        "10.0.0.1 - - [12/Jun/2026] x\n",
        '{"a":1}\n{"b":2}\n',
    ],
)
def test_a_log_is_refuted_by_its_first_lines(line: str) -> None:
    assert not may_have_form(line.encode())


def test_a_long_text_is_recognised_by_its_beginning() -> None:
    line = b"KEY_NUMBER_%d=value\n"
    text = b"".join(line % n for n in range(1000))
    assert text_form(text[:BEGINNING_BYTES], whole=False) is TextForm.DOTENV
    assert text_form(text, whole=False) is TextForm.DOTENV
    assert text_form(b'{"a": "' + b"x" * 10_000, whole=False) is TextForm.JSON
