import base64
import random
import time

import pytest
import seeded

from provision.detect.shapes import AISA_KEY, SECRET_LIKE, aisa_shaped, has_secret, is_placeholder, masked


def _key(start: str = "") -> str:
    return "sk-aisa-" + (start + seeded.token_urlsafe(32))[:43]


@pytest.mark.parametrize(
    "value",
    [
        "sk-aisa-...",
        "sk-aisa-xxxxx",
        "sk-aisa-your-key-here",
        "sk-aisa-CHANGE-ME",
        "YOUR_AISA_API_KEY",
        "your-key",
        "sk-...",
        "sk-your-key",
        "sk-aisa-…",
        "sk-aisa-",
        "sk-",
        "sk-aisa-xxxx-xxxx-xxxx",
        "sk-aisa-" + "x" * 43,
        "sk-aisa-" + "0" * 43,
        "sk-aisa-" + ("1234567890" * 5)[:43],
        "sk-aisa-<your key>",
        "sk-aisa-{key}",
        "sk-aisa-$KEY",
        "sk-aisa-ab…yz",
        "sk-aisa-abcd***wxyz",
        "sk-aisa-abcd••••••••wxyz",
        "sk-aisa-abcd...wxyz",
        "  sk-aisa-...\n",
        "your_aisa_api_key_here",
        "yourkey",
        "YOUR-API-KEY-HERE",
        "my secret key",
        "the key",
        "insert key here",
        "paste-your-token-here",
        "AISA_API_KEY",
        "OPENAI_API_KEY",
        "api-key",
        "apikey",
        "key",
        "changeme",
        "CHANGE_ME",
        "changeit",
        "replace-me",
        "placeholder",
        "example",
        "dummy",
        "none",
        "None",
        "null",
        "undefined",
        "TODO",
        "tbd",
        "n/a",
        "secret",
        "password",
        "test",
        "no-key-required",
        "a-secret-value",
        "xxx",
        "***",
        "...",
        "…",
        "-",
        "<key>",
        "[REDACTED]",
        "REDACTED",
        "${AISA_API_KEY}",
        "$AISA_API_KEY",
        "%AISA_API_KEY%",
        "{{ key }}",
        "{key}",
    ],
)
def test_what_stands_for_a_key_is_known(value: str) -> None:
    assert is_placeholder(value)
    assert not has_secret(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sk-aisa-TEST-0001",
        "sk-0123456789abcdef",
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-abcdefgh",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "tvly-dev-abcdefghij",
        "a.b.c",
        "keyring-7f2a",
        "testing-4711",
        "a_wwKEybeQ1UQ",
    ],
)
def test_what_may_be_a_key_is_not_taken_for_a_placeholder(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    "start", ["your", "YoUr", "example", "1234", "test", "changeme", "placeholder", "-", "_", "xxx", "key"]
)
def test_a_whole_key_is_a_key_whatever_it_begins_with(start: str) -> None:
    key = _key(start)
    assert aisa_shaped(key)
    assert not is_placeholder(key)
    assert has_secret(f"AISA_API_KEY={key}")


def test_no_real_key_is_ever_taken_for_a_placeholder() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        body = base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode()
        assert not is_placeholder(f"sk-aisa-{body}")


@pytest.mark.parametrize("end", ["-", "_", "A", "9"])
def test_a_key_is_found_whole_whatever_it_ends_with(end: str) -> None:
    key = _key()[:-1] + end
    for text in (key, f"x={key}", f'"{key}"', f"{key}.", f"{key} {key}", f"Bearer {key}\n"):
        found = AISA_KEY.search(text)
        assert found
        assert found.group() == key
    assert not AISA_KEY.search(key + "A"), "longer than a key"
    assert not aisa_shaped(key[:-1])


@pytest.mark.parametrize(
    "text",
    [
        "AGE-SECRET-KEY-1" + "Q" * 58,
        "AGE-PLUGIN-YUBIKEY-1" + "Q" * 30,
        "ghp_" + "a" * 36,
        "github_pat_" + "a" * 30,
        "glpat-" + "a1" * 10,
        "xoxb-" + "1" * 12,
        "AIza" + "a" * 35,
        "AKIA" + "A" * 16,
        "ASIA" + "A" * 16,
        "xai-" + "a" * 40,
        "hf_" + "a" * 30,
        "gsk_" + "a" * 30,
        "sk_live_" + "a" * 24,
        "hvs." + "a" * 24,
        "npm_" + "a" * 36,
        "eyJ" + "a" * 20 + "." + "b" * 20 + ".c",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_other_secrets_are_noticed(text: str) -> None:
    assert SECRET_LIKE.search(f"value: {text}")
    assert has_secret(f"value: {text}")
    assert not SECRET_LIKE.search(f"x{text}") or text.startswith("-----")


@pytest.mark.parametrize(
    "text",
    [
        "gpt-5.2",
        "https://api.aisa.one/v1",
        "task-force-of-many-words",
        "desk-0123456789abcdef0123",
        "fp_abcdefghijklmnop",
    ],
)
def test_ordinary_words_are_no_secrets(text: str) -> None:
    assert not has_secret(text)


def test_masking_shows_little() -> None:
    key = _key()
    assert masked(key) == f"{key[:4]}…{key[-4:]}"
    assert masked(key[:23]) == "****"


def test_long_hostile_text_takes_no_time() -> None:
    began = time.perf_counter()
    for text in (
        "your-" + "key" * 100_000 + "\n.",
        "a-" * 100_000,
        "sk-" * 100_000,
        "eyJ" + "a" * 300_000,
        "<" * 100_000,
    ):
        is_placeholder(text)
        is_placeholder(text[:199])
        has_secret(text)
    assert time.perf_counter() - began < 2
