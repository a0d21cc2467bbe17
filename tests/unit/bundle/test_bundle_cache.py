"""The render cache: only an unaltered line of this vault, signer, input and content is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.bundle.cache import CachedBundle, RenderCache

CACHED = CachedBundle(1_900_000_000, 7, "fp_aaaaaaaaaaaaaaaa")
KEY, SIGNER, INPUTS, CONTENT = b"k" * 32, b"signer", b"inputs", b"content"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    cache = RenderCache.load(tmp_path / "seen", digest_key=KEY, signer=SIGNER)
    cache.note("ada", CACHED, INPUTS, CONTENT)
    cache.note("bob", CACHED, b"other", CONTENT)
    cache.save(tmp_path / "seen")
    return tmp_path / "seen"


def test_what_was_noted_is_recalled(path: Path) -> None:
    cache = RenderCache.load(path, digest_key=KEY, signer=SIGNER)
    assert cache.recall("ada", INPUTS, CONTENT) == CACHED
    cache.forget("ada")
    assert cache.recall("ada", INPUTS, CONTENT) is None


@pytest.mark.parametrize(
    ("user", "inputs", "content"),
    [("ada", b"x", CONTENT), ("ada", INPUTS, b"x"), ("bob", INPUTS, CONTENT), ("eve", INPUTS, CONTENT)],
)
def test_other_bundles_are_not(path: Path, user: str, inputs: bytes, content: bytes) -> None:
    assert RenderCache.load(path, digest_key=KEY, signer=SIGNER).recall(user, inputs, content) is None


def test_another_vault_or_signer_recalls_nothing(path: Path) -> None:
    assert RenderCache.load(path, digest_key=b"x" * 32, signer=SIGNER).recall("ada", INPUTS, CONTENT) is None
    assert RenderCache.load(path, digest_key=KEY, signer=b"x").recall("ada", INPUTS, CONTENT) is None


@pytest.mark.parametrize("field", ["1900000000", " 7 ", "fp_aaaaaaaaaaaaaaaa"])
def test_an_edited_line_is_not_believed(path: Path, field: str) -> None:
    edited = field.replace("7", "8").replace("1900000000", "1900000001").replace("fp_a", "fp_b")
    assert edited != field
    path.write_text(path.read_text().replace(field, edited))
    assert RenderCache.load(path, digest_key=KEY, signer=SIGNER).recall("ada", INPUTS, CONTENT) is None


@pytest.mark.parametrize(
    "text", [b"", b"\xff\x00", b"other header\nada 1 2 3 4\n", b"provision/seen/v1\nada\nada x y z\n"]
)
def test_a_damaged_file_is_an_empty_cache(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    assert RenderCache.load(path, digest_key=KEY, signer=SIGNER).recall("ada", INPUTS, CONTENT) is None
