"""Worker processes that inherit nothing of this one, as on Windows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bundlecraft import Shop
from sourcescraft import a_key, look_through

from provision.audit import workers as audit_workers
from provision.bundle import workers as bundle_workers


def test_an_audit_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [a_key() for _ in range(40)]
    for number, key in enumerate(keys):
        (tmp_path / f"f{number}.txt").write_text("x" * 100_000 + f"\nkey {key}\n")
    started = []
    real = audit_workers.multiprocessing.get_context
    monkeypatch.setattr(audit_workers.multiprocessing, "get_context", lambda how: started.append(how) or real(how))
    monkeypatch.setattr("provision.audit.scan._HERE_BYTES", 1)
    monkeypatch.setattr(sys, "platform", "darwin")  # where this process would not fork
    assert set(look_through(tmp_path, workers=2).keys()) == set(keys)
    assert started == ["spawn"]


def test_a_render_makes_the_same_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_workers, "_HOW", "spawn")
    shop = Shop(users=tuple(f"u{number}" for number in range(40)), now=datetime(2026, 6, 1, tzinfo=UTC))
    outcomes = shop.render(tmp_path / "dist", workers=2)
    assert len(outcomes) == 40
    assert sorted(path.name for path in (tmp_path / "dist" / "u7").iterdir()) == sorted(shop.bundle("u7"))
