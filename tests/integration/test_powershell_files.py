"""Every file that a user makes with `>` in PowerShell 5.1 is read: UTF-16 with a mark and CR LF. So are the dresses of others."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commandcraft import Done, inside
from seeded import token_hex

from provision.enrolment.policy import key_fingerprint

DRESSES: dict[str, Callable[[str], bytes]] = {
    "PowerShell 5.1": lambda text: codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le"),
    "Out-File -Encoding utf8": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
    "PowerShell 7": lambda text: text.replace("\n", "\r\n").encode(),
}


class Desk:
    """A workspace and a machine of one person."""

    def __init__(self, root: Path) -> None:
        self.root, self.ws = root, root / "ws"
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(root / "home")}
        (root / "home").mkdir()
        self.key = f"sk-{token_hex(24)}"

    def run(self, *arguments: object, who: str = "operator", code: int = 0, stdin: str = "") -> Done:
        environ = self.environ | {"PROVISION_CONFIG_DIR": str(self.root / who)}
        where = ("-w", self.ws) if who == "operator" and arguments[0] != "init" else ()
        done = inside(*where, *arguments, environ=environ, cwd=self.root, stdin=stdin)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def save(self, name: str, text: str, dress: str) -> Path:
        path = self.root / name
        path.write_bytes(DRESSES[dress](text))
        return path


MORE = [pytest.mark.bench, pytest.mark.slow]


@pytest.mark.parametrize("dress", ["PowerShell 5.1", *(pytest.param(name, marks=MORE) for name in list(DRESSES)[1:])])
def test_the_files_of_a_first_day(tmp_path: Path, dress: str) -> None:
    desk = Desk(tmp_path)
    desk.run("init", desk.ws)
    (desk.ws / "inventory.yaml").write_text("users:\n  - id: ada\n    profile: engineering\n    recipients: []\n")
    signer = desk.save("signer.pub", (desk.ws / "allowed_signers").read_text(), dress)
    enrolled = desk.run("enroll", "--user", "ada", "--signer", signer, who="ada").stdout
    keys = json.loads(desk.run("enroll", "--user", "ada", "-f", "json", who="ada").stdout)
    prints = "".join(f"ada {key_fingerprint(key)}\n" for key in (*keys["recipients"], keys["endpoint_key"]))
    batch, trusted = desk.save("ada.yaml", enrolled, dress), desk.save("prints.txt", prints, dress)
    desk.run("enroll", "--batch", batch, "--fingerprints", trusted, "--yes")
    assert keys["recipients"][0] in (desk.ws / "inventory.yaml").read_text()
    desk.run("keys", "import", desk.save("keys.csv", f"user,key\nada,{desk.key}\n", dress))
    desk.run("render")
    identity = desk.save("identity.txt", (tmp_path / "ada" / "identity.txt").read_text(), dress)
    identity.chmod(0o600)
    signers = desk.save("signers", (desk.ws / "allowed_signers").read_text(), dress)
    bundle = desk.ws / "dist" / "ada"
    desk.run("install", bundle, "--identity", identity, "--allowed-signers", signers, who="ada")
    receipt = desk.save("ada.receipt", desk.run("status", "--receipt", who="ada").stdout, dress)
    assert "1 imported" in desk.run("receipts", "import", receipt).stdout

    leak = tmp_path / "leak.txt"
    leak.write_text(f"key {desk.key}\n")
    desk.run("audit", "--write-known", tmp_path / "known.json")
    known = desk.save("known", (tmp_path / "known.json").read_text(), dress)
    told = desk.run("audit", leak, "--known", known, "-f", "json", who="ada", code=10).stdout
    report = desk.save("report.json", told, dress)
    assert "ada" in desk.run("audit", "--merge", report, code=10).stdout
    desk.run(
        "audit", leak, "--update-baseline", "--baseline", tmp_path / "baseline.json", "--reason", "a test", who="ada"
    )
    baseline = desk.save("base.json", (tmp_path / "baseline.json").read_text(), dress)
    desk.run("audit", leak, "--baseline", baseline, who="ada")
