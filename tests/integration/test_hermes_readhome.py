"""Reading a Hermes home from a real disk: what is there, what is not, and what must not be waited for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from provision.hermes import home as module
from provision.hermes.home import read_home


def test_everything_that_decides_the_route_is_read(tmp_path: Path) -> None:
    for name, text in {
        "config.yaml": "a",
        ".env": "b",
        "auth.json": "c",
        ".op.env": "d",
        "cron/jobs.json": "e",
        "active_profile": "blue\n",
        "profiles/blue/config.yaml": "f",
        "profiles/Not A Profile/config.yaml": "g",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "managed").mkdir()
    (tmp_path / "managed/.env").write_text("h")
    files = read_home(tmp_path, managed_dir=tmp_path / "managed")
    root = files.root
    assert (root.config, root.env, root.auth, root.onepassword_env, root.jobs) == (b"a", b"b", b"c", b"d", b"e")
    assert set(files.profiles) == {"blue"}
    assert files.profiles["blue"].config == b"f"
    assert files.profiles["blue"].env is None
    assert files.active_profile == b"blue\n"
    assert files.managed is not None
    assert files.managed.env == b"h"
    assert root.where(".env") == f"{tmp_path}/.env"
    assert "b'" not in repr(files)


def test_an_absent_home_is_empty(tmp_path: Path) -> None:
    files = read_home(tmp_path / "none", managed_dir=tmp_path / "neither")
    assert files.root.config is None
    assert files.managed is None
    assert not files.root.unreadable


def test_what_is_no_regular_file_or_too_large_is_said_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    (tmp_path / ".env").mkdir()
    (tmp_path / "auth.json").write_bytes(b"x" * 101)
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    started = time.monotonic()
    files = read_home(tmp_path, managed_dir=None)
    assert time.monotonic() - started < 1
    assert set(files.root.unreadable) == {"config.yaml", ".env", "auth.json"}
    assert files.root.config is None
