"""A home of a user who is enrolled, with a bundle of a team that has `side_routes: team`: what install and status make of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bundlecraft import Shop, write_bundle
from commandcraft import Done, inside
from home_cases import K1

from provision.detect.secret import Secret


class EnrolledHome:
    """The home `folder/home` of the user ada, and the bundle that is meant for it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home"
        self._folder = folder
        shop = Shop(users=("ada",), now=datetime.now(UTC))
        shop.keys["ada"] = Secret(K1)
        config = folder / "config"
        (folder / "signers").write_text(shop.allowed_signers)
        shop.identity_file("ada", config / "identity.txt")
        self._environ = {"HOME": str(folder), "PATH": os.environ["PATH"], "PROVISION_CONFIG_DIR": str(config)}
        enrolled = self._command("enroll", "--user", "ada", "--signer", folder / "signers")
        assert enrolled.returncode == 0, enrolled.stderr
        self._bundle = write_bundle(shop.bundle("ada"), folder / "bundle")

    def install(self) -> Done:
        """Install the bundle; a finding (10) is no failure."""
        done = self._command("install", self._bundle, "--home", self.path)
        assert done.returncode in {0, 10}, done.stderr
        assert K1 not in done.stdout + done.stderr
        return done

    def status(self) -> dict[str, Any]:
        """What `provision status` says of the home."""
        done = self._command("status", "--home", self.path, "--format", "json")
        assert done.returncode in {0, 10}, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def _command(self, *arguments: str | Path) -> Done:
        return inside(*arguments, environ=self._environ, cwd=self._folder)
