"""The released generation is read from what dist/ holds; anything odd counts as missing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from provision.bundle.peek import Released, released_bundle


def test_a_manifest_is_read_without_its_model(tmp_path: Path) -> None:
    data = json.dumps({"generation": 7, "expires": "2027-01-01T00:00:00Z", "other": 1}).encode()
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "manifest.json").write_bytes(data)
    expected = Released(7, hashlib.sha256(data).hexdigest(), "2027-01-01T00:00:00Z")
    assert released_bundle(tmp_path, "ada") == expected
    assert released_bundle(tmp_path, "bob") is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b'{"expires": "x"}', b'{"generation": "7"}', b'{"generation": 7}' + b" " * 70_000]
)
def test_what_no_render_wrote_counts_as_missing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "manifest.json").write_bytes(data)
    assert released_bundle(tmp_path, "ada") is None


def test_a_link_counts_as_missing_as_for_render(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "elsewhere").write_bytes(b'{"generation": 7}')
    (tmp_path / "ada" / "manifest.json").symlink_to(tmp_path / "elsewhere")
    assert released_bundle(tmp_path, "ada") is None
