"""A policy from the profile to the fleet: checked, rendered, installed, proved on the machine, signed, counted by IT."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.bundle.manifest import parse_manifest
from provision.cli.main import run

POLICY = """\
allowed_hosts: [mcp.corp.example]
hermes: {mcp_servers: {git: {command: /opt/git-mcp}, docs: {url: "https://mcp.corp.example/x?key=none"}}}
policy:
  approvals: manual
  deny_commands: ["git push --force*"]
  denied_toolsets: [terminal]
  denied_tools: [execute_code]
  mcp_servers: [git, {host: mcp.corp.example, tools: [search]}]
  redact: true
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Simulator() as sim:
        yield Fleet(tmp_path, sim)


class Laptop:
    """ada's machine: its own configuration folder and Hermes home."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.home, self.config = fleet, fleet.folder / "laptop" / ".hermes", fleet.folder / "machine"
        signer = (fleet.root / "allowed_signers").read_text().strip()
        enrolled = json.loads(self("enroll", "--user", "ada", "--signer", signer, "-f", "json")[1])
        fleet.write_inventory(ada={name: enrolled[name] for name in ("recipients", "endpoint_key")})
        self.home.mkdir(parents=True)

    def __call__(self, *words: str) -> tuple[int, str]:
        before = os.environ["PROVISION_CONFIG_DIR"]
        os.environ["PROVISION_CONFIG_DIR"] = str(self.config)
        try:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = run(["-q", *words])
            return code, out.getvalue()
        finally:
            os.environ["PROVISION_CONFIG_DIR"] = before

    def status(self) -> dict[str, object]:
        return json.loads(self("status", "--home", str(self.home), "-f", "json")[1])  # type: ignore[no-any-return]


def test_a_policy_from_the_profile_to_the_fleet(fleet: Fleet) -> None:
    laptop = Laptop(fleet)
    profile = fleet.root / "profiles" / "team.yaml"
    plain = profile.read_text()
    profile.write_text(plain + POLICY)
    assert fleet.provision("check") == 0, fleet.out
    assert fleet.provision("show", "ada") == 0
    assert "approvals.mode, and HERMES_YOLO_MODE=0" in fleet.out
    assert fleet.provision("render") == 0, fleet.out
    assert parse_manifest((fleet.root / "dist/ada/manifest.json").read_bytes()).policy is not None

    assert laptop("install", str(fleet.root / "dist/ada"), "--home", str(laptop.home))[0] == 0
    assert "HERMES_YOLO_MODE=0\n" in (laptop.home / ".env").read_text()
    found = laptop.status()
    assert found["guardrails"] == {
        "approvals": "manual", "yolo": False, "deny_commands": ["git push --force*"],
        "denied_toolsets": ["terminal", "code_execution"], "toolsets": None, "always_allowed": [], "cron_approves": False,
        "subagents_approve": False,
        "sandbox": "", "providers": ["aisa"], "redact": True, "plugins": [],
        "on_disk": {"plug-ins": [], "skills": [], "branch": None},
        "mcp_servers": [
            {"name": "docs", "target": "mcp.corp.example", "enabled": True, "offered": True, "tools": ["search"]},
            {"name": "git", "target": "git-mcp", "enabled": True, "offered": True, "tools": None},
        ],
    }  # fmt: skip
    assert not [h for h in found["hazards"] if h["id"].startswith("policy-")]  # type: ignore[attr-defined]

    config = laptop.home / "config.yaml"
    changed = config.read_text().replace("mode: manual", 'mode: "off"') + "\n"
    evil = "mcp_servers:\n  evil: {command: /opt/evil --token sk-aisa-" + "FAKE" * 10 + "}\n"
    config.write_text(changed.replace("mcp_servers:\n", evil, 1))
    (laptop.home / "skills/own/mine").mkdir(parents=True)
    (laptop.home / "skills/own/mine/SKILL.md").touch()
    with (laptop.home / ".env").open("a") as file:
        file.write("HERMES_REDACT_SECRETS=false\n")
    hazards = {h["id"] for h in laptop.status()["hazards"]}  # type: ignore[attr-defined]
    assert {"policy-approvals", "policy-redaction", "policy-mcp"} <= hazards
    code, table = laptop("status", "--home", str(laptop.home))
    assert code == 10
    assert "guardrails approvals off; redaction off" in table
    assert "skills on disk: own/mine" in table

    assert laptop("status", "--home", str(laptop.home), "--receipt", "-o", str(fleet.drop / "ada.receipt"))[0] in (
        0,
        10,
    )
    assert fleet.provision("receipts", "import", str(fleet.drop / "ada.receipt")) == 0, fleet.out
    assert fleet.provision("status", "--fleet") == 10
    assert "guardrails not in force: policy-approvals on 1 machine, policy-mcp on 1 machine, policy-redac" in fleet.out
    assert "MCP server unknown to IT at 1 machine: evil (evil)" in fleet.out
    assert fleet.provision("status", "--fleet", "-f", "json") == 10
    assert json.loads(fleet.out)["unknown_to_it"] == {"MCP server unknown to IT: evil (evil)": 1}
    assert "FAKEFAKE" not in fleet.out + table


@pytest.mark.parametrize(
    ("policy", "code", "rule"),
    [
        ("policy: {approvals: off}", 10, "not-allowed"),
        ("policy: {aprovals: manual}", 10, "unknown-key"),
        ("policy: {models: [gpt-5.2]}", 10, "policy-unenforced"),
        ("policy: {models: [gpt-5.2], enforce: best-effort}", 0, "policy-unenforced"),
        ("policy: {mcp_servers: [git]}", 10, "policy-unenforced"),
        ("policy: {mcp_servers: [{hots: x}]}", 10, "unknown-key"),
        ("policy: {mcp_servers: [{tools: [x]}]}", 10, "bad-value"),
        ("policy: {mcp_servers: [{host: x, tools: []}]}", 10, "bad-value"),
        ("policy: {denied_toolsets: [write_file]}", 10, "policy-unenforced"),
        ("policy: {denied_tools: [write_file]}", 10, "policy-unenforced"),
        ("policy: {update_channel: main, enforce: best-effort}", 0, "policy-unenforced"),
        ("policy: {approvals: manual}\nhermes: {approvals: {mode: smart}}", 10, "policy-contradicted"),
        ("policy: {deny_commands: [rm]}\nhermes_version: '<0.17'", 10, "policy-unenforced"),
    ],
)
def test_what_check_says_of_a_policy(fleet: Fleet, policy: str, code: int, rule: str) -> None:
    profile = fleet.root / "profiles" / "team.yaml"
    profile.write_text(profile.read_text() + policy + "\n")
    assert fleet.provision("check", "-f", "json") == code, fleet.out
    rules = {p["rule"] for p in json.loads(fleet.out)["problems"]}
    assert rule in rules or (rule == "not-allowed" and rules), rules
