"""`halt` and `resume` over the feed: a machine stops, says so, goes on by itself or by order; killed or not, it ends the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commandcraft import Done
from companycraft import KEY, Company
from feedcraft import served

from provision.endpoint.halt import NOTE, PROVIDER
from provision.endpoint.obeyed_order import read_obeyed, write_obeyed
from provision.errors import Exit


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    company = Company(tmp_path)
    with served(company.feed) as server:
        base = server.url.rstrip("/")
        listed = company.ok("ada", "publish", str(company.feed), "--url", base, "--addresses", "-f", "json").stdout
        (row,) = json.loads(listed)["users"]
        assert company.machine("pull", row["address"]).returncode == Exit.OK
        home = company.root / "home/.hermes"
        (home / "config.yaml").write_text((home / "config.yaml").read_text() + "display: {skin: mine}\n")
        yield company


def texts(company: Company) -> tuple[str, str]:
    home = company.root / "home/.hermes"
    return (home / "config.yaml").read_text(), (home / ".env").read_text() if (home / ".env").exists() else ""


def give(company: Company, *words: str) -> Done:
    done = company.ok("ada", *words)
    company.ok("ada", "publish", str(company.feed))
    return done


def test_a_halt_stops_and_a_resume_goes_on(company: Company) -> None:
    before = texts(company)
    done = give(company, "halt", "u1", "--reason", "incident 7", "--for", "4h")
    assert "only revoking these keys in AIsa's console" in done.stdout
    assert "fp_" in done.stdout
    assert "--fail-on ok -l u1" in done.stdout
    pulled = company.machine("pull")
    assert "as IT ordered: incident 7" in pulled.stdout, (pulled.stdout, pulled.stderr)
    config, env = texts(company)
    assert PROVIDER in config
    assert "skin: mine" in config
    assert KEY not in env
    status = company.machine("status")
    assert status.returncode == Exit.FINDINGS
    assert "halt until" in status.stdout
    assert "Hermes is halted by an order of IT" in status.stdout
    company.machine("pull")
    assert PROVIDER in texts(company)[0], "it stays halted"
    pushed = company.machine("install", str(company.ws / "dist/u1"))
    assert pushed.returncode == Exit.ERROR
    assert "until" in pushed.stderr
    assert "incident 7" in pushed.stderr
    assert PROVIDER in texts(company)[0], "a bundle that is pushed does not end a halt"

    give(company, "resume", "u1", "--reason", "over")
    pulled = company.machine("pull")
    assert pulled.returncode == Exit.OK, pulled.stderr
    assert texts(company) == before
    assert company.machine("status").stdout.count("halted") == 0
    assert not (company.root / "home/.hermes" / NOTE).exists()


@pytest.mark.parametrize("pushed", [False, True])
def test_a_halt_ends_by_itself(company: Company, pushed: bool) -> None:
    before = texts(company)
    give(company, "halt", "--all", "--reason", "incident 7", "--for", "4h")
    company.machine("pull")
    assert PROVIDER in texts(company)[0]
    obeyed = read_obeyed(company.root / "machine")
    assert obeyed is not None
    over = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_obeyed(company.root / "machine", obeyed.model_copy(update={"expires": over}))
    words = ("install", str(company.ws / "dist/u1")) if pushed else ("pull",)
    done = company.machine(*words)
    assert "the halt has ended" in done.stdout + done.stderr
    assert texts(company) == before
    assert not (company.root / "home/.hermes" / NOTE).exists()


def test_a_dry_run_and_what_is_refused(company: Company) -> None:
    company.ok("ada", "halt", "u1", "--reason", "x", "--for", "4h", "--dry-run")
    assert not (company.ws / "orders").exists()
    for words in (("u1", "--reason", " ", "--for", "4h"), ("--reason", "x", "--for", "4h"),
                  ("u1", "--all", "--reason", "x", "--for", "4h"),
                  ("u1", "--reason", "x", "--for", "soon"), ("u1", "--for", "4h"), ("u1", "--reason", "x")):  # fmt: skip
        assert company.it("ada", "halt", *words).returncode == Exit.USAGE, words
    assert company.it("ada", "halt", "nobody", "--reason", "x", "--for", "4h").returncode == Exit.NO_MATCH


@pytest.mark.parametrize("at", range(6))
def test_a_halt_that_is_killed_ends_as_one_that_was_not(
    company: Company, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies at its first writes, one after the other; the next pull finishes the halt."""
    give(company, "halt", "u1", "--reason", "incident 7", "--for", "4h")
    plain, calls = Path.replace, iter(range(1000))

    def dying(self: Path, target: Path) -> Path:
        if next(calls) == at:
            raise KeyboardInterrupt
        return plain(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        company.machine("pull")
    company.machine("pull")
    config, env = texts(company)
    assert PROVIDER in config
    assert KEY not in env
    assert (company.root / "home/.hermes" / NOTE).exists()
    obeyed = read_obeyed(company.root / "machine")
    assert obeyed is not None
    assert obeyed.kind == "halt"
