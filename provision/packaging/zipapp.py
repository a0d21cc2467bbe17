"""`provision` as a single file, for machines that have only Python.

shiv builds the archive, which unpacks itself on its first run into a folder of the user. It contains exactly what is installed
here, the versions that were tested together, copied file by file: no network is needed, and the same installation gives the
same bytes. For other Pythons or systems pip downloads the same versions as wheels.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import provision
from provision.errors import ProvisionError, UsageError
from provision.scratch import Scratch, scratch_folder
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OWN_NAME = "hermes-provision"
CACHE = "~/.cache/hermes-provision"
_BUILT_AT = "2020-01-01 00:00:00"
_PREAMBLE_NAME = "hermes_preamble.py"
_PREAMBLE = '''\
"""Runs in the unpacked archive before provision: check the Python version and who owns the folder."""
import os
import sys

KNOWN = {known!r}
folder = site_packages.parent.parent
if KNOWN and sys.version_info[:2] not in KNOWN:
    names = ", ".join("%d.%d" % version for version in KNOWN)
    sys.exit("error: this provision.pyz is for Python %s, but this is Python %d.%d" % (names, *sys.version_info[:2]))
if hasattr(os, "geteuid"):
    for path in (folder, site_packages.parent, site_packages):
        if os.lstat(path).st_uid != os.geteuid():
            sys.exit("error: %s belongs to another user: remove it" % path)
    if os.lstat(folder).st_mode & 0o077:
        os.chmod(folder, 0o700)
'''


class ZipappError(ProvisionError):
    """The single file cannot be built."""


def build_zipapp(
    target: Path,
    *,
    pythons: Sequence[str] = (),
    platform: str | None = None,
    interpreter: str = "/usr/bin/env python3",
) -> tuple[str, ...]:
    """Write the archive to `target`, executable; returns `name==version` of every package in it.

    Without `pythons` and `platform` it is built for this Python and this kind of system. With them (such as `3.12`, and a wheel's
    platform tag such as `manylinux_2_28_aarch64`) pip downloads wheels. Raises ZipappError.
    """
    versions = tuple(_version(text) for text in pythons) or ((sys.version_info[0], sys.version_info[1]),)
    try:
        from shiv.bootstrap.environment import Environment  # noqa: PLC0415  an extra
        from shiv.builder import create_archive  # noqa: PLC0415
        from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT  # noqa: PLC0415, F401  a version that knows fixed times
    except ImportError as e:
        raise ZipappError("shiv is not installed", hint=install_command("zipapp")) from e
    found = sorted(_closure(), key=lambda d: _canonical(d.name))
    with scratch_folder(Scratch.ZIPAPP) as top:
        site = top / "site"
        site.mkdir()
        if pythons or platform:
            _fetch(found, versions, platform, site)
        else:
            for distribution in found:
                _copy(distribution, site)
        _copy_own(site)
        (site / "bin").mkdir(exist_ok=True)
        (site / "bin" / _PREAMBLE_NAME).write_text(_PREAMBLE.format(known=versions))
        for path in site.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        settings = Environment(
            built_at=_BUILT_AT,
            shiv_version="1",
            compile_pyc=False,
            entry_point="provision.__main__:main",
            preamble=_PREAMBLE_NAME,
            reproducible=True,
            root=CACHE,
        )
        made = top / "made.pyz"
        create_archive([site], made, interpreter, "_bootstrap:bootstrap", settings, compressed=True)
        _put(made, target)
    return (*(f"{d.name}=={d.version}" for d in found), f"{OWN_NAME}=={provision.__version__}")


def _version(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"3\.([0-9]{1,2})", text)
    if found is None or int(found[1]) < 11:
        raise UsageError(
            f"invalid --python {text!r}", hint="provision needs Python 3.11 or newer: use a version such as 3.12"
        )
    return 3, int(found[1])


def _put(made: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.provision-new")
        shutil.copyfile(made, new)
        new.chmod(0o755)
        os.replace(new, target)  # noqa: PTH105  beside the rest of this step
    except OSError as e:
        raise ZipappError(f"cannot write {target}: {e.strerror or e}") from e


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure() -> Iterator[importlib.metadata.Distribution]:
    """All installed distributions that provision needs at run time, directly or not, without provision itself."""
    from packaging.requirements import Requirement  # noqa: PLC0415  comes with the extra

    seen = {OWN_NAME}
    waiting = [(OWN_NAME, "")]
    while waiting:
        name, extra = waiting.pop()
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as e:
            raise ZipappError(f"{name} is required but not installed", hint="pip check") from e
        if _canonical(name) != OWN_NAME and not extra:
            yield distribution
        for text in distribution.requires or ():
            wanted = Requirement(text)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            for more in (*sorted(wanted.extras), ""):
                key = f"{_canonical(wanted.name)}[{more}]" if more else _canonical(wanted.name)
                if key not in seen:
                    seen.add(key)
                    waiting.append((wanted.name, more))


def _copy(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """Copy the installed files of a distribution, without scripts and compiled bytecode."""
    for file in distribution.files or ():
        path = PurePosixPath(file)
        if ".." in path.parts or path.is_absolute() or "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        if path.parent.suffix == ".dist-info" and path.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
            continue  # these record how it was installed here
        source = Path(str(file.locate()))
        if source.is_file():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, site / path)


def _copy_own(site: Path) -> None:
    """Copy the provision package from where it runs, installed or checked out."""
    shutil.copytree(
        Path(provision.__file__).parent, site / "provision", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    folder = site / f"hermes_provision-{provision.__version__}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OWN_NAME}\nVersion: {provision.__version__}\n")


def _fetch(
    found: Sequence[importlib.metadata.Distribution],
    versions: Sequence[tuple[int, int]],
    platform: str | None,
    site: Path,
) -> None:
    """Download the same versions as wheels. Compiled modules of several Pythons have distinct names and share one folder."""
    wanted = [f"{d.name}=={d.version}" for d in found]
    for major, minor in versions:
        options = ["--python-version", f"{major}.{minor}", "--implementation", "cp", "--only-binary=:all:", "--no-deps"]
        options += ["--platform", platform] if platform else []
        with scratch_folder(Scratch.ZIPAPP) as folder:
            line = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-compile",
                "--target",
                str(folder),
                *options,
            ]
            done = subprocess.run([*line, *wanted], capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                lines = [x for x in done.stderr.splitlines() if x.startswith("ERROR")] or ["pip failed"]
                raise ZipappError(
                    f"pip has no wheels for Python {major}.{minor}{f' on {platform}' if platform else ''}: {lines[-1][:300]}",
                    hint="name a platform as wheels do, such as manylinux_2_28_x86_64 or macosx_11_0_arm64",
                )
            for record in folder.rglob("*.dist-info/*"):
                if record.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                    record.unlink()
            shutil.rmtree(folder / "bin", ignore_errors=True)
            shutil.copytree(folder, site, dirs_exist_ok=True)
