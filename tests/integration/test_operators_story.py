"""The story of a workspace's operators, by the commands that people type, with a machine that really pulls.

A second operator joins and publishes, the first one is removed or stolen, and recovery begins again: the machine follows, and
what the removed person still holds is tried.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from commandcraft import Done
from companycraft import Company
from feedcraft import FeedServer, served

from provision.endpoint.identity import EndpointFolder
from provision.errors import Exit
from provision.feed.give_orders import give_orders
from provision.fleet.workspace import load_workspace
from provision.keys.age import load_identities
from provision.keys.events.log import verify_log
from provision.keys.feed_secret import feed_secret
from provision.keys.vault.crypto import BadTagError
from provision.keys.vault.file import open_vault, read_vault
from provision.receipts.receipt import NAMESPACE as RECEIPT_NAMESPACE
from provision.signing.signed_text import sign_text, verify_text
from provision.signing.sshsig import load_signing_key, public_line, sign_bytes
from provision.trust.trust_list import TRUST_NAMESPACE, TrustList, list_bytes, list_digest, signature_name
from provision.trust.workspace import MayNotSignError

ZOE = "ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAIEgHWll+choVbi4Hmd5cwMUyTcbn6vHN1GJQho7FMhXd"


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


@pytest.fixture
def server(company: Company) -> Iterator[FeedServer]:
    with served(company.feed) as running:
        yield running


def _pull(company: Company, server: FeedServer) -> Done:
    told = company.ok("ada", "publish", str(company.feed), "--addresses", "--url", server.url, "-f", "json")
    done = company.machine("pull", json.loads(told.stdout)["users"][0]["address"], "-f", "json")
    assert done.returncode == Exit.OK, done.stderr
    return done


@pytest.mark.programs("ssh-keygen")
def test_a_second_operator_joins_and_the_machine_follows_without_being_touched(
    company: Company, server: FeedServer
) -> None:
    _pull(company, server)
    assert company.number == "1-1"
    company.it("bob", "operators", "join", "--name", "bob")
    told = company.it("bob", "check")
    assert told.returncode == Exit.FINDINGS
    for rule in ("may-not-sign", "vault-closed", "feed-secret-closed"):
        assert f"[{rule}]" in told.stdout
    refused = company.it("bob", "render")
    assert (refused.returncode, "signing key" in refused.stderr) == (Exit.ERROR, True)
    company.join("bob", by="ada")
    assert company.ok("bob", "operators", "check").stdout == "your keys open the vault and may sign\n"
    company.ok("bob", "render", "--force")
    company.ok("bob", "publish", str(company.feed))
    pulled = company.machine("pull", "-f", "json")
    assert json.loads(pulled.stdout)["installed"] is True
    assert company.number == "1-2"
    # the receipt says so, the fleet too, and a list later that the machine is behind
    assert "trust      list 1-2, valid until" in company.machine("status").stdout
    (company.root / "u1.receipt").write_text(json.loads(pulled.stdout)["receipt"])
    company.ok("bob", "receipts", "import", str(company.root / "u1.receipt"))
    assert "trust: 1 machine on list 1-2\n" in company.it("bob", "status", "--fleet").stdout
    company.ok("ada", "operators", "check", "--renew")
    assert (
        "trust: 0 machines on list 1-3, 1 machine still on list 1-2\n" in company.it("bob", "status", "--fleet").stdout
    )
    # stock ssh-keygen verifies a list with the derived file
    (signature,) = (company.feed / "trust").glob("1-2.json.*.sig")
    line = ["ssh-keygen", "-Y", "verify", "-f", str(company.ws / "allowed_signers"), "-I", "ada"]
    name = next(row.split()[0] for row in (company.ws / "allowed_signers").read_text().splitlines()[1:])
    line[-1] = name
    data = (company.feed / "trust/1-2.json").read_bytes()
    done = subprocess.run(
        [*line, "-n", "hermes-provision-trust", "-s", str(signature)], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def stock_age(company: Company, who: str, sealed: str, identity: str = "identity.txt") -> bool:
    """Whether stock age opens an armored file with this person's identity."""
    line = ["age", "-d", "-i", str(company.root / who / identity)]
    return subprocess.run(line, input=sealed.encode(), capture_output=True, check=False).returncode == 0


def sealed_files(company: Company) -> dict[str, str]:
    """What is sealed to operators: the feed secret, and the vault's data key."""
    row = next(r for r in (company.ws / "keys.vault").read_text().splitlines() if r.startswith("datakey "))
    armor = "-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n"
    text = row.split()[1]
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return {"feed": json.loads((company.ws / "feed.secret").read_text())["sealed"], "vault": armor.format(lines)}


@pytest.mark.programs("age")
def test_stock_age_opens_for_those_who_may_and_for_no_other(company: Company) -> None:
    bundle = (company.ws / "dist/u1/.env.age").read_text()
    assert stock_age(company, "machine", bundle)
    assert not stock_age(company, "ada", bundle)
    company.join("bob", by="ada")
    for name, sealed in sealed_files(company).items():
        assert stock_age(company, "ada", sealed), name
        assert stock_age(company, "bob", sealed), name
    company.ok("ada", "operators", "remove", "bob")
    for name, sealed in sealed_files(company).items():
        assert stock_age(company, "ada", sealed), name
        assert not stock_age(company, "bob", sealed), name


def test_install_from_an_address_walks_the_chain_too(company: Company, server: FeedServer) -> None:
    """From dist/ on a web server, with the chain beside the bundle, and from the feed's own address."""
    company.join("bob", by="ada")
    company.ok("bob", "render", "--force")
    with served(company.ws / "dist") as dist:
        done = company.machine("install", f"{dist.url}/u1", "--dry-run")
        assert (done.returncode, company.number) == (Exit.OK, None), done.stderr
        done = company.machine("install", f"{dist.url}/u1")
        assert (done.returncode, company.number) == (Exit.OK, "1-2"), done.stderr
        assert "/.trust.tar" in [path for path, _ in dist.requests]
    company.ok("ada", "operators", "remove", "bob")
    company.ok("ada", "render", "--force")
    company.ok("ada", "publish", str(company.feed))
    (tar,) = (path for path in (company.feed / "e").glob("*/*.tar") if path.stat().st_mtime_ns == _newest(company))
    done = company.machine("install", f"{server.url}/{tar.relative_to(company.feed).as_posix()}")
    assert (done.returncode, company.number) == (Exit.OK, "1-3"), done.stderr
    # an old bundle of bob's does not come back, and a damaged chain stops the install
    chain = (company.ws / "dist/.trust.tar").read_bytes()
    (company.ws / "dist/.trust.tar").write_bytes(chain[:700])
    with served(company.ws / "dist") as dist:
        done = company.machine("install", f"{dist.url}/u1")
    assert (done.returncode, ".trust.tar is not a readable tar" in done.stderr) == (Exit.ERROR, True), done.stderr


def page_for_everything(handler: SimpleHTTPRequestHandler) -> bool:
    """A server of a single-page application: what it does not have is its page, with 200."""
    if Path(handler.translate_path(handler.path)).is_file():
        return False
    page = b"<!doctype html><title>portal</title>" + b"<p>text</p>" * 20_000  # more than a list or signature may have
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(page)))
    handler.end_headers()
    handler.wfile.write(page)
    return True


def test_a_page_in_place_of_a_missing_list_is_a_missing_list(company: Company, server: FeedServer) -> None:
    """The walk goes on over what the server has, and ends where there is a page; for `install` and for `pull`."""
    company.join("bob", by="ada")
    company.ok("bob", "render", "--force")
    company.ok("bob", "publish", str(company.feed))
    server.misbehaviour = page_for_everything
    (tar,) = (path for path in (company.feed / "e").glob("*/*.tar") if path.stat().st_mtime_ns == _newest(company))
    done = company.machine("install", f"{server.url}/{tar.relative_to(company.feed).as_posix()}")
    assert (done.returncode, company.number) == (Exit.OK, "1-2"), done.stderr
    company.ok("ada", "operators", "check", "--renew")
    company.ok("ada", "publish", str(company.feed))
    _pull(company, server)
    assert company.number == "1-3"
    # a machine without a list, from a folder without a chain: as with 404, the enrolled signers decide alone
    (company.ws / "dist/.trust.tar").unlink()
    EndpointFolder(company.root / "machine").trust_list.unlink()
    signer = next(row for row in (company.root / "ada" / "signing_key.pub").read_text().splitlines())
    (company.root / "machine" / "allowed_signers").write_text(f"x {signer}\n")
    with served(company.ws / "dist") as dist:
        dist.misbehaviour = page_for_everything
        refused = company.machine("install", f"{dist.url}/u1")
        assert (refused.returncode, "which this machine does not trust" in refused.stderr) == (Exit.ERROR, True), (
            refused.stderr
        )


def _newest(company: Company) -> int:
    return max(path.stat().st_mtime_ns for path in (company.feed / "e").glob("*/*.tar"))


def test_after_remove_everything_that_the_person_holds_is_tried(company: Company, server: FeedServer) -> None:
    company.join("bob", by="ada")
    company.ok("bob", "render", "--force")
    company.ok("bob", "publish", str(company.feed))
    _pull(company, server)
    old = company.root / "old"
    shutil.copytree(company.ws, old)
    bob = load_identities(company.root / "bob" / "identity.txt")
    said = company.ok("ada", "operators", "remove", "bob").stderr
    assert "1 bundle signed again" in said
    for remains in ("could read all 1 key version of", "knows the feed's addresses", "rotate start"):
        assert remains in said
    with pytest.raises(Exception, match="none of your identities"):
        open_vault(company.ws / "keys.vault", bob)
    with pytest.raises(Exception, match="none of your identities"):
        feed_secret(company.ws / "feed.secret", (), bob, create=False)
    before = {p: p.read_bytes() for p in company.ws.rglob("*") if p.is_file() and ".lock" not in p.name}
    for words in (("render", "--force"), ("publish", str(company.feed)), ("operators", "add", "eve", bob[0].recipient)):
        assert company.it("bob", *words).returncode == Exit.ERROR, words
    assert {p: p.read_bytes() for p in company.ws.rglob("*") if p.is_file() and ".lock" not in p.name} == before
    # the feed and the machine go on with the bundle that was signed again
    company.ok("ada", "publish", str(company.feed))
    assert company.machine("pull").returncode == Exit.OK
    assert company.number == "1-3"
    # a new bundle does not open for bob, and with an old copy of the workspace he publishes for nobody
    company.ok("ada", "render", "--force")
    assert bob[0].recipient not in (company.ws / "dist/u1/manifest.json").read_text()
    company.it("bob", "operators", "join", "--name", "bob")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISION_CONFIG_DIR", str(company.root / "bob"))
        for root, refused in ((company.ws, True), (old, False)):  # in an old copy, an order of bob's is still an order
            with contextlib.suppress(MayNotSignError) if not refused else pytest.raises(MayNotSignError):
                give_orders(
                    load_workspace(root), "uninstall", ["u1"],
                    reason="revenge", life=timedelta(days=1), now=datetime.now(UTC),
                )  # fmt: skip
    # nobody carries it: neither ada, who finds it in git, nor a machine, from a feed of bob's
    shutil.copytree(old / "orders", company.ws / "orders")
    done = company.it("ada", "publish", str(company.feed))
    assert (done.returncode, "u1: the order in orders/u1.order is not published" in done.stderr) == (Exit.PARTIAL, True)
    shutil.rmtree(company.ws / "orders")
    evil = company.root / "evil"
    assert company._run("bob", ("-w", str(old), "render", "--force")).returncode == Exit.OK
    assert company._run("bob", ("-w", str(old), "operators", "check", "--renew")).returncode == Exit.OK, "his own 1-3"
    assert company._run("bob", ("-w", str(old), "publish", str(evil))).returncode == Exit.OK
    with served(evil) as stolen:
        place = json.loads((company.root / "machine/pull.json").read_text())["url"].partition("/e/")[2]
        assert company.machine("pull", f"{stolen.url}/e/{place}").returncode == Exit.ERROR
    refused = company.machine("install", str(old / "dist/u1"))
    assert (refused.returncode, company.number) == (Exit.ERROR, "1-3"), "his bundle, with his list beside it"
    assert open_vault(old / "keys.vault", bob).key("u1") is not None, "old copies stay readable: the command says so"


@pytest.mark.programs("age")
def test_what_a_removed_operator_had_opens_and_signs_nothing_that_is_new(company: Company, server: FeedServer) -> None:
    """New bundles, the vault with the data key of before, the next trust list in git and in a feed, receipts."""
    company.join("bob", by="ada")
    _pull(company, server)
    bob = load_identities(company.root / "bob" / "identity.txt")
    had = open_vault(company.ws / "keys.vault", bob)
    company.ok("ada", "operators", "remove", "bob")
    # bundles that operators may open, too
    settings = company.ws / "provision.toml"
    settings.write_text("seal_to_operators = true\n" + settings.read_text())
    company.ok("ada", "render", "--force")
    bundle = (company.ws / "dist/u1/.env.age").read_text()
    assert (stock_age(company, "ada", bundle), stock_age(company, "bob", bundle)) == (True, False)
    # the data key that bob could keep opens no line of the vault
    now = read_vault(company.ws / "keys.vault")
    for line in now.lines["u1"]:
        with pytest.raises(BadTagError):
            had._data_key.open_line(line.known, line.sealed)
    # a next list by bob alone: refused from git, and on the machine
    company.ok("ada", "publish", str(company.feed))
    before = (company.ws / "trust/1-3.json").read_bytes()
    fields = json.loads(before) | {"version": 4, "previous": list_digest(before)}
    fields["signers"] = json.loads((company.ws / "trust/1-2.json").read_bytes())["signers"]
    key = load_signing_key(company.root / "bob" / "signing_key")
    data = list_bytes(TrustList.model_validate_json(json.dumps(fields)))
    for root in (company.ws, company.feed):
        (root / "trust/1-4.json").write_bytes(data)
        (root / signature_name(1, 4, public_line(key.public_key()))).write_bytes(sign_bytes(data, key, TRUST_NAMESPACE))
    refused = company.machine("pull")
    assert (refused.returncode, company.number) == (Exit.ERROR, "1-3"), refused.stderr
    for words in (("operators", "list"), ("operators", "sign", "--yes"), ("render",), ("publish", str(company.feed))):
        said = company.it("ada", *words)
        assert said.returncode == Exit.ERROR, words
        assert "trust list 1-4 in the workspace is signed by no operator" in said.stderr, "nothing to sign for ada"
    (company.ws / "trust/1-4.json").unlink()
    company.ok("ada", "operators", "check", "--renew")
    # a receipt that bob signs in place of the machine
    receipt = company.machine("status", "--receipt").stdout
    text, _ = verify_text(receipt.encode(), RECEIPT_NAMESPACE)
    (company.root / "u1.receipt").write_bytes(sign_text(text, key, RECEIPT_NAMESPACE))
    done = company.it("ada", "receipts", "import", str(company.root / "u1.receipt"))
    assert done.returncode == Exit.PARTIAL, done.stderr


def test_the_only_laptop_is_lost_and_its_key_stolen(company: Company, server: FeedServer) -> None:
    _pull(company, server)
    ada = company.root / "ada"
    stolen = company.root / "stolen"
    shutil.move(ada, stolen)
    said = company.ok(
        "cleo", "recovery", "use", str(company.paper), "--name", "cleo", "--revoke", _name(company),
        "--reason", "laptop stolen", "--recovery-to", str(company.root / "paper2"),
    ).stderr  # fmt: skip
    assert "replace the keys of 1 user:" in said
    company.ok("cleo", "render", "--force")
    company.ok("cleo", "publish", str(company.feed))
    assert company.machine("pull").returncode == Exit.OK
    assert company.number == "2-1"
    # the thief: nothing opens, nothing is signed
    thief = load_identities(stolen / "identity.txt")
    with pytest.raises(Exception, match="none of your identities"):
        open_vault(company.ws / "keys.vault", thief)
    refused = company.it("stolen", "render", "--force")
    assert "revoked (laptop stolen)" in refused.stderr
    assert company.it("cleo", "recovery", "test", str(company.paper)).returncode == Exit.ERROR
    company.ok("cleo", "recovery", "test", str(company.root / "paper2"))


def test_what_a_revoked_key_installed_is_named_until_the_next_bundle(company: Company, server: FeedServer) -> None:
    _pull(company, server)
    company.ok("cleo", "recovery", "use", str(company.paper), "--name", "cleo", "--revoke", _name(company),
               "--recovery-to", str(company.root / "paper2"))  # fmt: skip
    company.ok("cleo", "render", "--force")
    chain = (company.ws / "dist/.trust.tar").read_bytes()
    bundle = company.root / "by-hand" / "u1"
    shutil.copytree(company.ws / "dist/u1", bundle)
    (bundle.parent / ".trust.tar").write_bytes(chain)
    before = company.machine("status", "-f", "json")
    assert "revoked signer" not in before.stdout
    dry = company.machine("install", str(bundle), "--dry-run")
    assert (dry.returncode, company.number) == (Exit.OK, "1-1")
    from provision.endpoint.trust_store import update_trust
    from provision.trust.files import tar_source

    source = tar_source(bundle.parent / ".trust.tar")
    assert source is not None
    from datetime import UTC, datetime

    update_trust(EndpointFolder(company.root / "machine"), source, datetime.now(UTC))
    assert "installed by a revoked signer" in company.machine("status", "-f", "json").stdout
    assert company.machine("install", str(bundle)).returncode == Exit.OK
    assert "revoked signer" not in company.machine("status", "-f", "json").stdout


def test_a_threshold_of_two_needs_two_operators(company: Company) -> None:
    company.join("bob", by="ada")
    assert "waits for signatures" in company.ok("ada", "operators", "threshold", "2").stderr
    assert company.it("bob", "operators", "sign").returncode == Exit.USAGE, "nothing is signed unseen"
    said = company.ok("bob", "operators", "sign", "--yes").stderr
    assert "- signatures that a list needs: 1\n" in said
    assert "+ signatures that a list needs: 2\n" in said
    assert "trust list 1-3, valid" in said
    company.ok("ada", "operators", "check", "--renew")
    assert "waits for signatures" in company.ok("ada", "operators", "list").stderr
    assert "operators sign" in company.it("ada", "operators", "check", "--renew").stderr
    assert "1-4" in company.ok("bob", "operators", "sign", "--yes").stderr
    assert "trust list 1-4" in company.ok("bob", "operators", "list").stderr
    assert company.it("ada", "operators", "remove", "bob").returncode == Exit.ERROR, "one key would be left of two"


def test_two_operators_make_the_next_list_in_two_clones(company: Company) -> None:
    """One of the two lists is refused by name, and what is printed is how to go on."""
    company.join("bob", by="ada")
    clone = company.root / "clone"
    shutil.copytree(company.ws, clone)
    company.ok("bob", "operators", "check", "--renew")
    recipient = _stranger()[1]
    assert company._run("ada", ("-w", str(clone), "operators", "add", "zoe", recipient, ZOE)).returncode == Exit.OK
    # git keeps bob's side
    for words in (("operators", "list"), ("render",), ("publish", str(company.feed))):
        said = company.it("ada", *words)
        assert said.returncode == Exit.ERROR
        assert "trust list 1-3 of the workspace is not the one that you accepted before" in said.stderr
        assert "provision operators accept" in said.stderr
    assert company.it("ada", "operators", "accept").returncode == Exit.USAGE
    assert "accepted trust list 1-3" in company.ok("ada", "operators", "accept", "--yes").stdout
    company.ok("ada", "operators", "add", "zoe", recipient, ZOE)
    assert "trust list 1-4" in company.ok("bob", "operators", "list").stderr
    assert company.it("ada", "operators", "accept", "--yes").returncode == Exit.ERROR, "there is nothing to accept"
    # a chain that is not a sibling of the accepted one stays refused
    foreign = Company(company.root / "foreign")
    shutil.rmtree(company.ws / "trust")
    shutil.copytree(foreign.ws / "trust", company.ws / "trust")
    said = company.it("ada", "operators", "accept", "--yes")
    assert (said.returncode, "not siblings" in said.stderr) == (Exit.ERROR, True)


def test_refusals(company: Company) -> None:
    name = _name(company)
    for words, why in (
        (("operators", "remove", name, "--yes"), "required keys"),
        (("operators", "remove", "nina"), "no operator is named"),
        (("operators", "revoke", name, "--yes"), "recovery use"),
        (("operators", "threshold", "2"), "only 1"),
        (("operators", "upgrade", "--no-recovery"), "trust list 1-1 already"),
        (("operators", "sign"), "no trust list waits"),
    ):
        done = company.it("ada", *words)
        assert done.returncode in (Exit.ERROR, Exit.NO_MATCH), words
        assert why in done.stderr
    assert company.lists() == ["1-1"]


def test_a_dry_run_writes_nothing(company: Company) -> None:
    company.ok("cleo", "operators", "list")  # its first command remembers the settings
    before = {p: p.read_bytes() for p in company.root.rglob("*") if p.is_file() and "lock" not in p.name}
    _, recipient = _stranger()
    recover = (
        "recovery",
        "use",
        str(company.paper),
        "--name",
        "x",
        "--recovery-to",
        str(company.root / "p"),
        "--dry-run",
    )
    for who, words in (
        ("ada", ("operators", "add", "zoe", recipient, "--dry-run")),
        ("ada", ("operators", "check", "--renew", "--dry-run")),
        ("ada", recover),
        ("cleo", recover),  # a new machine, without keys
    ):
        said = company.ok(who, *words).stderr
        assert "nothing was written" in said
        assert "next:" not in said, "nothing was done"
    after = {p: p.read_bytes() for p in company.root.rglob("*") if p.is_file() and "lock" not in p.name}
    assert after == before


ACTS = {
    "add": ("ada", ("operators", "add", "zoe", "{recipient}", "{key}")),
    "remove": ("ada", ("operators", "remove", "bob")),
    "revoke": ("ada", ("operators", "revoke", "job")),
    "renew": ("ada", ("operators", "check", "--renew")),
    "recover": (
        "bob",
        ("recovery", "use", "{paper}", "--name", "bob", "--revoke", "{ada}", "--recovery-to", "{paper2}"),
    ),
    "raise the threshold": ("ada", ("operators", "threshold", "2")),
    "sign": ("bob", ("operators", "sign", "--yes")),
    "replace the recovery key": (
        "bob",
        ("recovery", "use", "{paper}", "--name", "bob", "--keep", "{ada}", "--recovery-to", "{paper2}"),
    ),
}
SLOW = {"renew", "revoke", "raise the threshold", "sign", "replace the recovery key"}
"""They write as `add` does."""
BEFORE = {"sign": ("ada", ("operators", "threshold", "2"))}
"""What another operator did before."""


@pytest.fixture(scope="module")
def before_acts(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Operators ada and bob, and a job that may only sign the feed; only copied."""
    company = Company(tmp_path_factory.mktemp("acts"))
    company.join("bob", by="ada")
    job = company.ok("cleo", "operators", "join", "--name", "job").stdout
    company.ok("ada", *shlex.split(job)[1:], "--roles", "feed")
    shutil.rmtree(company.root / "home")
    return company


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("act", [pytest.param(act, marks=[pytest.mark.slow] if act in SLOW else []) for act in ACTS])
def test_a_kill_at_each_write_of_an_act_leaves_all_or_nothing(
    act: str, before_acts: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = before_acts
    recipient = _stranger()[1]
    who, words = ACTS[act]
    values = {
        "recipient": recipient,
        "key": ZOE,
        "paper": str(company.paper),
        "ada": _name(company),
    }
    real = Path.replace
    done = False
    for kill_at in range(1, 40):
        trial = tmp_path / f"trial{kill_at}"
        shutil.copytree(company.root, trial)
        (trial / "home").mkdir()
        at = _moved(company, trial)
        if act in BEFORE:
            at.ok(BEFORE[act][0], *BEFORE[act][1])
        left = [kill_at]

        def dying(self: Path, target: Any, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(self, target)

        filled = [word.format(**values, paper2=str(trial / "paper2")) for word in words]
        before = _state(at)
        monkeypatch.setattr(Path, "replace", dying)
        try:
            ended = at.it(who, *filled)
            done = True
            assert ended.returncode == Exit.OK, ended.stderr
        except Killed:
            pass
        finally:
            monkeypatch.setattr(Path, "replace", real)
        if done:
            break
        monkeypatch.setattr("provision.files.is_running", lambda _: False)  # the killed process was this one
        at.it(who, "operators", "list")  # any command finishes what was committed
        after = _state(at)
        assert after == before or (after["signed"] != before["signed"] and after["vault"] != before["vault"]), kill_at
        assert verify_log(at.ws / "events.jsonl", read_vault(at.ws / "keys.vault").generation).faults == ()
        (trial / "paper2").unlink(missing_ok=True)
        again = at.it(who, *filled)
        if after == before:
            assert again.returncode == Exit.OK, again.stderr
            assert not [path for path in at.ws.rglob("*.provision-new") if "holder" not in path.name]
        monkeypatch.undo()
        shutil.rmtree(trial)
    assert done
    assert kill_at > 5


def _state(company: Company) -> dict[str, object]:
    vault = read_vault(company.ws / "keys.vault")
    return {
        "signed": sorted(path.name for path in (company.ws / "trust").glob("*.sig")),
        "lists": company.lists(),
        "vault": vault.generation,
        "signers": (company.ws / "allowed_signers").read_text(),
        "secret": sorted(json.loads((company.ws / "feed.secret").read_text())["recipients"]),
    }


def _moved(company: Company, folder: Path) -> Company:
    moved = object.__new__(Company)
    moved.root, moved.ws, moved.feed, moved.paper = folder, folder / "ws", folder / "feed", folder / "paper"
    return moved


def _name(company: Company) -> str:
    return str(json.loads((company.ws / "trust/1-1.json").read_text())["signers"][0]["name"])


def _stranger() -> tuple[Any, str]:
    from provision.keys.age import generate_identity

    return generate_identity()
