"""Hermes homes as data (`homes/*.yaml`): reading the cases, and laying one out on disk.

Fields of a case:

    id, about             its name; what is special about it
    config, env           content of config.yaml and .env; `env_prefix` is hex that goes before (a byte order mark)
    auth, files           auth.json as a mapping; further files of the home by path
    managed               config.yaml and .env of a managed scope, given by HERMES_MANAGED_DIR; `managed_env_prefix`
    environ               variables of the process
    profile, start        what `-p` names; where HERMES_HOME points, below the home
    refuse                keys that the gateway answers with 401
    sent                  what the real Hermes sent first: [host, path, model, header, key]; null when it sent nothing
    also                  hosts that K1 reaches besides
    hazards               ids that the route must report
    listed                why the model makes no full prediction here
    run: false            not run at all
    fast: true            part of the quick subset
    deep: true            run against a new release of Hermes only; its record is compared in every run of the tests

`other_releases.yaml` has what releases other than WRITTEN_FOR sent, where that differs.

`@EXPECTED` and `@HIJACK` stand for two gateways, `@HOME` for the home, `K1` and `K2` for two keys.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("homes")
WRITTEN_FOR = "0.19.0"
"""The release that the cases describe: `sent` and `hazards` are of this one."""
OTHERS: dict[str, dict[str, list[str] | None]] = yaml.safe_load(
    Path(__file__).with_name("other_releases.yaml").read_text(encoding="utf-8")
)
K1, K2 = "sk-aisa-TEST-K1", "sk-aisa-TEST-K2"


@dataclass(frozen=True, slots=True)
class Case:
    """One home; see the module's docstring for the fields."""

    id: str
    group: str
    about: str = ""
    config: str | None = None
    env: str | None = None
    env_prefix: str = ""
    auth: dict[str, Any] | None = None
    files: dict[str, str] = field(default_factory=dict)
    managed: dict[str, str] | None = None
    managed_env_prefix: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    profile: str | None = None
    start: str = ""
    refuse: list[str] = field(default_factory=list)
    sent: list[str] | None = None
    also: list[str] = field(default_factory=list)
    hazards: list[str] = field(default_factory=list)
    listed: str = ""
    run: bool = True
    fast: bool = False
    deep: bool = False

    def on(self, release: str) -> Case:
        """The case as another release behaves. Hazards are not compared there."""
        if release == WRITTEN_FOR:
            return self
        sent = OTHERS.get(release, {}).get(self.id, self.sent)
        return replace(self, sent=sent, hazards=[], also=self.also if sent == self.sent else [])


def load_cases() -> list[Case]:
    """Every case of every group, in order."""
    return [
        Case(group=path.stem, **case)
        for path in sorted(FOLDER.glob("*.yaml"))
        if not path.name.startswith("side_")
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


@dataclass(frozen=True, slots=True)
class Laid:
    """A case on disk: where HERMES_HOME points, the managed scope if there is one, and the process' own variables."""

    home: Path
    managed: Path | None
    environ: dict[str, str]


class Names:
    """The values that a case's placeholders stand for, both ways."""

    def __init__(self, root: Path, expected: str, hijack: str) -> None:
        self.values = {
            "@EXPECTED": expected,
            "@HIJACK": hijack,
            "@USERINFO": expected.replace("://", "://name:word@"),
            "@HOME": str(root),
        }

    def fill(self, text: str) -> str:
        """The text with gateways, home and keys put in."""
        for name, value in self.values.items():
            text = text.replace(name, value)
        return re.sub(r"\bK([12])", r"sk-aisa-TEST-K\1", text)

    def host(self, host: str) -> str:
        """`EXPECTED` or `HIJACK` for one of the gateways, any other host as it is."""
        return next((n[1:] for n in ("@EXPECTED", "@HIJACK") if self.values[n].endswith(f"//{host}")), host)

    def key(self, key: str | None) -> str | None:
        """`K1` or `K2` for one of the keys."""
        return key.replace("sk-aisa-TEST-", "") if key else key


def lay_out(case: Case, root: Path, names: Names) -> Laid:
    """Write the home of `names`, and the rest of the case's files below `root`."""
    home = Path(names.values["@HOME"])
    texts = {"config.yaml": case.config, ".env": case.env, **case.files}
    if case.auth is not None:
        texts["auth.json"] = json.dumps(case.auth)
    _write(home, texts, names, case.env_prefix)
    managed = root / "managed" if case.managed is not None else None
    if managed:
        _write(managed, case.managed or {}, names, case.managed_env_prefix)
    environ = {k: names.fill(v) for k, v in case.environ.items()}
    if managed:
        environ["HERMES_MANAGED_DIR"] = str(managed)
    return Laid(home / case.start, managed, environ)


def _write(folder: Path, texts: dict[str, str | None], names: Names, env_prefix: str) -> None:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        if text is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = bytes.fromhex(env_prefix) if name == ".env" else b""
        path.write_bytes(prefix + names.fill(text).encode())
