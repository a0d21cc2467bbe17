"""The README's five minutes, run line by line: each command with its exit code, each line of output as it is printed.

`…` in the README stands for whatever differs from run to run. The gateway is the simulator, shown under the real name.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import seeded

from provision.aisa.simulator import Simulator

README = Path(__file__).parents[2] / "README.md"
GATEWAY = "https://api.aisa.one"


@dataclass(frozen=True)
class Step:
    person: str
    command: str
    expected: list[str]


def tour() -> list[Step]:
    steps: list[Step] = []
    for block in re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL):
        for line in block.splitlines():
            prompt = re.match(r"(it|ada)\$ (.*)", line)
            if prompt:
                steps.append(Step(prompt[1], prompt[2], []))
            else:
                steps[-1].expected.append(line)
    return steps


def matches(expected: list[str], printed: list[str]) -> bool:
    """Each expected line matches a printed one, in order; a lone `…` skips any number of lines."""
    at, may_skip = 0, False
    for line in expected:
        if line == "…":
            may_skip = True
            continue
        words = line.split()
        pattern = re.compile(r"\s+".join(re.escape(word).replace("…", r".*") for word in words) + r".*")
        while at < len(printed) and not pattern.fullmatch(printed[at].strip()):
            if not may_skip:
                return False
            at += 1
        if at == len(printed):
            return False
        at, may_skip = at + 1, False
    return may_skip or at == len(printed)


def without_loopback_notes(text: str) -> str:
    """What `check` would print if the gateway were not on this machine."""
    rest, notes = re.subn(r".*\[base-url-loopback\]\n(?:    .*\n)*\n?", "", text)
    return re.sub(r"(\d+) notes", lambda found: f"{int(found[1]) - notes} notes", rest)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def test_every_line_of_the_tour(tmp_path: Path, sim: Simulator) -> None:
    steps = tour()
    assert len(steps) >= 9
    key = f"sk-aisa-{seeded.token_urlsafe(32)}"
    new = f"sk-aisa-{seeded.token_urlsafe(32)}"
    sim.add_key(key)
    sim.add_key(new)
    it, ada = tmp_path / "it", tmp_path / "ada"
    home = ada / ".hermes"
    home.mkdir(parents=True)
    it.mkdir()
    (home / ".env").write_text("CUSTOM_BASE_URL=http://127.0.0.1:9/v1\n")
    (home / "config.yaml").write_text(
        f"model: {{default: gpt-5, provider: custom, base_url: {sim.base_url}, api_key: {key}}}\n"
    )
    acme = it / "acme"
    for step in steps:
        where = {"it": acme if acme.exists() else it, "ada": ada}[step.person]
        done = subprocess.run(  # noqa: PLW1510  the exit code is judged below
            ["/bin/bash", "-c", step.command],
            cwd=where,
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "HOME": str(where.parent if step.person == "it" else ada),
                "PROVISION_CONFIG_DIR": str(tmp_path / step.person / "config"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        text = done.stdout.replace(sim.url, GATEWAY)
        text = without_loopback_notes(text)
        printed = [line for line in text.splitlines() if line.strip()]
        assert done.returncode in (0, 10), f"{step.command}\n{text}"
        assert matches(step.expected, printed), f"README shows other output than `{step.command}` prints:\n{text}"
        if "init" in step.command:
            prepare(acme, ada, sim, key, new)
        if "enroll --user" in step.command:  # what ada sends, and what she says on the telephone
            (acme / "ada.yaml").write_text(text[text.index("users:\n") :].split("to compare")[0])
            words = re.search(r"or in words: (\S+)", text)
            assert words
            (acme / "words.txt").write_text(f"ada {words[1]}\n")
        if "render" in step.command:
            (ada / "dist").symlink_to(acme / "dist")
        if "--receipt >" in step.command:
            (acme / "ada.receipt").write_text((ada / "ada.receipt").read_text())
    installed = (home / ".env").read_text()
    assert key not in installed
    assert new in installed


def prepare(acme: Path, ada: Path, sim: Simulator, key: str, new: str) -> None:
    """What the tour takes for granted: a gateway that answers, files of keys, IT's public key in ada's hands, a leak."""
    for path in (acme / "profiles").glob("*.yaml"):
        path.write_text(path.read_text().replace(GATEWAY, sim.url))
    settings = acme / "provision.toml"
    settings.write_text(f'gateway = "{sim.base_url}"\n' + settings.read_text())
    (acme / "keys.csv").write_text(f"user,key,label\nada,{key},ada-laptop\n")
    (acme / "new.csv").write_text(f"user,new_key,label\nada,{new},ada-2\n")
    bearer = f"Authorization: Bearer sk-aisa-{seeded.token_urlsafe(32)}"
    (ada / "deploy.sh").write_text(f'#!/bin/sh\ncurl -H "{bearer}" {GATEWAY}/v1/models\n')
    (ada / "allowed_signers").write_text((acme / "allowed_signers").read_text())
