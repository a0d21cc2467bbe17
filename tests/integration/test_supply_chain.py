"""What is installed in CI and shipped in a release: locked by digest, under licences that allow it, and built the same twice."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from provision.shell import install_command

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / ".ci"
ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software|MPL|Mozilla|Unlicense|Zlib|CC0|0BSD|Public Domain|HPND", re.IGNORECASE
)
LISTED = {
    "ansible-core": "GPL-3.0: only run as a program, for `deploy`; not shipped",
    "py7zr": "LGPL-2.1: extra `archives`; not in the zipapp",
    "multivolumefile": "LGPL-2.1: needed by py7zr",
    "pybcj": "LGPL-2.1: needed by py7zr",
    "pyppmd": "LGPL-2.1: needed by py7zr",
    "pyrage": "MIT: its metadata does not say so, its repository does",
    "axe-playwright-python": "MIT, and axe-core in it MPL-2.0: only for tests; its metadata does not say so",
    "pyte": "LGPL-3.0: only for tests",
    "atheris": "Apache-2.0: its metadata does not say so; only for tests",
    "inflate64": "LGPL-2.1: needed by py7zr",
}
"""Dependencies under other licences, each with the reason why it may be used."""


def locked(name: str) -> dict[str, str]:
    """Package and version for each entry of a locked file; every entry has a digest."""
    entries = re.split(r"\n(?=[a-z0-9])", (CI / name).read_text())
    assert all("--hash=sha256:" in entry for entry in entries)
    found = (re.match(r"([a-zA-Z0-9._-]+)==([^ ;\\]+)", entry) for entry in entries)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def wanted(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for on this system."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    for text in texts:
        requirement = Requirement(text)
        if requirement.name == "hermes-provision":
            yield from wanted(*requirement.extras)
        elif requirement.marker is None or requirement.marker.evaluate():
            yield requirement


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.txt", ("acceptance", "dev", "ansible", "zipapp")), ("runtime.txt", ("zipapp",))]
)
def test_the_lock_has_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    versions = locked(name)
    missing = [str(r) for r in wanted(*extras) if versions.get(canonicalize_name(r.name)) not in r.specifier]
    assert missing == [], "run .ci/lock"


def test_a_release_ships_the_versions_that_were_tested() -> None:
    tested = locked("requirements.txt")
    assert {name: version for name, version in locked("runtime.txt").items() if tested.get(name) != version} == {}


def test_every_dependency_has_a_licence_that_allows_its_use() -> None:
    unknown = {}
    for name in locked("requirements.txt"):
        try:
            found = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system
        classifiers = [each for each in found.get_all("Classifier") or () if each.startswith("License")]
        text = " ".join((found.get("License-Expression") or "", (found.get("License") or "")[:200], *classifiers))
        if not ALLOWED.search(text) and name not in LISTED:
            unknown[name] = text.strip()
    assert unknown == {}


INSTALL = re.compile(
    r"\b(?:pip3?|pipx|uv|conda|poetry)\"?\s+(?:[\w-]+\s+)?(?:install|add|run)\s([^\n;&|]*)|\buvx\s([^\n;&|]*)"
)
BY_NAME = re.compile(r"(?:hermes[-_.])?provision(?:\[[\w,-]*\])?(?:[=<>~!@ ].*)?", re.IGNORECASE)
"""`provision` as a package index finds it, with extras or a version; not a path, an address or a file."""


def installed(text: str) -> Iterator[str]:
    """What the install commands of a text name."""
    for match in INSTALL.finditer(text):
        yield from (word.strip("\"'`,.)") for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", match[1] or match[2]))


@pytest.mark.parametrize(
    "command",
    [
        "pip install hermes-provision",
        "python3 -m pip install -U 'hermes_provision[image]>=0.2'",
        '"$work/venv/bin/pip" install -q hermes-provision==0.2.0',
        "pipx install provision",
        "uv tool install hermes-provision",
        "uvx hermes-provision audit .",
    ],
)
def test_a_name_is_told_from_a_file(command: str) -> None:
    files = ("./hermes_provision-0.2.0-py3-none-any.whl[image]", "https://it.example/hermes_provision.whl", '"$WHEEL"')
    assert any(map(BY_NAME.fullmatch, installed(command)))
    assert not any(BY_NAME.fullmatch(word) for file in files for word in installed(f"pip install '{file}'"))


def test_nothing_installs_provision_by_name() -> None:
    """Whoever registered the name first would be installed. Messages name the wheel in the same way."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name and not name.startswith("tests/")]
    texts = {path: path.read_text(errors="replace") for path in files if path.is_file()}
    found = {path: [word for word in installed(text) if BY_NAME.fullmatch(word)] for path, text in texts.items()}
    assert sum(bool(list(installed(text))) for text in texts.values()) > 10, "the commands are seen"
    assert {str(path.relative_to(ROOT)): words for path, words in found.items() if words} == {}
    assert not any(map(BY_NAME.fullmatch, installed(install_command())))
    assert not any(map(BY_NAME.fullmatch, installed(install_command("image"))))


@pytest.mark.parametrize("name", ["setup", "run", "release"])
def test_what_tests_and_releases_run_on_is_locked_or_ours(name: str) -> None:
    """Each install takes files of known digests, or the tree itself and what is installed already."""
    lines = [
        line for line in (CI / name).read_text().splitlines() if re.search(r"\bpip\"? (?:install|download)\b", line)
    ]
    assert lines
    ours = r"(?:-e \.|'\.\[[a-z,]+\]'|\"\$work\"/one/dist/\*\.whl)"
    fine = rf"--require-hashes -r|(?:--no-deps|--no-index)(?: --no-build-isolation)? {ours}$"
    assert [line for line in lines if not re.search(fine, line)] == []


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    """Wheel and sdist, from two folders, with other times and modes. `.ci/release` compares two zipapps as well."""
    digests = []
    for number, umask in enumerate((0o022, 0o077)):
        copy = tmp_path / str(number)
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        before = os.umask(umask)
        try:
            subprocess.run(["tar", "-x", "--no-same-permissions", "-C", copy], input=archive, check=True)
            for path in copy.rglob("*"):
                os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
            words = [sys.executable, "-m", "build", "--no-isolation", "-q", "-o", tmp_path / f"out{number}"]
            subprocess.run(words, cwd=copy, check=True, capture_output=True)
        finally:
            os.umask(before)
        made = sorted((tmp_path / f"out{number}").iterdir())
        digests.append([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in made])
    assert len(digests[0]) == 2
    assert digests[0] == digests[1]
