"""A value is found in all the ways in which people write it beside its name."""

from __future__ import annotations

import random

import pytest
from namedforms import FORMS, WEAK_VALUES, random_values

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rules.columns import columns_of_secrets
from provision.detect.rules.headers import cookies, kubernetes_secrets
from provision.detect.rules.said import values_in_words
from provision.detect.rules.several import several_values

AUDIT = Detector()
PUBLISHING = Detector(policy=Policy.PUBLISHING)
BY_RE2 = Detector(engine="re2")
ONE_PER_LINE = "API key\n{}\n"
"""Only a value that looks random: two lines of text are no pair."""


def covers(detector: Detector, text: str, value: str) -> bool:
    data, wanted = text.encode(), value.encode()
    first = data.find(wanted)
    return any(
        start <= first and first + len(wanted) <= end for match in detector.scan(data) for start, end in match.spans
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_random_value_beside_its_name_is_found(form: str) -> None:
    for value in random_values(random.Random(form)):
        text = form.format(value) + "\n"
        assert covers(AUDIT, text, value)
        assert covers(PUBLISHING, text, value)


@pytest.mark.parametrize("form", [form for form in FORMS if form != ONE_PER_LINE])
def test_a_weak_value_beside_its_name_goes_before_publishing(form: str) -> None:
    for value in WEAK_VALUES:
        assert covers(PUBLISHING, form.format(value) + "\n", value)


@pytest.mark.parametrize("form", FORMS)
def test_both_engines_find_the_same(form: str) -> None:
    data = (form.format(random_values(random.Random(form))[0]) + "\n").encode()
    assert [match.spans for match in BY_RE2.scan(data)] == [match.spans for match in AUDIT.scan(data)]


@pytest.mark.parametrize(
    "text",
    [
        "the token is shifted", "done parsing, the password is locked", "API key: required", "set -gx TOKEN (cat token)",
        "ENV API_TOKEN $TOKEN", "| password | the password of the user |", "value = token | quoted-string",
        "user,password\nada,\n", "def f(\n    user, password,\n    host, port,\n)", "Cookie: theme=dark; lang=en",
        "Set-Cookie: fig=newton", "kind: Secret\nstringData:\n  a: ${A}\n", 'if [ "x$password" = "x!" ]; then',
        "mot de passe : obligatoire", "password, token and cookie", "INSERT INTO t (id, password) VALUES (?, ?)",
        "| Name | Description |\n|---|---|\n| `DNS_PASSWORD` | The API password |\n| `DNS_REGION` | eu-west-1 |",
        "${API_TOKEN:-none}", "curl -u $NAME:$PASSWORD https://h", '<input type="password" name="password" value=""/>',
    ],
)  # fmt: skip
def test_text_and_references_stay(text: str) -> None:
    assert PUBLISHING.scan(f"{text}\n".encode()) == []


def test_every_row_of_a_column_is_found() -> None:
    rows = "".join(f"{n},user{n},pw{n}-x\n" for n in range(300))
    data = f"id,name,password\n{rows}\nid,note\n1,hello\n".encode()
    found = list(columns_of_secrets(data, 0, len(data)))
    assert [data[each.start : each.end].decode() for each in found] == [f"pw{n}-x" for n in range(300)]


def test_a_quoted_cell_may_hold_the_delimiter() -> None:
    data = b'name;password\n"a;b";"x;y ""z"""\n'
    assert [data[each.start : each.end] for each in columns_of_secrets(data, 0, len(data))] == [b'x;y ""z']


def test_a_quoted_cell_may_hold_line_ends() -> None:
    data = b'id,note,password\n1,"a\nb ""c""\n",first\n2,x,second\n'
    assert [data[each.start : each.end] for each in columns_of_secrets(data, 0, len(data))] == [b"first", b"second"]


@pytest.mark.parametrize("name", ["Last_Synced_Token", "next page token", "public_key", "primary-key", "syncToken"])
def test_a_column_of_harmless_values_is_none(name: str) -> None:
    rows = "1,2026-01-02,x\n2,cursor_17,x\n3,v12,x\n4,done,x\n"
    data = f"id,{name},who\n{rows}".encode()
    assert [*AUDIT.scan(data), *PUBLISHING.scan(data)] == []
    value = random_values(random.Random(name))[0]
    assert AUDIT.scan(f"id,{name},who\n1,{value},x\n".encode()) == []
    assert covers(PUBLISHING, f"id,{name},who\n1,{value},x\n", value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("key: {}\n", True),
        ("pass = '{}'\n", True),
        ('{{"Jwt": {{ "Key": "{}" }} }}', True),
        ("key=lambda: {}\n", False),
    ],
)
def test_only_random_values_of_short_names_count(text: str, found: bool) -> None:
    value = random_values(random.Random(7))[0]
    assert covers(AUDIT, text.format(value), value) is found
    for other in (
        "5d41402abc4b2a76b9719d911017c592",
        "linux-node-modules-v2-cache",
        "app.kubernetes.io/managed-by2",
        "hunter22",
    ):
        assert AUDIT.scan(text.format(other).encode()) == []


@pytest.mark.parametrize("secret", ["YWRhOlF1YXJ0ejIxIQ==", "dmFuaWxsYS1za3k="])
def test_a_kubernetes_secret_is_read_in_base64(secret: str) -> None:
    assert covers(AUDIT, f"kind: Secret\ndata:\n  a: {secret}\n", secret)
    assert covers(AUDIT, f"kind: Secret\ndata:\n  .dockercfg: |\n    {secret}\n", secret)
    assert AUDIT.scan(b"kind: Secret\ndata:\n  a: Y2hhbmdlbWU=\n") == []


@pytest.mark.parametrize("value", ['password: "{}"', "password: {}", "ada:{}:19000:0:99999:7:::", "{}"])
def test_hashes_count_behind_a_login_and_go_beside_a_password(value: str) -> None:
    made = "$2y$10$" + (random_values(random.Random(value))[0] * 2)[:53]
    text = value.format(made) + "\n"
    audited = [match.rule for match in AUDIT.scan(text.encode())]
    assert audited == ([] if "password" in value else ["password-hash"])
    assert covers(PUBLISHING, text, made)


def test_cookies_of_analytics_are_none() -> None:
    data = b"Cookie: _ga=GA1.2.12345; session=abcdef; csrftoken=abcdef; theme=dark-blue\n"
    assert [each.name for each in cookies(data, 0, len(data))] == [b"session"]


def test_a_secret_is_no_config_map() -> None:
    data = b"kind: ConfigMap\ndata:\n  a: abcdefgh\n---\nkind: Secret\nmetadata:\n  name: abcdefgh\nstringData:\n  b: abcdefgh\n"
    assert [each.name for each in kubernetes_secrets(data, 0, len(data))] == [b"b"]


WORST = {
    "headers": b"user,password\n" * 6000, "commas": b"password," * 9000, "inserts": b"insert into t (password) values (" * 3000,
    "creates": b"create table t (password varchar " * 3000, "both": b"create table t (insert t (a) values (" * 3000,
    "creates that end": b"create table t (a int);create table (" * 3000, "one line": b"password " * 12_000,
    "cookies": b"Cookie: a=1; " * 8000, "secrets": b"kind: Secret\nstringData:\n" * 3000,
    "lists": b"tokens: [a, " * 8000, "values": b"tokens=abcdefgh,ijklmnop," * 4000,
    "names": b"tokens:\n" * 12_000, "members": b"tokens = {" + b"a: b, " * 16_000,
    "long name": b"a_" * 40_000 + b"tokens: [x]", "blanks": b"tokens:" + b" " * 90_000, "lines": b"tokens:\n" + b"\n" * 90_000,
    "sections": b"[tokens]\n" * 9000, "blocks": b"- tokens:\n  - a\n" * 6000,
    "said": b"tokens are a1, " * 5000, "points": b"keys:\n- a1bcdef\n" * 5000, "are": b"keys are a1" * 8000,
    "quoted values": b'api_keys="' + b"abcdefgh1 " * 9000, "open values": b'tokens="a ' * 9000,
    "folded": b"kind: Secret\ndata:\n  a: |\n" + b"    abcdefgh\n" * 6000,
    "quotes": b'"password","' * 8000, "open quotes": b'a,password\n"\n' * 6000,
}  # fmt: skip


@pytest.mark.parametrize("case", WORST)
def test_a_function_reads_each_byte_a_few_times_only(case: str) -> None:
    """Sixteen times as much of the worst takes about sixteen times as long; 256 times would be quadratic."""
    import time

    def seconds(data: bytes) -> float:
        begun = time.process_time()
        for find in (columns_of_secrets, cookies, kubernetes_secrets, several_values, values_in_words):
            list(find(data, 0, len(data)))
        return time.process_time() - begun

    worst = WORST[case]
    small = min(seconds(worst[: len(worst) // 16]) for _ in range(3))
    assert any(seconds(worst) < 60 * small + 0.15 for _ in range(4))
