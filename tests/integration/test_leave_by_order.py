"""A leaver's machine gets a signed order to uninstall through the feed, and its signed receipt is the proof in `users leave`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandcraft import Done, inside
from companycraft import KEY, Company
from feedcraft import served

from provision.endpoint.obeyed_order import read_obeyed
from provision.enrolment.policy import key_fingerprint
from provision.errors import Exit


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def leave(company: Company, *more: str) -> dict[str, Any]:
    done = company.it("ada", "users", "leave", "u1", "--yes", "--feed", str(company.feed), "-f", "json", *more)
    assert done.returncode == Exit.PARTIAL, done.stderr
    (user,) = json.loads(done.stdout)["users"]
    return {step["step"]: step for step in user["steps"]}


def test_a_machine_uninstalls_by_order_and_says_so(company: Company) -> None:
    drop, home, config = company.root / "drop", company.root / "home" / ".hermes", company.root / "machine"
    drop.mkdir()
    upload = ("--upload-receipt", f"cp {{path}} {drop}/")
    with served(company.feed) as server:
        base = server.url.rstrip("/")
        listed = company.ok("ada", "publish", str(company.feed), "--url", base, "--addresses", "-f", "json").stdout
        (row,) = json.loads(listed)["users"]
        pulled = company.machine("pull", row["address"], *upload)
        assert pulled.returncode == Exit.OK, pulled.stderr
        assert KEY in (home / ".env").read_text()
        (home / "config.yaml").write_text((home / "config.yaml").read_text() + "display: {skin: mine}\n")

        steps = leave(company, "--dry-run")
        assert "no order to uninstall yet" in steps["machine"]["what"]
        assert not (company.ws / "orders").exists()
        steps = leave(company, "--reason", "HR-9")
        assert (steps["machine"]["proved"], steps["feed"]["proved"]) == (False, True)
        assert "ordered through the feed on" in steps["machine"]["what"]
        order = (company.ws / "orders" / "u1.order").read_bytes()
        failing = company.machine("pull", "--upload-receipt", "false {path}")
        assert failing.returncode == Exit.PARTIAL
        assert "uninstalled, as IT ordered: left on" in failing.stdout
        assert not (home / ".provision").exists()
        assert KEY.encode() not in b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
        assert "skin: mine" in (home / "config.yaml").read_text()
        assert (config / "pull.json").exists(), "the receipt was not sent, so the machine keeps trying"

        (drop / "u1.receipt").unlink()
        sent = company.machine("pull", *upload)
        assert sent.returncode == Exit.OK, sent.stderr
        left = {path.name for path in config.iterdir() if not path.name.startswith(".")}
        assert not left & {"pull.json", "identity.txt", "endpoint_key", "allowed_signers", "trust.json", "u1.receipt"}
        assert read_obeyed(config)
        assert company.machine("pull").returncode == Exit.ERROR

    proof = company.ws / "receipts" / "left" / "u1.uninstalled"
    proof.parent.mkdir(parents=True, exist_ok=True)
    proof.write_bytes(b"{}\n" + order)
    assert not leave(company)["machine"]["proved"], "only the machine itself can say so"
    imported = company.ok("ada", "receipts", "import", str(drop))
    assert "u1 says that it uninstalled" in imported.stderr
    steps = leave(company)
    assert (company.ws / "orders" / "u1.order").read_bytes() == order, "an order is given once"
    assert steps["machine"]["proved"]
    assert "its signed receipt of" in steps["machine"]["what"]
    assert proof.exists()


def test_a_user_who_is_back_is_not_reached_by_the_order_of_before(company: Company) -> None:
    """The order that stands is replaced, so neither a new machine nor the old one takes anything out."""
    leave(company)
    before = (company.ws / "orders" / "u1.order").read_bytes()
    back = company.ok("ada", "users", "add", "u1", "--rejoin")
    assert "the order to uninstall is replaced" in back.stderr
    assert (company.ws / "orders" / "u1.order").read_bytes() != before
    found = json.loads(company.machine("enroll", "--user", "u1", "-f", "json").stdout)
    (company.root / "u1.json").write_text(json.dumps(found))
    prints = (key_fingerprint(key) for key in (*found["recipients"], found["endpoint_key"]))
    (company.root / "prints").write_text("".join(f"u1 {each}\n" for each in prints))
    batch = ("--batch", str(company.root / "u1.json"), "--yes", "--fingerprints", str(company.root / "prints"))
    company.ok("ada", "enroll", *batch)
    company.ok("ada", "render")
    with served(company.feed) as server:
        publish = ("publish", str(company.feed), "--url", server.url)
        company.ok("ada", *publish)
        (row,) = json.loads(company.ok("ada", *publish, "--addresses", "-f", "json").stdout)["users"]
        for _ in range(2):
            pulled = company.machine("pull", row["address"])
            assert pulled.returncode == Exit.OK, pulled.stderr
    assert KEY in (company.root / "home" / ".hermes" / ".env").read_text()
    assert (company.root / "home" / ".hermes" / ".provision").exists()


def test_two_machines_of_a_user_pull_from_one_address_and_leave_one_by_one(company: Company) -> None:
    """One bundle for both, a receipt each, a lost key for none; the order reaches both, and each proves it for itself."""
    drop, signer = company.root / "drop", str(company.root / "ada" / "signing_key.pub")
    drop.mkdir()

    def laptop(*words: str) -> Done:
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(company.root / "home2")}
        environ["PROVISION_CONFIG_DIR"] = str(company.root / "machine2")
        return inside(*words, environ=environ, cwd=company.root, stdin="")

    (company.root / "home2").mkdir()
    enrolled = laptop("enroll", "--user", "u1", "--machine", "mbp", "--signer", signer, "-f", "json")
    (company.root / "mbp.json").write_text(enrolled.stdout)
    words = enrolled.stderr.partition("or in words: ")[2].split()[0]
    (company.root / "words").write_text(f"u1 {words}\n")
    batch = (
        "enroll",
        "--batch",
        str(company.root / "mbp.json"),
        "--yes",
        "--fingerprints",
        str(company.root / "words"),
    )
    company.ok("ada", *batch)
    company.ok("ada", "render")
    company.ok("ada", "publish", str(company.feed))
    machines = {"u1": company.machine, "u1/mbp": laptop}
    with served(company.feed) as server:
        base = server.url.rstrip("/")
        listed = company.ok("ada", "publish", str(company.feed), "--url", base, "--addresses", "-f", "json").stdout
        address = json.loads(listed)["users"][0]["address"]
        for name, machine in machines.items():
            folder = drop / name.replace("/", "@")
            folder.mkdir()
            pulled = machine("pull", address, "--upload-receipt", f"cp {{path}} {folder}/")
            assert pulled.returncode == Exit.OK, pulled.stderr
        company.ok("ada", "receipts", "import", str(drop))
        stored = {path.name for path in (company.ws / "receipts").glob("*.receipt")}
        assert stored == {"u1.receipt", "u1@mbp.receipt"}
        assert KEY in (company.root / "home2" / ".hermes" / ".env").read_text()
        assert "unchanged" in laptop("pull").stdout or laptop("pull").returncode == Exit.OK

        leave(company)
        assert laptop("pull", "--upload-receipt", f"cp {{path}} {drop}/u1@mbp/").returncode == Exit.OK
        company.ok("ada", "receipts", "import", str(drop / "u1@mbp"))
        done = company.it("ada", "users", "leave", "u1", "--yes", "--feed", str(company.feed), "-f", "json")
        (user,) = json.loads(done.stdout)["users"]
        steps = {s["what"].partition(":")[0]: s["proved"] for s in user["steps"] if s["step"] == "machine"}
        assert steps == {"u1": False, "u1/mbp": True}
        assert KEY in (company.root / "home" / ".hermes" / ".env").read_text(), "the other machine has not pulled yet"
        assert company.machine("pull").returncode == Exit.OK
        for name in ("home", "home2"):
            assert not (company.root / name / ".hermes" / ".provision").exists()
