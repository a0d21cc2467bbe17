"""`publish`: a feed on disk, and the addresses that are only printed on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.cli.delivery.publish import parse_base_url
from provision.cli.main import run
from provision.errors import UsageError

URL = "https://feed.example.com/hermes"


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}//"])
def test_a_base_url_has_no_slash_at_the_end(url: str) -> None:
    assert parse_base_url(url) == URL


@pytest.mark.parametrize(
    "url", ["feed.example.com", "ftp://feed.example.com", "https://", "https://a b/", f"{URL}?x=1"]
)
def test_other_base_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="invalid feed address"):
        parse_base_url(url)


def test_a_second_publish_keeps_every_file(fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "render"]) == 0
    feed = tmp_path / "feed"
    assert run(["--quiet", "publish", str(feed)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 published; index: 1 part signed, 0 kept"
    before = {path: path.read_bytes() for path in feed.rglob("*") if path.is_file()}
    assert run(["--quiet", "publish", str(feed), "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["summary"], found["index"]) == ({"unchanged": 1}, {"signed": 0, "kept": 1})
    assert {path: path.read_bytes() for path in feed.rglob("*") if path.is_file()} == before


def test_addresses_need_a_url(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", "feed", "--addresses"]) == 2
    assert "hint: --url https://" in capsys.readouterr().err
    assert run(["publish", "feed", "--addresses", "--url", URL, "-f", "json"]) == 0
    (user,) = json.loads(capsys.readouterr().out)["users"]
    assert user["address"].startswith(f"{URL}/e/")
    assert not (fleet / "feed").exists()


def test_a_feed_is_never_a_part_of_the_fleet(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", "feed", "--limit", "ada"]) == 2
    assert "--limit needs --addresses" in capsys.readouterr().err
    assert run(["publish", "feed", "--expires", "soon"]) == 2
    assert "invalid duration 'soon' for --expires" in capsys.readouterr().err


def test_a_failed_upload_is_a_partial_success(fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "render"]) == 0
    assert run(["publish", str(tmp_path / "feed"), "--upload-command", "false {path}"]) == 4
    captured = capsys.readouterr()
    assert "not uploaded" in captured.err
    assert "uploaded" not in captured.out
