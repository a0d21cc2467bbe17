"""One folder per home: the user's `config.yaml`, perhaps our last rendering, and what the merge makes and reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provision.hermes.auth_file import clean_auth
from provision.hermes.config.merge import merge_config

HERE = Path(__file__).parent
NEW = HERE / "render_settings" / "config.yaml"


@pytest.mark.parametrize("case", sorted(p.name for p in HERE.glob("merge_*") if p.is_dir()))
def test_merge(case: str, golden: Any) -> None:
    folder = HERE / case
    last = folder / "last.yaml"
    before = last.read_bytes() if last.exists() else None
    new = NEW.read_bytes()
    merged = merge_config((folder / "before.yaml").read_bytes(), before, new)
    golden(folder / "after.yaml", merged.data)
    auth = folder / "auth.json"
    cleaned, removed = clean_auth(auth.read_bytes() if auth.exists() else None, *merged.pools)
    if cleaned is not None:
        golden(folder / "auth.after.json", cleaned)
    lines = [f"{r.file}: {r.where}: {r.masked} ({r.why})" for r in (*merged.removed, *removed)]
    golden(folder / "removed.txt", "".join(line + "\n" for line in [*lines, *merged.notes]).encode())
    again = merge_config(merged.data, new, new)
    assert again.data == merged.data
    assert again.removed == ()
