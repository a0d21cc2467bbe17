"""What goes into the single file, as far as that can be told without building one."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from provision.errors import UsageError
from provision.packaging.zipapp import _PREAMBLE, _closure, _needed, _version, target_environment, zipapp_pythons


def test_everything_that_provision_imports_is_in() -> None:
    names = {d.name.lower().replace("_", "-") for d in _closure()}
    assert names >= {"pydantic", "pydantic-core", "pyrage", "cryptography", "ruamel.yaml", "typer", "httpx", "certifi"}
    assert not names & {"pytest", "ansible-core", "shiv", "hermes-provision", "hermes-agent", "pip"}


def test_pythons_that_provision_runs_on() -> None:
    assert _version("3.12") == (3, 12)
    for text in ("3.10", "2.7", "3", "3.12.1", "x"):
        with pytest.raises(UsageError):
            _version(text)


REQUIREMENTS = [
    "no-such-a>=1; sys_platform == 'win32'",
    "no-such-b>=0.10; sys_platform == 'win32' or sys_platform == 'darwin'",
    "no-such-c; python_version < '3.14'",
    "no-such-d; platform_machine == 'arm64' and platform_system == 'Darwin'",
    "no-such-e; os_name == 'posix'",
    "no-such-f[more]<3",
    "no-such-g; extra == 'fast'",
]


@pytest.mark.parametrize(
    ("version", "platform", "expected"),
    [
        ((3, 12), "win_amd64", "abcf"),
        ((3, 14), "win_amd64", "abf"),
        ((3, 14), "macosx_11_0_arm64", "bdef"),
        ((3, 12), "macosx_11_0_x86_64", "bcef"),
        ((3, 11), "manylinux_2_28_aarch64", "cef"),
        ((3, 14), "musllinux_1_2_x86_64", "ef"),
    ],
)
def test_markers_are_evaluated_for_the_target(version: tuple[int, int], platform: str, expected: str) -> None:
    needed = dict(_needed(REQUIREMENTS, {""}, target_environment(version, platform)))
    assert set(needed) == {f"no-such-{letter}" for letter in expected} | {"no-such-f[more]"}
    assert needed["no-such-f"] == "no-such-f<3"
    assert "no-such-g" in dict(_needed(REQUIREMENTS, {"", "fast"}, target_environment(version, platform)))


def test_what_is_installed_here_keeps_its_version() -> None:
    from importlib.metadata import version

    (line,) = dict(_needed(["pydantic>=2"], {""}, target_environment((3, 12), "win_amd64"))).values()
    assert line == f"pydantic=={version('pydantic')}"


@pytest.mark.parametrize("built_for", ["win_arm64.pyd", "here"])
def test_a_single_file_for_another_system_says_so(built_for: str, tmp_path: Path) -> None:
    site = tmp_path / "x" / "y" / "site-packages"
    (site / "pydantic_core").mkdir(parents=True)
    ending = EXTENSION_SUFFIXES[0] if built_for == "here" else f".cp311-{built_for}"
    (site / "pydantic_core" / f"_pydantic_core{ending}").touch()
    run = partial(exec, _PREAMBLE.format(known=()), {"site_packages": site})
    if built_for == "here":
        run()
        return
    with pytest.raises(SystemExit, match=r"error: .*built for another system than this Python .*\nhint: "):
        run()


def test_a_single_file_says_which_pythons_run_it() -> None:
    def archive(preamble: str) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as out:
            out.writestr("site-packages/bin/hermes_preamble.py", preamble)
        return packed.getvalue()

    assert zipapp_pythons(archive(_PREAMBLE.format(known=((3, 11), (3, 13))))) == (13, 11)
    assert zipapp_pythons(archive("nothing")) == ()
    assert zipapp_pythons(b"not an archive") == ()
