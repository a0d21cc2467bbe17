"""Debian packages, written without dpkg: the same payload gives the same bytes on any machine.

Format: deb(5): an `ar` archive of `debian-binary`, `control.tar.gz` and `data.tar.gz`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

from provision.packaging.payload import Files, PackageFile, description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.packaging.payload import Payload

INSTALL_FOLDER = "usr/share/hermes-provision"


def deb(payload: Payload) -> Files:
    """Build one `.deb` for all architectures."""
    data = installed_files(payload)
    control: Files = {
        "control": PackageFile(_control(payload, data).encode()),
        "md5sums": PackageFile(_md5sums(data).encode()),
        "postinst": PackageFile(_postinst(payload), 0o755),
        "prerm": PackageFile(_prerm(payload), 0o755),
    }
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar_gz(control),
        "data.tar.gz": _tar_gz(data),
    }
    return {f"{payload.name}_{payload.package_version}_all.deb": PackageFile(_ar(members))}


def installed_files(payload: Payload) -> Files:
    """The files a Linux package installs: the payload, and three scripts that can also be run by hand."""
    folder = f"{INSTALL_FOLDER}/{payload.user}"
    found = {f"{folder}/{name}": file for name, file in payload.content().items()}
    here = f'"${{DPKG_ROOT:-}}/{folder}"'  # set by dpkg --root with --force-script-chrootless
    for name in ("setup.sh", "check.sh", "remove.sh"):
        found[f"{folder}/{name}"] = PackageFile(payload.shell(name, payload=here), 0o755)
    return found


def _control(payload: Payload, data: Files) -> str:
    size = sum(len(file.data) for file in data.values()) // 1024 + 1
    depends = "Depends: python3 (>= 3.11)\n" if payload.zipapp is not None else ""
    return (
        f"Package: {payload.name}\n"
        f"Version: {payload.package_version}\n"
        "Architecture: all\n"
        "Maintainer: IT\n"
        f"Installed-Size: {size}\n"
        f"{depends}"
        "Section: admin\n"
        "Priority: optional\n"
        f"Description: {description(payload)}\n"
        " Sets up the Hermes agent of one user from a signed bundle whose secrets are sealed to that user.\n"
    )


def _postinst(payload: Payload) -> bytes:
    return (
        "#!/bin/sh\nset -e\n"
        'if [ "$1" = configure ]; then\n'
        f'  sh "${{DPKG_ROOT:-}}/{INSTALL_FOLDER}/{payload.user}/setup.sh"\n'
        "fi\n"
    ).encode()


def _prerm(payload: Payload) -> bytes:
    return (
        "#!/bin/sh\nset -e\n"
        'if [ "$1" = remove ]; then\n'
        f'  sh "${{DPKG_ROOT:-}}/{INSTALL_FOLDER}/{payload.user}/remove.sh"\n'
        "fi\n"
    ).encode()


def _md5sums(data: Files) -> str:
    lines = (f"{hashlib.md5(file.data, usedforsecurity=False).hexdigest()}  {name}\n" for name, file in data.items())
    return "".join(sorted(lines, key=lambda line: line[34:]))


def _tar_gz(files: Files) -> bytes:
    """A reproducible tar: folders included, owned by root, all times zero."""
    folders = sorted({"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in ("", *folders):
            member = tarfile.TarInfo(f"./{folder}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(_owned(member))
        for name, file in sorted(files.items()):
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(file.data), file.mode
            archive.addfile(_owned(member), io.BytesIO(file.data))
    return gzip.compress(packed.getvalue(), 9, mtime=0)


def _owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uname = member.gname = "root"
    return member


def _ar(members: Mapping[str, bytes]) -> bytes:
    """The common `ar` format: 60-byte headers, members on even offsets."""
    out = [b"!<arch>\n"]
    for name, data in members.items():
        out.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        out.append(data + b"\n" * (len(data) % 2))
    return b"".join(out)
