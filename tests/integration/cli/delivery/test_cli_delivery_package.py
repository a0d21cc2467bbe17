"""`package`: which account, which contents, which user."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from provision.cli.delivery.package import Target, makers
from provision.cli.main import run

FEED = "https://feed.example.com/hermes"


def test_an_unknown_user_is_not_packaged(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "adda", "--for", "deb", "-o", "out", "--pull", FEED]) == 3
    assert "adda is not in the inventory" in capsys.readouterr().err
    assert not (fleet / "out").exists()


def test_a_user_without_a_bundle_is_told_what_to_run(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "ada", "--for", "jamf", "-o", "out"]) == 3
    assert "hint: provision render" in capsys.readouterr().err


def test_a_missing_zipapp(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "ada", "--for", "jamf", "-o", "out", "--pull", FEED, "--zipapp", "no.pyz"]) == 2
    assert "file not found: no.pyz" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "account"), [("munki", "default_account=''"), ("jamf", "default_account=''")])
def test_scripts_for_the_logged_in_user_name_no_account(fleet: Path, kind: str, account: str) -> None:
    assert run(["--quiet", "package", "ada", "--for", kind, "-o", "out", "--pull", FEED]) == 0
    texts = "".join(path.read_text() for path in (fleet / "out").iterdir())
    assert account in texts


def test_linux_packages_are_for_the_account_of_the_user(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "ada", "--for", "deb", "-o", "out", "--pull", FEED, "--package-version", "3.1"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "out/hermes-provision-ada_3.1_all.deb\n"
    assert "give it to ada's machine only" in captured.err


def test_the_whole_address_is_accepted_as_well(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--quiet", "publish", "feed", "--addresses", "--url", FEED]) == 0
    address = capsys.readouterr().out.split()[-1]
    for number, url in enumerate((FEED, address)):
        assert run(["--quiet", "package", "ada", "--for", "intune", "-o", f"out{number}", "--pull", url]) == 0
        assert (fleet / f"out{number}/source/address").read_text() == f"{address}\n"


def test_every_target_has_its_maker() -> None:
    assert set(makers()) == set(get_args(Target))
