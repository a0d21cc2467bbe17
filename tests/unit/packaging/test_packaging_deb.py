"""A Debian package is written byte by byte: read it back by the format's rules."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

from provision.packaging.deb import INSTALL_FOLDER, deb, installed_files
from provision.packaging.payload import Payload

ADDRESS = "https://feed.example.com/hermes/e/" + "a" * 32


def payload(**changes: object) -> Payload:
    fields = {"user": "ada_l", "signers": "operator ssh-ed25519 AAAA", "address": ADDRESS, "account": "ada"} | changes
    return Payload(**fields)  # type: ignore[arg-type]


def members(data: bytes) -> dict[str, bytes]:
    """The members of an `ar` archive."""
    assert data.startswith(b"!<arch>\n")
    found, at = {}, 8
    while at < len(data):
        header = data[at : at + 60]
        assert header.endswith(b"`\n")
        name, size = header[:16].decode().strip(), int(header[48:58])
        found[name] = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def unpack(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def test_members_come_in_the_order_that_dpkg_wants() -> None:
    ((name, file),) = deb(payload()).items()
    assert name == "hermes-provision-ada+l_1_all.deb"
    found = members(file.data)
    assert list(found) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert found["debian-binary"] == b"2.0\n"


def test_the_same_payload_gives_the_same_bytes() -> None:
    assert deb(payload()) == deb(payload())
    assert deb(payload(every="2h")) != deb(payload())


def test_files_belong_to_root_and_have_no_time() -> None:
    found = members(next(iter(deb(payload()).values())).data)
    for part in ("control.tar.gz", "data.tar.gz"):
        assert found[part][4:8] == bytes(4)  # the time in the gzip header
        for member in unpack(found[part]).values():
            assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "root", 0)


def test_the_address_keeps_its_mode_and_scripts_are_executable() -> None:
    data = unpack(members(next(iter(deb(payload()).values())).data)["data.tar.gz"])
    folder = f"./{INSTALL_FOLDER}/ada_l"
    assert data[f"{folder}/address"].mode == 0o600
    assert data[f"{folder}/setup.sh"].mode == 0o755
    assert {f"./{name}" for name in installed_files(payload())} == {name for name, m in data.items() if m.isfile()}


def test_every_folder_is_in_the_archive_before_its_files() -> None:
    names = list(unpack(members(next(iter(deb(payload()).values())).data)["data.tar.gz"]))
    for name in names:
        parent = name.rpartition("/")[0]
        assert not parent or names.index(parent) < names.index(name)


def test_control_and_checksums() -> None:
    with tarfile.open(
        fileobj=io.BytesIO(members(next(iter(deb(payload()).values())).data)["control.tar.gz"])
    ) as archive:
        texts = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
        read = {name: file.read().decode() for name, file in texts.items() if file}
    fields = dict(line.split(": ", 1) for line in read["./control"].splitlines() if not line.startswith(" "))
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("hermes-provision-ada+l", "1", "all")
    assert "Depends" not in fields
    sums = dict(reversed(line.split("  ", 1)) for line in read["./md5sums"].splitlines())
    files = installed_files(payload())
    assert sums == {n: hashlib.md5(f.data, usedforsecurity=False).hexdigest() for n, f in files.items()}
    assert f"{INSTALL_FOLDER}/ada_l/setup.sh" in read["./postinst"]
    assert '"$1" = remove' in read["./prerm"]  # not on an upgrade


def test_a_package_with_provision_inside_needs_python() -> None:
    control = members(next(iter(deb(payload(zipapp=b"PK")).values())).data)["control.tar.gz"]
    assert b"Depends: python3 (>= 3.11)\n" in gzip.decompress(control)
