"""Candidates from files, folders, tables and addresses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provision.enrolment.policy import BadEnrolmentError, Candidate
from provision.enrolment.sources import read_candidates, sources_in

# public halves only, the same in every process, because they are part of the names of tests
ONE = "age1ew9kuwls0nlqze7te6vegq98sd3m3y6f62qa76ft3c3550630vrs384wcz"
TWO = "age1xl64p90fpuu2scmrhpdpus79yfj04sv29pd0vva43kuyg3cgwams6e72wf"


def no_fetch(address: str, limit_bytes: int) -> bytes:
    raise AssertionError(address)


def read(path: Path) -> list[Candidate]:
    return [each for source in sources_in(str(path)) for each in read_candidates(source, no_fetch)]


def test_yaml_json_tables_and_folders_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"users:\n  - id: ada\n    recipients: [{ONE}]\n    platform: macos\n")
    (tmp_path / "b.json").write_text(json.dumps({"id": "bob", "recipients": [ONE, TWO], "host": "bob.corp"}))
    (tmp_path / "c.csv").write_text(f"User,Recipient,platform\neve,{ONE}; {TWO},\n")
    (tmp_path / "notes.txt").write_text("not read")
    found = {c.user: (c.recipients, c.platform, c.host) for c in read(tmp_path)}
    assert found == {
        "ada": ((ONE,), "macos", None),
        "bob": ((ONE, TWO), None, "bob.corp"),
        "eve": ((ONE, TWO), None, None),
    }
    (ada,) = read(tmp_path / "a.yaml")
    assert ada.place is not None
    assert ada.place.line == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.yaml", "users:\n  - recipients: [a]\n", "an enrolment has no user id"),
        ("x.yaml", "users:\n  - id: ada\n    recipients: a\n", "ada: recipients must be a list of keys"),
        (
            "x.yaml",
            f"id: ada\nrecipients: [{ONE}]\nplatform: beos\n",
            "invalid platform: expected linux, macos or windows",
        ),
        ("x.yaml", f"id: ada\nrecipients: [{ONE}]\nhost: 7\n", "ada: host must be text"),
        ("x.yaml", "just text\n", "x.yaml is not output of `provision enroll`"),
        ("x.csv", "id,keys\nada,x\n", "invalid columns for an enrolment"),
        ("x.csv", "id,recipients,user\nada,x,y\n", "invalid columns for an enrolment"),
    ],
)
def test_invalid_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadEnrolmentError) as caught:
        read(tmp_path / name)
    assert caught.value.message.endswith(message)


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BadEnrolmentError, match="not found"):
        read(tmp_path / "missing.yaml")
    with pytest.raises(BadEnrolmentError, match="has no enrolments"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("source", "address", "user"),
    [
        ("https://git.example.com/Ada.keys", "https://git.example.com/Ada.keys", "ada"),
        ("ada=https://git.example.com/alovelace.keys", "https://git.example.com/alovelace.keys", "ada"),
        ("https://git.example.com/ada.keys?x=1", "https://git.example.com/ada.keys?x=1", "ada"),
    ],
)
def test_addresses(source: str, address: str, user: str) -> None:
    asked = []

    def fetch(url: str, limit_bytes: int) -> bytes:
        asked.append((url, limit_bytes > 0))
        return f"# keys\n{ONE}\n\necdsa-sha2-nistp256 AAAA\n".encode()

    (found,) = read_candidates(source, fetch)
    assert asked == [(address, True)]
    assert (found.user, found.recipients, found.endpoint_key, len(found.skipped)) == (user, (ONE,), None, 1)


def test_an_address_without_a_user_or_with_other_content() -> None:
    with pytest.raises(BadEnrolmentError, match="does not name a user"):
        list(read_candidates("https://git.example.com/", no_fetch))
    with pytest.raises(BadEnrolmentError, match="is not a list of SSH keys"):
        list(read_candidates("https://git.example.com/ada.keys", lambda *_: "schlüssel".encode()))
