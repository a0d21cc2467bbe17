"""`halt` and `resume` pushed beside a bundle, as Ansible does it: verified as from the feed, obeyed once by either way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from companycraft import KEY, Company
from feedcraft import served

from provision.endpoint.halt import NOTE, PROVIDER
from provision.endpoint.obeyed_order import read_obeyed, write_obeyed
from provision.errors import Exit
from provision.fleet.workspace import load_workspace
from provision.keys.vault.file import read_workspace_id
from provision.signing.fields import moment
from provision.signing.sshsig import load_signing_key
from provision.trust.orders import Order, pushed_name, sign_order

HALT = ("halt", "u1", "--reason", "incident 7", "--for", "4h")
RESUME = ("resume", "u1", "--reason", "over")


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    assert company.machine("install", str(company.ws / "dist/u1")).returncode == Exit.OK
    return company


def push(company: Company, *more: str, order: Path | None = None) -> tuple[int, str]:
    """What the Ansible module runs; its exit code and what it said."""
    path = order or company.ws / "orders" / "u1.push"
    done = company.machine("install", str(company.ws / "dist/u1"), "--order", str(path), *more)
    return done.returncode, done.stdout + done.stderr


def texts(company: Company) -> tuple[str, str]:
    home = company.root / "home/.hermes"
    return (home / "config.yaml").read_text(), (home / ".env").read_text()


def is_halted(company: Company) -> bool:
    config, env = texts(company)
    found = {PROVIDER in config, KEY not in env, (company.root / "home/.hermes" / NOTE).exists()}
    assert len(found) == 1, "halted in part"
    return found.pop()


def made(company: Company, by: str = "ada", **changes: object) -> Path:
    """An order of this workspace in a file, signed by an operator, with fields of its own."""
    now = datetime.now(UTC)
    workspace = read_workspace_id(load_workspace(company.ws).vault)
    plain: dict[str, object] = {
        "workspace": workspace,
        "endpoint": pushed_name(workspace, "u1"),
        "kind": "halt",
        "count": 7,
        "created": moment(now),
        "expires": moment(now + timedelta(hours=4)),
        "reason": "made",
    }
    path = company.root / "made.push"
    key = load_signing_key(company.root / by / "signing_key")
    path.write_bytes(sign_order(Order.model_validate(plain | changes), key))
    return path


def test_a_pushed_halt_stops_and_a_pushed_resume_goes_on(company: Company) -> None:
    before = texts(company)
    company.ok("ada", *HALT)
    code, said = push(company, "--dry-run")
    assert (code, is_halted(company)) == (Exit.OK, False)
    assert "would obey the order to halt: incident 7" in said
    code, said = push(company, "--format", "json")
    told = json.loads(said)
    assert (code, told["changed"], told["order"]["reason"]) == (Exit.OK, True, "incident 7")
    assert NOTE in told["receipt"]
    assert KEY not in said
    assert is_halted(company)
    code, said = push(company, "--format", "json")
    assert (code, json.loads(said)["changed"]) == (Exit.OK, False)
    assert company.machine("install", str(company.ws / "dist/u1")).returncode == Exit.ERROR, "only an order ends it"
    company.ok("ada", *RESUME)
    code, said = push(company, "--dry-run")
    assert (code, is_halted(company)) == (Exit.OK, True)
    code, said = push(company)
    assert code == Exit.OK, said
    assert "resumed: over" in said
    assert "the halt has ended" in said
    assert texts(company) == before


@pytest.mark.slow  # last passed on 2026-11-29
@pytest.mark.parametrize("kind", ["halt", "resume"])
def test_a_kill_at_each_write_while_obeying(company: Company, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at one write after the other; pushed again, it ends as one that was not killed."""
    plain = Path.replace
    for at in range(30):
        if kind == "resume":
            company.ok("ada", *HALT)
            assert push(company)[0] == Exit.OK
        company.ok("ada", *(HALT if kind == "halt" else RESUME))
        left = [at]

        def dying(self: Path, target: Path, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return plain(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", dying)
            push(company)
        assert push(company)[0] == Exit.OK
        assert is_halted(company) == (kind == "halt")
        if left[0] >= 0:
            break
        if kind == "halt":
            company.ok("ada", *RESUME)
            assert push(company)[0] == Exit.OK
    assert 2 < at < 29


def test_it_ends_by_itself(company: Company) -> None:
    before = texts(company)
    company.ok("ada", *HALT)
    push(company)
    obeyed = read_obeyed(company.root / "machine")
    assert obeyed is not None
    over = moment(datetime.now(UTC) - timedelta(minutes=1))
    write_obeyed(company.root / "machine", obeyed.model_copy(update={"expires": over}))
    code, said = push(company)
    assert code == Exit.OK, said
    assert "the halt has ended" in said
    assert texts(company) == before


def test_a_workspace_without_a_feed(tmp_path: Path) -> None:
    company = Company(tmp_path)
    (company.ws / "feed.secret").unlink()
    company.ok("ada", *HALT)
    assert [path.name for path in (company.ws / "orders").iterdir()] == ["u1.push"]
    code, said = push(company)
    assert code == Exit.OK
    assert "nothing is installed here; IT ordered to halt" in said
    assert not (company.root / "home/.hermes/config.yaml").exists(), "a halt keeps the first bundle away, too"
    company.ok("ada", *RESUME)
    assert push(company)[0] == Exit.OK
    assert not is_halted(company)


@pytest.mark.parametrize("first", ["feed", "push"])
def test_a_machine_that_gets_an_order_by_both_ways_obeys_once(company: Company, first: str) -> None:
    with served(company.feed) as server:
        listed = company.ok(
            "ada", "publish", str(company.feed), "--url", server.url.rstrip("/"), "--addresses", "-f", "json"
        )
        assert company.machine("pull", json.loads(listed.stdout)["users"][0]["address"]).returncode == Exit.OK
        company.ok("ada", *HALT)
        company.ok("ada", "publish", str(company.feed))
        pulled = lambda: company.machine("pull").stdout  # noqa: E731
        ways = [pulled, lambda: push(company)[1]]
        for number, way in enumerate(ways if first == "feed" else reversed(ways)):
            said = way()
            assert ("Hermes is halted until" in said) == (number == 0), said
            assert is_halted(company)
        obeyed = read_obeyed(company.root / "machine")
        company.ok("ada", *RESUME)
        company.ok("ada", "publish", str(company.feed))
        assert ("resumed: over" in pulled()) if first == "feed" else (push(company)[0] == Exit.OK)
        assert not is_halted(company)
        old = made(company, count=obeyed.count if obeyed else 0, reason="incident 7")
        code, said = push(company, order=old)
        assert code == Exit.ERROR, "the halt of before, sent again by another way"
        assert "was already obeyed" in said
        assert not is_halted(company)


def test_a_first_pull_does_not_end_a_halt_that_was_pushed(company: Company) -> None:
    company.ok("ada", *HALT)
    push(company)
    with served(company.feed) as server:
        listed = company.ok(
            "ada", "publish", str(company.feed), "--url", server.url.rstrip("/"), "--addresses", "-f", "json"
        )
        address = json.loads(listed.stdout)["users"][0]["address"]
        done = company.machine("pull", address)
        assert is_halted(company), done.stdout
        company.ok("ada", *RESUME)
        company.ok("ada", "publish", str(company.feed))
        assert company.machine("pull", address).returncode == Exit.OK
        assert not is_halted(company)


REFUSED: dict[str, dict[str, object]] = {
    "of another user's machine": {"endpoint": pushed_name("ab" * 16, "u2")},
    "of another workspace": {"workspace": "cd" * 16},
    "to uninstall": {"kind": "uninstall"},
    "from the future": {"created": "2098-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"},
    "by a stranger": {"by": "bob"},
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_order_that_is_not_for_this_machine_is_refused(company: Company, what: str) -> None:
    if what == "by a stranger":
        company.it("bob", "operators", "join", "--name", "bob")
    before = texts(company)
    code, said = push(company, order=made(company, **REFUSED[what]))  # type: ignore[arg-type]
    assert code == Exit.ERROR, said
    assert texts(company) == before
    assert read_obeyed(company.root / "machine") is None


def test_an_altered_order_and_none(company: Company) -> None:
    path = made(company)
    path.write_bytes(path.read_bytes().replace(b'"made"', b'"more"'))
    assert push(company, order=path)[0] == Exit.ERROR
    assert push(company, order=company.root / "nowhere")[0] == Exit.USAGE
    assert not is_halted(company)


def test_an_order_that_expired_is_named_and_the_bundle_is_installed(company: Company) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    path = made(company, created=moment(long_ago), expires=moment(long_ago + timedelta(hours=1)))
    code, said = push(company, order=path)
    assert code == Exit.OK
    assert "the order expired" in said
    assert not is_halted(company)
