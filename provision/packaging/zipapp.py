"""`provision` as a single file, for machines that have only Python.

shiv builds the archive, which unpacks itself on its first run into a folder of the user. It contains exactly what is installed
here, the versions that were tested together, copied file by file: no network is needed, and the same installation gives the
same bytes. For other Pythons or systems pip downloads the same versions as wheels.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import provision
from provision.errors import ProvisionError, UsageError
from provision.scratch import Scratch, scratch_folder
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

OWN_NAME = "hermes-provision"
SUPPORTED_MINORS = (14, 13, 12, 11)
"""The versions of Python 3 that provision supports, newest first."""
CACHE = "~/.cache/hermes-provision"
_MACHINES = ("x86_64", "amd64", "aarch64", "arm64", "i686", "win32", "armv7l", "ppc64le", "s390x", "riscv64")
_BUILT_AT = "2020-01-01 00:00:00"
_PREAMBLE_NAME = "hermes_preamble.py"
_PREAMBLE = '''\
"""Runs in the unpacked archive before provision: check the Python version, the system and who owns the folder."""
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from sysconfig import get_platform

KNOWN = {known!r}
folder = site_packages.parent.parent
if KNOWN and sys.version_info[:2] not in KNOWN:
    names = ", ".join("%d.%d" % version for version in KNOWN)
    sys.exit("error: this provision.pyz is for Python %s, but this is Python %d.%d" % (names, *sys.version_info[:2]))
if not any(name.endswith(tuple(EXTENSION_SUFFIXES)) for name in os.listdir(site_packages / "pydantic_core")):
    said = "this provision.pyz was built for another system than this Python (%s)" % get_platform()
    hint = "use the x86-64 Python on Windows on ARM, a system with glibc instead of musl; else build-zipapp --platform"
    sys.exit("error: %s\\nhint: %s" % (said, hint))
if hasattr(os, "geteuid"):
    for path in (folder, site_packages.parent, site_packages):
        if os.lstat(path).st_uid != os.geteuid():
            sys.exit("error: %s belongs to another user: remove it" % path)
    if os.lstat(folder).st_mode & 0o077:
        os.chmod(folder, 0o700)
'''


class ZipappError(ProvisionError):
    """The single file cannot be built."""


def zipapp_pythons(data: bytes) -> tuple[int, ...]:
    """The minor versions of Python 3 that a single file runs on, newest first; none if it does not say so."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            preamble = archive.read(f"site-packages/bin/{_PREAMBLE_NAME}").decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError, OSError):
        return ()
    known = re.search(r"^KNOWN = \((.*)\)$", preamble, re.MULTILINE)
    return tuple(sorted((int(minor) for minor in re.findall(r"\(3, (\d+)\)", known[1] if known else "")), reverse=True))


def build_zipapp(
    target: Path,
    *,
    pythons: Sequence[str] = (),
    platform: str | None = None,
    interpreter: str = "/usr/bin/env python3",
) -> tuple[str, ...]:
    """Write the archive to `target`, executable; returns `name==version` of every package in it.

    Without `pythons` and `platform` it is built for this Python and this kind of system. With them (such as `3.12`, and a wheel's
    platform tag such as `manylinux_2_28_aarch64`) pip downloads wheels: the versions that are installed here, and the newest of
    what only the target needs. Raises ZipappError.
    """
    versions = tuple(_version(text) for text in pythons) or ((sys.version_info[0], sys.version_info[1]),)
    try:
        from shiv.bootstrap.environment import Environment  # noqa: PLC0415  an extra
        from shiv.builder import create_archive  # noqa: PLC0415
        from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT  # noqa: PLC0415, F401  a version that knows fixed times
    except ImportError as e:
        raise ZipappError("shiv is not installed", hint=install_command("zipapp")) from e
    with scratch_folder(Scratch.ZIPAPP) as top:
        site = top / "site"
        site.mkdir()
        if pythons or platform:
            names = _fetch(versions, platform, site)
        else:
            found = sorted(_closure(), key=lambda d: _canonical(d.name))
            for distribution in found:
                _copy(distribution, site)
            names = tuple(f"{d.name}=={d.version}" for d in found)
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
    return (*names, f"{OWN_NAME}=={provision.__version__}")


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


def _fetch(versions: Sequence[tuple[int, int]], platform: str | None, site: Path) -> tuple[str, ...]:
    """Download wheels. Compiled modules of several Pythons have distinct names and share one folder.

    pip evaluates the markers of requirements (`sys_platform == 'win32'`) for the system it runs on, also with `--platform`.
    So each round asks for named packages alone, and reads from their metadata what the target needs beside them.
    """
    names: set[str] = set()
    for version in versions:
        target = target_environment(version, platform)
        fetched: set[str] = set()
        wanted = dict(_needed(importlib.metadata.requires(OWN_NAME) or (), frozenset({""}), target))
        while missing := {key: line for key, line in wanted.items() if key.partition("[")[0] not in fetched}:
            with scratch_folder(Scratch.ZIPAPP) as folder:
                _pip_install(sorted(set(missing.values())), version, platform, folder)
                fetched |= {key.partition("[")[0] for key in missing}
                for distribution in importlib.metadata.distributions(path=[str(folder)]):
                    names.add(f"{distribution.name}=={distribution.version}")
                    own = _canonical(distribution.name)
                    extras = frozenset(key[len(own) + 1 : -1] for key in wanted if key.startswith(f"{own}[")) | {""}
                    wanted |= dict(_needed(distribution.requires or (), extras, target))
                for record in folder.rglob("*.dist-info/*"):
                    if record.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}:
                        record.unlink()
                shutil.rmtree(folder / "bin", ignore_errors=True)
                shutil.copytree(folder, site, dirs_exist_ok=True)
    return tuple(sorted(names, key=_canonical))


def _needed(requirements: Iterable[str], extras: Iterable[str], target: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield `name` or `name[extra]`, and what pip is asked for: the version that is installed here, else what is required."""
    from packaging.requirements import Requirement  # noqa: PLC0415  comes with the extra

    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker and not any(wanted.marker.evaluate({**target, "extra": extra}) for extra in extras):
            continue
        name = _canonical(wanted.name)
        try:
            line = f"{name}=={importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            line = f"{name}{wanted.specifier}"
        yield name, line
        for extra in wanted.extras:
            yield f"{name}[{extra}]", line


def target_environment(version: tuple[int, int], platform: str | None) -> dict[str, str]:
    """The values of environment markers on the target. `platform` is a wheel's platform tag; None is this kind of system."""
    from packaging.markers import default_environment  # noqa: PLC0415  comes with the extra

    found = {name: str(value) for name, value in default_environment().items()}
    found |= {"python_version": "{}.{}".format(*version), "python_full_version": "{}.{}.0".format(*version)}
    if platform is None:
        return found
    if platform.startswith("win"):
        systems = ("win32", "Windows", "nt")
    elif platform.startswith("macosx"):
        systems = ("darwin", "Darwin", "posix")
    else:
        systems = ("linux", "Linux", "posix")
    machine = next((name for name in _MACHINES if platform.endswith(name)), "")
    machine = {"amd64": "AMD64", "arm64": "ARM64"}.get(machine, machine) if systems[0] == "win32" else machine
    return (
        found
        | dict(zip(("sys_platform", "platform_system", "os_name"), systems, strict=True))
        | {
            "platform_machine": machine or found["platform_machine"],
            "platform_release": "",
            "platform_version": "",
        }
    )


def _pip_install(wanted: Sequence[str], version: tuple[int, int], platform: str | None, folder: Path) -> None:
    named = f"{version[0]}.{version[1]}"
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder)]
    line += ["--python-version", named, "--implementation", "cp", "--only-binary=:all:", "--no-deps"]
    line += ["--platform", platform] if platform else []
    done = subprocess.run([*line, *wanted], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = [x for x in done.stderr.splitlines() if x.startswith("ERROR")] or ["pip failed"]
        raise ZipappError(
            f"pip has no wheels for Python {named}{f' on {platform}' if platform else ''}: {lines[-1][:300]}",
            hint="name a platform as wheels do, such as manylinux_2_28_x86_64 or macosx_11_0_arm64; Windows on ARM runs "
            "win_amd64 with the x64 Python",
        )
