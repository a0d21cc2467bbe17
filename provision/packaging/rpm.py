"""RPM packages, built reproducibly by `rpmbuild`: nothing of the build machine gets into them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from provision.packaging.deb import INSTALL_FOLDER, installed_files
from provision.packaging.payload import Files, PackageError, PackageFile, description
from provision.programs import find_program
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from provision.packaging.payload import Payload

_MOMENT = 315_532_800
"""The time of all files in a package: 1980, because rpmbuild treats 0 as unset."""
_MACROS = {
    "_build_id_links": "none",
    "_buildhost": "reproducible",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "_source_payload": "w9.gzdio",
    "_binary_payload": "w9.gzdio",
    "__os_install_post": "%{nil}",
}


def rpm(payload: Payload) -> Files:
    """Build one `.noarch.rpm`. Raises PackageError if rpmbuild is missing or fails."""
    program = find_program("rpmbuild")
    if program is None:
        raise PackageError("rpmbuild is not installed", hint="dnf install rpm-build, or apt install rpm")
    with scratch_folder(Scratch.RPM) as top:
        root = top / "content"
        for path, file in installed_files(payload).items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
            target.chmod(file.mode)
        for entry in (*root.rglob("*"), root):
            os.utime(entry, (_MOMENT, _MOMENT))
        spec = top / "package.spec"
        spec.write_text(spec_text(payload), "utf-8")
        macros = [word for key, value in _MACROS.items() for word in ("--define", f"{key} {value}")]
        command = [
            program,
            "-bb",
            "--quiet",
            "--define",
            f"_topdir {top}/build",
            "--define",
            f"content {root}",
            *macros,
            str(spec),
        ]
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(top),
            "SOURCE_DATE_EPOCH": str(_MOMENT),
            "LC_ALL": "C",
        }
        done = subprocess.run(command, capture_output=True, env=environ, check=False)  # noqa: S603  rpmbuild, found above
        built = sorted((top / "build" / "RPMS").rglob("*.rpm"))
        if done.returncode or len(built) != 1:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise PackageError(f"rpmbuild failed: {said[-1][:300]}")
        return {built[0].name: PackageFile(built[0].read_bytes())}


def spec_text(payload: Payload) -> str:
    """The spec file. `%` starts a macro, so a user id with `%` is refused."""
    files = installed_files(payload)
    folder = f"/{INSTALL_FOLDER}/{payload.user}"
    listed = "".join(f"%attr({file.mode:04o}, root, root) /{path}\n" for path, file in sorted(files.items()))
    requires = "Requires: python3 >= 3.11\n" if payload.zipapp is not None else ""
    text = f"""Name: {payload.name}
Version: {payload.package_version}
Release: 1
Summary: {description(payload)}
License: none
BuildArch: noarch
AutoReqProv: no
{requires}
%description
Sets up the Hermes agent of one user from a signed bundle whose secrets are sealed to that user.

%install
mkdir -p %{{buildroot}}
cp -a %{{content}}/. %{{buildroot}}/

%post
sh {folder}/setup.sh

%preun
if [ "$1" = 0 ]; then
  sh {folder}/remove.sh
fi

%files
%dir %attr(0755, root, root) {folder}
{listed}"""
    if "%" in payload.user:
        raise PackageError("a user id with % cannot be packaged")
    return text
