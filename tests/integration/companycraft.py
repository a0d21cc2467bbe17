"""A workspace that operators share, by the commands that people type, and the machine of a user that really pulls."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from commandcraft import Done, inside

from provision.endpoint.identity import EndpointFolder
from provision.endpoint.trust_store import stored_list
from provision.errors import Exit

KEY = "sk-aisa-TEST-of-ada-0001"


class Company:
    """A workspace that operators share through one folder, and the machine of user `u1`."""

    def __init__(self, root: Path) -> None:
        self.root, self.ws, self.feed, self.paper = root, root / "ws", root / "feed", root / "paper"
        for name in ("ada", "bob", "cleo", "machine", "home"):
            (root / name).mkdir(mode=0o700, parents=True)
        self.ok("ada", "init", str(self.ws), "--recovery-to", str(self.paper), at=False)
        signer = (root / "ada" / "signing_key").with_suffix(".pub")
        signer.write_text((self.ws / "allowed_signers").read_text().split('" ', 1)[1])
        enrolled = json.loads(self.machine("enroll", "--user", "u1", "--signer", str(signer), "-f", "json").stdout)
        keys = {name: enrolled[name] for name in ("recipients", "endpoint_key")}
        (self.ws / "inventory.yaml").write_text(json.dumps({"users": [{"id": "u1", "profile": "engineering", **keys}]}))
        (root / "keys.csv").write_text(f"user,key\nu1,{KEY}\n")
        self.ok("ada", "keys", "import", str(root / "keys.csv"))
        self.ok("ada", "render")
        self.ok("ada", "publish", str(self.feed))

    def _run(self, config: str, arguments: tuple[str, ...], stdin: str = "") -> Done:
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "PROVISION_CONFIG_DIR": str(self.root / config),
            "LOGNAME": config,
        }
        return inside(*arguments, environ=environ, cwd=self.root, stdin=stdin)

    def it(self, who: str, *arguments: str, at: bool = True, stdin: str = "") -> Done:
        return self._run(who, (*(("-w", str(self.ws)) if at else ()), *arguments), stdin)

    def ok(self, who: str, *arguments: str, at: bool = True, stdin: str = "") -> Done:
        done = self.it(who, *arguments, at=at, stdin=stdin)
        assert done.returncode == Exit.OK, done.stderr
        return done

    def machine(self, *arguments: str) -> Done:
        return self._run("machine", arguments)

    def join(self, who: str, by: str) -> None:
        line = self.ok(who, "operators", "join", "--name", who).stdout
        self.ok(by, *shlex.split(line)[1:])

    def lists(self) -> list[str]:
        return sorted(path.stem for path in (self.ws / "trust").glob("*.json"))

    @property
    def number(self) -> str | None:
        stored = stored_list(EndpointFolder(self.root / "machine"))
        return stored.trust.number if stored else None

    def generation(self) -> int:
        return int(json.loads((self.root / "home/.hermes/.provision/manifest.json").read_text())["generation"])
