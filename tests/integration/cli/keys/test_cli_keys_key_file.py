"""Reading a file of keys: a bound on its size, and `-` for standard input."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from provision.cli.keys import key_file
from provision.errors import ProvisionError
from provision.keys import import_file


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match=r"no such file: .*none\.csv"):
        key_file.read_key_file(str(tmp_path / "none.csv"))


def test_standard_input_has_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_file, "LIMIT_BYTES", 4)
    for data, good in ((b"1234", True), (b"12345", False)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        if good:
            assert key_file.read_key_file("-") == data
        else:
            with pytest.raises(ProvisionError, match="larger than 4 bytes"):
                key_file.read_key_file("-")
