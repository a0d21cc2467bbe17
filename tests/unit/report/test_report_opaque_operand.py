"""Which operands count as secrets without a prefix: random text in every usual encoding, and no names, paths or public values."""

from __future__ import annotations

import base64
import string
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import seeded

from provision.report.opaque_operand import opaque_operands
from provision.report.operand_mask import keys_among

LETTERS = string.ascii_letters + string.digits


def drawn(alphabet: str, length: int) -> str:
    return "".join(alphabet[seeded.randbelow(len(alphabet))] for _ in range(length))


KINDS: dict[str, Callable[[], str]] = {
    "hex": lambda: seeded.token_hex(16),
    "long hex": lambda: seeded.token_hex(32),
    "capital hex": lambda: seeded.token_hex(16).upper(),
    "UUID": lambda: str(uuid.UUID(int=seeded.randbelow(1 << 128))),
    "base64": lambda: base64.b64encode(seeded.token_bytes(32)).decode(),
    "base64url": lambda: base64.urlsafe_b64encode(seeded.token_bytes(32)).decode().rstrip("="),
    "letters and digits": lambda: drawn(LETTERS, 40),
    "small letters and digits": lambda: drawn(string.ascii_lowercase + string.digits, 32),
    "password": lambda: drawn(LETTERS + "!#$%^&*", 32) + "!a1",
}
PLACES = [
    "-l{}",
    "-f{}",
    "-qf{}",
    "{}",
    "--limit={}",
    "--{}",
    "ada={}",
    "ada,{}",
    "https://gateway.example/v1?key={}",
    "https://u:{}@h.example/",
]


@pytest.mark.parametrize("kind", KINDS)
def test_random_text_is_a_secret(kind: str) -> None:
    """All of 200 but for the few whose letters make words by chance."""
    found = [
        value for value in (KINDS[kind]() for _ in range(200)) if value.strip("=") in " ".join(opaque_operands([value]))
    ]
    assert len(found) >= 196


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["9f86d081884c7d659a2feaa0c55ad015", "2c1f9a4e-7b3d-4a6f-9e21-0d5c8b7a6f13"])
def test_it_is_found_in_any_place(place: str, value: str) -> None:
    assert value in keys_among([place.format(value)])


NAMES = r"""ada grace.hopper@corp.example CORP\ada 2026-11-28-01 DESKTOP-7F3K9Q2 ip-10-0-12-33-eu-west-1a.compute.internal
support-20261128T143210Z.tar.gz EntraExport_2026-11-28T10-22-33.csv claude-sonnet-4-6 gpt-5.2-codex-mini-2026-01-31
https://feed.example/u/3f9c2a7be1d04455a0b1c2d3e4f50617/index.json --idle-for=45m @limit.retry all:!lost
SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8 fp_abcdefghijklmnop sha256:9f86d081884c7d659a2feaa0c55ad015
age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9
./dist/Ada.Lovelace-MacBookPro16/bundle.tar getUserByIdAndName_v2_Final engineering-contractors-emea users[0].recipients"""


@pytest.mark.parametrize("argument", NAMES.split())
def test_names_and_public_values_are_none(argument: str) -> None:
    assert list(opaque_operands([argument])) == []


def test_what_exists_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, user, other = (seeded.token_hex(16) for _ in range(3))
    (tmp_path / file).touch()
    (tmp_path / "provision.toml").touch()
    (tmp_path / "inventory.yaml").write_text(f"users:\n  - {{id: u{user}, profile: p}}\n")
    monkeypatch.chdir(tmp_path)
    assert list(opaque_operands([file, f"--output={file}", user, other])) == [other]
    monkeypatch.chdir("/")
    for form in (["-w", str(tmp_path)], ["--workspace", str(tmp_path)], [f"--workspace={tmp_path}"]):
        assert list(opaque_operands([*form, user, other])) == [other]
