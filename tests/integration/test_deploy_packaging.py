"""Packages as their tools see them: really unpacked, really installed into a scratch root, and the scripts really run."""

from __future__ import annotations

import hashlib
import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bundlecraft import Shop
from feedcraft import Publisher, served

from provision.feed.index import Subscription, address_of
from provision.packaging import deb, intune, mac, pkg, rpm
from provision.packaging.payload import Files, Payload

PROVISION = Path(sys.executable).with_name("provision")
ME = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"missing program: {program}")
    return found


class Machine:
    """A simulated home for the account that runs the tests, in which the packages' scripts run."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.folder, self.home, self.config = folder, folder / "home", folder / "home" / ".config" / "provision"
        self.home.mkdir(parents=True)
        shop.identity_file("ada", self.config / "identity.txt")
        self.config.chmod(0o700)
        self.environ = {
            "HOME": str(self.home),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HERMES_PROVISION": str(PROVISION),
            "HERMES_PROVISION_ACCOUNT": ME,
        }

    def run(self, script: bytes | Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = script if isinstance(script, Path) else self.folder / "script.sh"
        if isinstance(script, bytes):
            path.write_bytes(script)
        return subprocess.run(
            ["sh", str(path), *arguments],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def generation(self) -> int:
        return int(json.loads((self.home / ".hermes/.provision/manifest.json").read_text())["generation"])


@pytest.fixture
def shop() -> Shop:
    return Shop(users=("ada",), now=datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def machine(tmp_path: Path, shop: Shop) -> Machine:
    return Machine(tmp_path / "machine", shop)


@pytest.fixture
def carried(shop: Shop) -> Payload:
    return Payload("ada", shop.allowed_signers, bundle=shop.bundle("ada"))


@pytest.fixture
def pulling(shop: Shop) -> Payload:
    address = str(Subscription("https://feed.example.com/hermes", address_of(bytes(32), "ada")))
    return Payload("ada", shop.allowed_signers, address=address, every="30m")


def write(files: Files, folder: Path) -> Path:
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    return folder


@pytest.mark.parametrize("how", ["carried", "pulling"])
def test_every_shell_script_passes_shellcheck(how: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    shellcheck = need("shellcheck")
    payload: Payload = request.getfixturevalue(how)
    write(mac.jamf(payload), tmp_path)
    write(deb.installed_files(payload), tmp_path)
    (info,) = (plistlib.loads(file.data) for file in mac.munki(payload).values())
    for key, value in info.items():
        if key.endswith("_script"):
            (tmp_path / f"munki-{key}.sh").write_text(value)
    scripts = sorted(tmp_path.rglob("*.sh"))
    assert len(scripts) == 9
    done = subprocess.run(
        [shellcheck, "-s", "sh", "-o", "all", "-e", "SC2250,SC2310,SC2312", *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_jamf_sets_up_reports_and_removes(machine: Machine, carried: Payload, shop: Shop) -> None:
    files = mac.jamf(carried)
    assert machine.run(files["extension-attribute.sh"].data).stdout == "<result>not installed</result>\n"
    done = machine.run(files["setup.sh"].data, "/", "a-mac", ME)
    assert done.returncode == 0, done.stderr
    assert machine.generation == carried.manifest.generation  # type: ignore[union-attr]
    assert (machine.home / ".hermes/.env").read_text().startswith(f"AISA_API_KEY={shop.keys['ada'].reveal()}")
    again = machine.run(files["setup.sh"].data, "/", "a-mac", ME)
    assert "nothing to change" in again.stdout
    reported = machine.run(files["extension-attribute.sh"].data)
    assert reported.stdout == f"<result>generation {machine.generation}</result>\n"
    assert machine.run(files["remove.sh"].data).returncode == 0
    assert machine.run(files["extension-attribute.sh"].data).stdout == "<result>not installed</result>\n"
    assert (machine.home / ".hermes/config.yaml").exists()


def test_munki_installs_when_its_check_asks_for_it(machine: Machine, carried: Payload) -> None:
    (file,) = mac.munki(carried).values()
    info = plistlib.loads(file.data)
    assert info["installer_type"] == "nopkg"
    assert machine.run(info["installcheck_script"].encode()).returncode == 0, "0 means: install"
    assert machine.run(info["postinstall_script"].encode()).returncode == 0
    assert machine.run(info["installcheck_script"].encode()).returncode == 1
    assert machine.run(info["uninstall_script"].encode()).returncode == 0
    assert machine.run(info["installcheck_script"].encode()).returncode == 0


def test_an_older_bundle_is_detected_as_behind(machine: Machine, carried: Payload, shop: Shop) -> None:
    assert machine.run(mac.jamf(carried)["setup.sh"].data).returncode == 0
    newer = Payload("ada", shop.allowed_signers, bundle=shop.bundle("ada", generation=machine.generation + 5))
    said = machine.run(newer.shell("check.sh"))
    assert said.returncode == 1
    assert "expected" in said.stdout


def test_scripts_say_what_is_missing(machine: Machine, carried: Payload) -> None:
    script = mac.jamf(carried)["setup.sh"].data
    nobody = machine.run(script, HERMES_PROVISION_ACCOUNT="no-such-account-here")
    assert nobody.returncode == 1
    assert "account no-such-account-here does not exist here" in nobody.stderr
    for directory in ("ada@corp.example", "CORP\\ada", "CORP+ada"):
        unknown = machine.run(script, HERMES_PROVISION_ACCOUNT=directory)
        assert f"account {directory} does not exist here" in unknown.stderr, "a good name; `id` decides"
    odd = machine.run(script, HERMES_PROVISION_ACCOUNT="a;touch /tmp/x")
    assert "invalid account name" in odd.stderr
    missing = machine.run(script, HERMES_PROVISION="/nonexistent")
    assert missing.returncode == 1
    assert "provision is not installed here" in missing.stderr
    assert not (machine.home / ".hermes").exists()


def test_a_deb_installs_into_a_scratch_root(machine: Machine, carried: Payload, tmp_path: Path) -> None:
    dpkg = need("dpkg")
    ((name, file),) = deb.deb(carried).items()
    package = write({name: file}, tmp_path) / name
    told = subprocess.run(["dpkg-deb", "--info", str(package)], capture_output=True, text=True, check=True).stdout
    assert "Package: hermes-provision-ada" in told
    root = tmp_path / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    command = [dpkg, f"--root={root}", "--force-script-chrootless", "--force-not-root", f"--log={tmp_path}/log"]
    environ = machine.environ | {"PATH": os.environ["PATH"]}
    done = subprocess.run([*command, "-i", str(package)], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert machine.generation == carried.manifest.generation  # type: ignore[union-attr]
    assert machine.run(root / "usr/share/hermes-provision/ada/check.sh").returncode == 0
    gone = subprocess.run(
        [*command, "-r", "hermes-provision-ada"], env=environ, capture_output=True, text=True, check=False
    )
    assert gone.returncode == 0, gone.stderr
    assert not (root / "usr/share/hermes-provision/ada").exists()
    assert not (machine.home / ".hermes/.provision/manifest.json").exists()


def test_a_deb_is_the_same_bytes_every_time(carried: Payload, tmp_path: Path) -> None:
    ((name, file),) = deb.deb(carried).items()
    assert deb.deb(carried)[name].data == file.data
    package = write({name: file}, tmp_path) / name
    subprocess.run([need("dpkg-deb"), "-x", str(package), str(tmp_path / "out")], check=True)
    for path, content in deb.installed_files(carried).items():
        there = tmp_path / "out" / path
        assert there.read_bytes() == content.data
        assert there.stat().st_mode & 0o777 == content.mode


def test_an_rpm_unpacks_and_its_script_sets_up(machine: Machine, carried: Payload, tmp_path: Path) -> None:
    need("rpmbuild")
    ((name, file),) = rpm.rpm(carried).items()
    time.sleep(1.1)  # times in a package have whole seconds
    assert rpm.rpm(carried)[name].data == file.data, "the same bytes every time"
    assert name == f"hermes-provision-ada-{carried.package_version}-1.noarch.rpm"
    package = write({name: file}, tmp_path) / name
    archive = subprocess.run([need("rpm2cpio"), str(package)], capture_output=True, check=True).stdout
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run([need("cpio"), "-id", "--quiet"], input=archive, cwd=root, check=True)
    done = machine.run(root / "usr/share/hermes-provision/ada/setup.sh", DPKG_ROOT=str(root))
    assert done.returncode == 0, done.stderr
    assert machine.generation == carried.manifest.generation  # type: ignore[union-attr]
    scripts = subprocess.run(
        [need("rpm"), "-qp", "--scripts", str(package)], capture_output=True, text=True, check=True
    )
    assert "setup.sh" in scripts.stdout
    assert "remove.sh" in scripts.stdout


def test_a_package_that_pulls(machine: Machine, shop: Shop, tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "operator", shop)
    publisher.render()
    publisher.publish()
    with served(publisher.tree) as server:
        address = str(Subscription(server.url, address_of(bytes(range(32)), "ada")))
        payload = Payload("ada", shop.allowed_signers, address=address)
        assert machine.run(payload.shell("check.sh")).returncode == 1
        done = machine.run(mac.script_with_payload(payload))
        assert done.returncode == 0, done.stderr
    assert machine.generation == json.loads((publisher.dist / "ada/manifest.json").read_text())["generation"]
    units = machine.home / ".config/systemd/user"
    assert (
        units / "timers.target.wants/hermes-provision-pull.timer"
    ).resolve() == units / "hermes-provision-pull.timer"
    assert address not in (units / "hermes-provision-pull.service").read_text()
    assert machine.run(payload.shell("check.sh")).stdout == "pulling\n"
    assert machine.run(payload.shell("remove.sh")).returncode == 0
    assert not list(units.rglob("*.timer"))
    assert machine.run(payload.shell("check.sh")).returncode == 1


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("zipapp") / "provision.pyz"
    subprocess.run([PROVISION, "build-zipapp", "-o", path], capture_output=True, check=True, timeout=120)
    return path.read_bytes()


def pull_again(machine: Machine) -> subprocess.CompletedProcess[str]:
    """What the timer runs, as its unit says it, in an environment as empty as systemd's."""
    unit = (machine.home / ".config/systemd/user/hermes-provision-pull.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    environ = {"HOME": str(machine.home), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        shlex.split(line), env=environ, cwd="/", capture_output=True, text=True, check=False, timeout=120
    )


def install(kind: str, payload: Payload, machine: Machine, folder: Path) -> subprocess.CompletedProcess[str]:
    """Install as the tool does, with a Python that fits first on the PATH; then take away all that the package brought."""
    python = folder / "bin" / "python3.11"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    environ = {"HERMES_PROVISION": "", "PATH": f"{python.parent}:{machine.environ['PATH']}"}
    if kind == "pkg":
        files = pkg.pkg(payload)
        package = write(files, folder) / next(name for name in files if name.endswith(".pkg"))
        scripts = unpacked(package, folder / "unpacked")
        done = machine.run(scripts / "postinstall", str(package), "/", "/", **environ)  # as the installer calls it
        shutil.rmtree(folder / "unpacked")
        return done
    if kind == "jamf":
        return machine.run(mac.jamf(payload)["setup.sh"].data, "/", "a-mac", ME, **environ)
    if kind == "munki":
        (file,) = mac.munki(payload).values()
        return machine.run(plistlib.loads(file.data)["postinstall_script"].encode(), **environ)
    ((name, file),) = (deb.deb(payload) if kind == "deb" else rpm.rpm(payload)).items()
    package = write({name: file}, folder) / name
    root = folder / "root"
    root.mkdir()
    if kind == "deb":
        subprocess.run([need("dpkg-deb"), "-x", str(package), str(root)], check=True)
    else:
        cpio = subprocess.run([need("rpm2cpio"), str(package)], capture_output=True, check=True).stdout
        subprocess.run([need("cpio"), "-id", "--quiet"], input=cpio, cwd=root, check=True)
    done = machine.run(root / "usr/share/hermes-provision/ada/setup.sh", DPKG_ROOT=str(root), **environ)
    shutil.rmtree(root)
    return done


def unpacked(package: Path, folder: Path) -> Path:
    """The scripts of a macOS package, by libarchive's reader of xar and cpio."""
    (folder / "scripts").mkdir(parents=True)
    subprocess.run([need("bsdtar"), "-xf", str(package), "-C", str(folder)], check=True)
    subprocess.run([need("bsdtar"), "-xf", str(folder / "Scripts"), "-C", str(folder / "scripts")], check=True)
    return folder / "scripts"


@pytest.mark.programs("bsdtar")
def test_a_macos_package_unpacks_and_its_script_sets_up(machine: Machine, carried: Payload, tmp_path: Path) -> None:
    ((name, file),) = pkg.pkg(carried).items()
    assert name == f"hermes-provision-ada-{carried.package_version}.pkg"
    assert pkg.pkg(carried)[name].data == file.data, "the same bytes every time"
    package = write({name: file}, tmp_path) / name
    scripts = unpacked(package, tmp_path / "unpacked")
    info = ET.parse(tmp_path / "unpacked" / "PackageInfo").getroot()
    assert (info.get("identifier"), info.get("version")) == ("one.aisa.hermes-provision.ada", carried.package_version)
    assert info.find("scripts/postinstall").get("file") == "./postinstall"  # type: ignore[union-attr]
    assert [path.name for path in scripts.iterdir()] == ["postinstall"]
    assert (scripts / "postinstall").stat().st_mode & 0o777 == 0o755
    done = machine.run(scripts / "postinstall", str(package), "/", "/")
    assert done.returncode == 0, done.stderr
    assert machine.generation == carried.manifest.generation  # type: ignore[union-attr]


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jamf", "munki", "pkg", "deb", "rpm"])
def test_the_timers_program_runs_after_the_installer_has_gone(
    kind: str, program: bytes, machine: Machine, shop: Shop, tmp_path: Path
) -> None:
    publisher = Publisher(tmp_path / "operator", shop)
    publisher.render()
    publisher.publish()
    with served(publisher.tree) as server:
        address = str(Subscription(server.url, address_of(bytes(range(32)), "ada")))
        payload = Payload("ada", shop.allowed_signers, address=address, zipapp=program)
        check, remove = payload.shell("check.sh"), payload.shell("remove.sh")
        assert machine.run(check).stdout == "not pulling yet\n"
        done = install(kind, payload, machine, tmp_path)
        assert done.returncode == 0, done.stderr
        kept = machine.home / ".local/share/hermes-provision/provision.pyz"
        assert kept.read_bytes() == program
        assert [path.name for path in machine.home.glob(".hermes-provision*")] == []
        assert machine.run(check).stdout == "pulling\n"

        first = machine.generation
        publisher.render(force=True)
        publisher.publish()
        pulled = pull_again(machine)
        assert pulled.returncode == 0, pulled.stderr
        assert machine.generation > first

        state = machine.config / "pull.json"
        state.write_text(re.sub(r'"last_good": [0-9.]+', '"last_good": 1700000000.5', state.read_text()))
        said = machine.run(check)
        assert said.returncode == 1
        assert said.stdout.startswith("not pulling: the last good pull was ")
        assert pull_again(machine).returncode == 0
        assert machine.run(check).returncode == 0

        kept.rename(kept.with_suffix(".away"))
        said = machine.run(check)
        assert (said.returncode, said.stdout) == (1, f"not pulling: the timer needs {kept}, which is missing\n")
        kept.with_suffix(".away").rename(kept)
        assert machine.run(remove).returncode == 0
        assert not kept.exists()
        assert not (machine.home / ".cache/hermes-provision").exists()
        assert machine.run(check).returncode == 1


def test_a_python_is_found_for_the_single_file(machine: Machine, shop: Shop, tmp_path: Path) -> None:
    """Not one that it does not support, though it is the first: Apple's is 3.9."""
    folder, said = tmp_path / "bin", tmp_path / "said"
    folder.mkdir()
    for name, version in (("python3", "3.9"), ("python3.13", "3.13"), ("python3.14", "3.14")):
        answer = f'[ "$1" = -c ] && {{ echo {version}; exit 0; }}'
        (folder / name).write_text(f'#!/bin/sh\n{answer}\necho "{name} $1" >>{said}\n')
        (folder / name).chmod(0o755)
    payload = Payload("ada", shop.allowed_signers, bundle=shop.bundle("ada"), zipapp=b"says nothing of versions")
    environ = {"HERMES_PROVISION": "", "PATH": f"{folder}:/usr/bin:/bin"}
    assert machine.run(mac.script_with_payload(payload), **environ).returncode == 0
    kept = machine.home / ".local/share/hermes-provision/provision.pyz"
    assert set(said.read_text().splitlines()) == {f"python3.14 {kept}"}
    own = machine.home / ".hermes/hermes-agent/venv/bin/python"
    own.parent.mkdir(parents=True)
    shutil.copy(folder / "python3.13", own)
    said.unlink()
    assert machine.run(mac.script_with_payload(payload), **environ).returncode == 0
    assert set(said.read_text().splitlines()) == {f"python3.13 {kept}"}
    old = payload.shell("setup.sh").replace(b"pythons='3.14 3.13 3.12 3.11'", b"pythons='3.10'")
    failed = machine.run(old, **environ)
    assert failed.returncode == 1
    assert "no Python found that runs" in failed.stderr


def test_a_timer_on_an_installers_folder_is_refused(machine: Machine, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked" / "provision"
    unpacked.parent.mkdir()
    shutil.copy(PROVISION, unpacked)
    environ = {"HOME": str(machine.home), "PATH": "/usr/bin:/bin", "TMPDIR": str(unpacked.parent)}
    address = str(Subscription("https://feed.example.com/hermes", address_of(bytes(32), "ada")))
    command = [unpacked, "pull", "-", "--install-timer"]
    done = subprocess.run(command, input=address, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is in a folder for temporary files" in done.stderr
    assert not (machine.home / ".config/systemd").exists()
    assert not (machine.config / "pull.json").exists()


def test_intune_holds_what_its_tool_wraps(carried: Payload) -> None:
    files = intune.intune(carried)
    assert set(files) == {
        "source/allowed_signers",
        "source/bundle.tar",
        "source/Install.ps1",
        "source/Uninstall.ps1",
        "Detect.ps1",
        "README.txt",
    }
    for name, file in files.items():
        if name.endswith(".ps1"):
            assert file.data.isascii()
            assert not re.search(rb"@[A-Z_]+@", file.data)
            assert file.data.count(b"\r\n") == file.data.count(b"\n")


@pytest.mark.parametrize("how", ["carried", "pulling"])
def test_powershell_parses(how: str, request: pytest.FixtureRequest) -> None:
    """With tree-sitter's grammar: PowerShell itself, and its analyzer, cannot be installed everywhere."""
    language = pytest.importorskip("tree_sitter_powershell")
    from tree_sitter import Language, Parser

    parser = Parser(Language(language.language()))
    payload: Payload = request.getfixturevalue(how)
    for name, file in intune.intune(payload).items():
        if name.endswith(".ps1"):
            tree = parser.parse(file.data)
            assert not tree.root_node.has_error, name


def test_no_package_holds_the_key(carried: Payload, shop: Shop) -> None:
    key = shop.keys["ada"].reveal().encode()
    everything: Mapping[str, Files] = {
        "intune": intune.intune(carried),
        "jamf": mac.jamf(carried),
        "munki": mac.munki(carried),
        "pkg": pkg.pkg(carried),
        "deb": {**deb.deb(carried), **deb.installed_files(carried)},
    }
    for files in everything.values():
        assert all(key not in file.data for file in files.values())
    assert hashlib.sha256(key).hexdigest() not in repr(carried)
    assert key.decode() not in repr(carried)
