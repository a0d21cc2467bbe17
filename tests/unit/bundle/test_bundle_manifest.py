"""The manifest: one field per line, strict, bounded, and the same bytes for the same values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.bundle.manifest import (
    MAX_MANIFEST_BYTES,
    BadManifestError,
    Manifest,
    extra_names,
    manifest_bytes,
    parse_manifest,
)

GOOD: dict[str, Any] = {
    "schema": "provision/bundle/v1",
    "workspace": "0f" * 16,
    "user": "ada",
    "machine": None,
    "profile": "engineering",
    "platform": "linux",
    "generation": 7,
    "created": "2026-01-02T03:04:05Z",
    "expires": "2026-04-02T03:04:05Z",
    "provider": "aisa",
    "base_url": "https://api.aisa.one/v1",
    "api_mode": "chat_completions",
    "model": "gpt-5.2",
    "key_env": "AISA_API_KEY",
    "key_fingerprint": "fp_aaaabbbbccccdddd",
    "fingerprint_salt": "00" * 16,
    "secret_delivery": "file",
    "managed": False,
    "hermes_home": None,
    "hermes_profile": None,
    "recipients": ["age1qqq"],
    "policy": None,
    "trust": None,
    "log_head": None,
    "inputs_digest": "0" * 64,
    "files": {"config.yaml": "1" * 64, ".env.age": "2" * 64, "WELCOME.md": "3" * 64},
}
BAD_NAMES = (
    *("../x", "/x", "a/b", "a\\b", "", ".", "..", ".env", "-x", "x.", "a b", "con.txt", "NUL", "a" * 65, "ä.md", "x\n"),
    *("manifest.json", "MANIFEST.JSON.SIG", "welcome.md", "Config.yaml"),
)


def data(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_round_trip_keeps_the_bytes() -> None:
    manifest = parse_manifest(data())
    text = manifest_bytes(manifest)
    assert parse_manifest(text) == manifest
    assert manifest_bytes(parse_manifest(text)) == text
    assert text.startswith(
        b'{\n  "schema": "provision/bundle/v1",\n  "workspace": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",\n  "user": "ada",\n'
    )
    assert text.endswith(b"\n}\n")


def test_schema_is_written_even_when_it_was_defaulted() -> None:
    assert b'"schema": "provision/bundle/v1"' in manifest_bytes(parse_manifest(data()))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schema": "provision/bundle/v2"}, "this version reads"),
        ({"extra": 1}, "extra"),
        ({"user": "../x"}, "user"),
        ({"user": ".hidden"}, "user"),
        ({"user": "Ada"}, "user"),
        ({"generation": 0}, "generation"),
        ({"generation": "7"}, "generation"),
        ({"generation": True}, "generation"),
        ({"managed": "no"}, "managed"),
        ({"platform": "beos"}, "platform"),
        ({"api_mode": "openai_chat"}, "api_mode"),
        ({"key_env": "A B"}, "key_env"),
        ({"key_fingerprint": "sk-aisa"}, "key_fingerprint"),
        ({"created": "yesterday"}, "created"),
        ({"created": "2026-13-02T03:04:05Z"}, "invalid"),
        ({"expires": "2026-01-02T03:04:05Z"}, "expires before"),
        ({"hermes_profile": "../x"}, "hermes_profile"),
        ({"files": {"config.yaml": "1" * 64}}, "files"),
        ({"workspace": "0F" * 16}, "workspace"),
        ({"machine": "../mbp"}, "machine"),
        ({"trust": "3"}, "trust"),
        ({"log_head": {"count": 0, "sha256": "5" * 64}}, "log_head"),
        ({"log_head": {"count": 1, "sha256": "5" * 64, "more": 1}}, "log_head"),
        *(({"files": {**GOOD["files"], name: "4" * 64}}, "files") for name in BAD_NAMES),
        ({"files": {**GOOD["files"], "a.txt": "4" * 64, "A.TXT": "4" * 64}}, "case"),
        ({"files": {**GOOD["files"], **{f"{n}.txt": "4" * 64 for n in range(9)}}}, "more than 8"),
    ],
)
def test_refuses(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadManifestError, match=says):
        parse_manifest(data(**changes))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"\xff",
        b"[" * 5000,
        b'{"schema": "provision/bundle/v1"}',
        b" " * (MAX_MANIFEST_BYTES + 1),
    ],
)
def test_refuses_what_is_no_manifest(bad: bytes) -> None:
    with pytest.raises(BadManifestError):
        parse_manifest(bad)


def test_refuses_a_name_that_stands_twice() -> None:
    twice = data().replace(b'"user": "ada"', b'"user": "eve", "user": "ada"')
    with pytest.raises(BadManifestError, match="twice"):
        parse_manifest(twice)


def test_is_frozen() -> None:
    manifest = parse_manifest(data())
    with pytest.raises(Exception, match="frozen"):
        manifest.user = "eve"  # type: ignore[misc]
    assert isinstance(manifest, Manifest)


def test_further_names_are_read_without_verifying() -> None:
    plain = manifest_bytes(parse_manifest(data()))
    full = data(files={**GOOD["files"], "b.txt": "4" * 64, "a.txt": "5" * 64})
    assert extra_names(plain) == ()
    assert extra_names(full) == extra_names(manifest_bytes(parse_manifest(full))) == ("a.txt", "b.txt")
    assert extra_names(json.dumps({"files": {"../x": 1, "ok": 1, ".env": 1, "x.md": 1}}).encode()) == ("ok", "x.md")
    for bad in (b"", b"[]", b"{", b"null", b'{"files": 3}', b'{"files": ["ab"]}', b"[" * 9999, b"\xff"):
        assert set(extra_names(bad)) <= {"a"}, bad
