"""Cures that are printed on users' machines and by `deploy` are run: pasted into a shell there, they lead out of the state.

What a sentence asks the reader to do by hand (move a file away, ask IT) is done by the test. Every printed command is pasted as
it is, with the reader's own key, bundle or address in place of a word in capitals.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import warm
from bundlecraft import Shop, write_bundle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_cures_run import Desk, backticked, key

from provision.fleet.desired import SecretDelivery
from provision.push.causes import _CURES, FAILED, UNREACHABLE
from provision.signing.allowed_signers import signer_line
from provision.signing.sshsig import public_line

USAGE = 2
COMMAND = re.compile(r"(?:provision|chmod|rm|mv) ")
STEPS = 4


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm.warm_program(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


class Machine(Desk):
    """A user's machine: a shell, a Hermes home, and IT, which renders bundles for it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config = self.root / "config"
        self.home = self.root / "person" / ".hermes"
        self.shop = Shop(users=("ada",), now=datetime.now(UTC))
        self.signer = shlex.quote(self.shop.allowed_signers.strip())
        self.shop.identity_file("ada", self.config / "identity.txt")
        self.renders()
        stub = self.root / "stub"
        stub.mkdir()
        (stub / "hermes").write_text("#!/bin/sh\necho started\n")
        (stub / "hermes").chmod(0o755)
        self.environ["PATH"] += f":{stub}"

    def renders(self, **state: object) -> None:
        """IT renders a bundle for what this machine has enrolled with."""
        shown = self.sh("provision -q enroll --user ada").stdout
        (recipient,) = set(re.findall(r"age1[0-9a-z]+", shown)) or {self.shop.identities["ada"][1]}
        shutil.rmtree(self.root / "bundle", ignore_errors=True)
        write_bundle(self.shop.bundle("ada", recipients=(recipient,), **state), self.root / "bundle")

    def filled(self, line: str) -> str:
        """A printed command with the reader's own values."""
        own = {
            "KEY": self.signer,
            "BUNDLE": str(self.root / "bundle"),
            "ADDRESS": "https://127.0.0.1:9/u/x",
            "ID": "ada",
        }
        return re.sub(r"\b(KEY|BUNDLE|ADDRESS|ID)\b", lambda word: own[word[0]], line)

    def works(self, line: str) -> str:
        """Run a command; what is wrong, or nothing. A finding (10) is not wrong here."""
        done = self.sh(self.filled(line))
        assert "this is a bug" not in done.stderr
        return "" if done.returncode in {0, 10} else done.stderr

    def follow(self, line: str, by_hand: Callable[[str], None]) -> list[str]:
        """Run a command, and follow its cures until it works; return the commands that were pasted."""
        pasted: list[str] = []
        for _ in range(STEPS):
            wrong = self.works(line)
            if not wrong:
                return pasted
            hint = "\n".join(re.findall(r"^hint: (.*)$", wrong, re.MULTILINE))
            by_hand(hint)
            for printed in commands_in(hint):
                done = self.sh(self.filled(printed))
                assert done.returncode != USAGE, (printed, done.stderr)
                assert "this is a bug" not in done.stderr
                pasted.append(printed)
        raise AssertionError(f"no way out of: {wrong}")


def commands_in(text: str) -> list[str]:
    """Every command in a printed cure."""
    found = [line for line in backticked(text) if COMMAND.match(line)]
    whole = [line for line in text.splitlines() if COMMAND.match(line)]
    last = [line.partition(": ")[2] for line in text.splitlines() if COMMAND.match(line.partition(": ")[2])]
    return [line for line in (*found, *whole, *last) if "…" not in line]


@pytest.fixture
def machine(tmp_path: Path, programs: Path) -> Machine:
    return Machine(tmp_path, programs)


INSTALL = "provision install BUNDLE"


def enrolled(m: Machine) -> None:
    assert not m.works("provision enroll --user ada --signer KEY")


def installed(m: Machine) -> None:
    enrolled(m)
    assert not m.works(INSTALL)


def enrolled_for_run(m: Machine) -> None:
    enrolled(m)
    m.renders(profile=replace(m.shop.profile, secret_delivery=SecretDelivery.RUN))


def for_run(m: Machine) -> None:
    enrolled_for_run(m)
    assert not m.works(INSTALL)


def no_identity(m: Machine) -> None:
    enrolled(m)
    (m.config / "identity.txt").unlink()


def empty_identity(m: Machine) -> None:
    enrolled(m)
    (m.config / "identity.txt").write_text("# nothing\n")


def open_identity(m: Machine) -> None:
    enrolled(m)
    (m.config / "identity.txt").chmod(0o644)


def open_signers(m: Machine) -> None:
    enrolled(m)
    (m.config / "allowed_signers").chmod(0o666)


def binary_signers(m: Machine) -> None:
    enrolled(m)
    (m.config / "allowed_signers").write_bytes(b"\xff\xfe\xfd operator\n")


def other_signer(m: Machine) -> None:
    other = signer_line("other", public_line(Ed25519PrivateKey.generate().public_key()))
    assert not m.works(f"provision enroll --user ada --signer {shlex.quote(other.strip())}")


def line_in_env(m: Machine) -> None:
    for_run(m)
    with (m.home / ".env").open("a") as file:
        file.write("AISA_API_KEY=sk-aisa-another-key-of-some-length\n")


def gone_installation(m: Machine) -> None:
    installed(m)
    shutil.rmtree(m.home / ".provision")


def nothing(m: Machine) -> None:
    del m


STATES = {
    "not enrolled": (nothing, INSTALL),
    "no identity": (no_identity, INSTALL),
    "identity without a key": (empty_identity, INSTALL),
    "identity readable by others": (open_identity, INSTALL),
    "trusted signers writable by others": (open_signers, INSTALL),
    "trusted signers that are not text": (binary_signers, INSTALL),
    "signed by another": (other_signer, INSTALL),
    "no receipt": (enrolled, "provision status --receipt"),
    "no receipt any more": (gone_installation, "provision status --receipt"),
    "run without an installation": (enrolled_for_run, "provision run -- hermes"),
    "a line overrides run": (line_in_env, "provision run -- hermes"),
    "run of no program": (for_run, "provision run -- no-such-hermes"),
    "uninstall of nothing": (enrolled, "provision uninstall --yes"),
}


USUAL = {"not enrolled", "identity without a key", "no receipt", "run without an installation"}
FURTHER = [pytest.mark.bench, pytest.mark.slow]


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in USUAL else FURTHER) for n in STATES])
def test_the_cures_on_a_machine_lead_out_of_the_state(machine: Machine, name: str) -> None:
    prepare, line = STATES[name]
    prepare(machine)
    assert machine.works(line), "the state is not one that a command complains about"

    def by_hand(hint: str) -> None:
        for path in (machine.config / "identity.txt", machine.config / "allowed_signers"):
            if "move" in hint and "away" in hint and path.exists() and str(path) in machine.works(line):
                path.rename(path.with_suffix(".away"))
        if "remove that line" in hint:
            env = machine.home / ".env"
            env.write_text("".join(row for row in env.read_text().splitlines(True) if "AISA_API_KEY" not in row))
        if "send its output to IT" in hint or "another machine" in machine.works(line):
            machine.sh("provision -q enroll")
            machine.renders()

    ends_elsewhere = {"run of no program", "uninstall of nothing"}
    if name in ends_elsewhere:  # the printed command works; the one that was typed never will
        wrong = machine.works(line)
        printed = commands_in("\n".join(re.findall(r"^hint: (.*)$", wrong, re.MULTILINE)))
        assert printed
        assert not [cure for cure in printed if machine.works(cure)]
    else:
        machine.follow(line, by_hand)


def test_the_cures_of_status_put_the_home_in_order(machine: Machine) -> None:
    """Every kind of change by the user: the printed cure is to install the bundle again, and it helps."""
    installed(machine)
    good = (machine.home / "config.yaml").read_text()
    for change in (
        good.replace("https://api.aisa.one/v1", "https://x.example/v1"),
        good.replace("gpt-5.2", "gpt-5.1"),
        good
        + "fallback_model: {provider: custom, base_url: 'https://x.example/v1', key_env: AISA_API_KEY, model: m}\n",
        good.replace("provider: custom:aisa", "provider: openrouter", 1),
    ):
        assert change != good
        (machine.home / "config.yaml").write_text(change)
        shown = machine.sh("provision status")
        assert shown.returncode == 10, shown.stdout
        assert re.search("install the bundle again|remove it", shown.stdout), shown.stdout
        assert machine.sh(machine.filled(INSTALL)).returncode == 0
        assert machine.sh("provision status").returncode == 0


@pytest.mark.bench
@pytest.mark.slow
def test_the_cures_of_an_audit_of_the_own_home(machine: Machine) -> None:
    installed(machine)
    (machine.home / ".env").chmod(0o644)
    (machine.home / "logs").mkdir(exist_ok=True)
    (machine.home / "logs" / "agent.log").write_text(f"sent with {key()}\n")
    for _ in range(STEPS):
        done = machine.sh("provision audit -f json")
        if done.returncode == 0:
            break
        printed = commands_in("\n".join(re.findall(r'"cure": "(.*)"', done.stdout)))
        assert printed, done.stdout
        for cure in printed:
            done = machine.sh(machine.filled(cure))
            if "add --yes to confirm" in done.stderr:  # at a terminal it asks
                done = machine.sh(f"{cure} --yes")
            assert done.returncode != USAGE, (cure, done.stderr)
    else:
        raise AssertionError(done.stdout + done.stderr)
    assert (machine.home / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["~/.hermes"])
def test_a_wrong_home_in_the_environment(machine: Machine, value: str) -> None:
    installed(machine)
    machine.environ["HERMES_HOME"] = value
    wrong = machine.works("provision status")
    assert "HERMES_HOME" in wrong
    hint = re.findall(r"^hint: (.*)$", wrong, re.MULTILINE)
    assert hint
    del machine.environ["HERMES_HOME"]  # what the hint says
    assert not machine.works("provision status")


@pytest.mark.programs("ansible-playbook", "ssh")
def test_the_cures_of_deploy(machine: Machine) -> None:
    """A machine that refuses, with the real Ansible; then every command that any cause can print, in that workspace."""
    work = machine.root / "w"
    assert machine.sh("provision init w").returncode == 0
    recipient = machine.shop.identities["ada"][1]
    user = f"{{id: ada, profile: engineering, recipients: [{recipient}], host: no-such-machine.invalid}}"
    (work / "inventory.yaml").write_text(f"users:\n  - {user}\n")
    (machine.root / "keys.csv").write_text(f"user,key\nada,{key()}\n")
    (machine.root / "keys.csv").chmod(0o600)
    assert machine.sh("provision keys import ../keys.csv", work).returncode == 0
    refused = machine.sh("provision deploy", work)
    assert refused.returncode not in {0, USAGE}, refused.stderr
    printed = commands_in(refused.stderr + refused.stdout)
    assert [line for line in printed if line.startswith("provision render")], refused.stderr
    for line in printed:
        assert machine.sh(line, work).returncode == 0, line
    done = machine.sh("provision deploy", work)
    assert "unreachable" in done.stdout, done.stderr
    every = {
        line for text in (*_CURES.values(), *(c.cure for c in (*UNREACHABLE, *FAILED))) for line in commands_in(text)
    }
    assert "provision deploy --resume" in every
    for line in sorted(every):
        done = machine.sh(machine.filled(line), work)
        assert done.returncode != USAGE, (line, done.stderr)
        assert "this is a bug" not in done.stderr
