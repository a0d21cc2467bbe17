"""What a package contains. The values that go into scripts are quoted, whatever they are."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tarfile

import pytest
from bundlecraft import Shop

from provision.errors import UsageError
from provision.packaging.payload import PackageError, Payload, _ps_quoted, description

ADDRESS = "https://feed.example.com/hermes/e/" + "a" * 32


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(users=("ada",))


def pull(**changes: object) -> Payload:
    return Payload(**{"user": "ada", "signers": "operator ssh-ed25519 AAAA", "address": ADDRESS} | changes)  # type: ignore[arg-type]


def test_trust_lists_are_beside_the_bundle_where_install_looks() -> None:
    bundle = {"manifest.json": b"{}"}
    assert pull(bundle=bundle, address=None, chain=b"tar").content()[".trust.tar"].data == b"tar"
    assert ".trust.tar" not in pull(bundle=bundle, address=None).content()
    assert ".trust.tar" not in pull(chain=b"tar").content(), "a machine that pulls gets them from the feed"


@pytest.mark.parametrize("account", ["ada", "ada@corp.example", "CORP\\ada", "CORP+ada", "ada.l@x-y.example", ""])
def test_accounts_of_directories(account: str) -> None:
    script = pull(account=account).shell("setup.sh", payload="x").decode()
    assert f"default_account={shlex.quote(account)} " in script


@pytest.mark.parametrize(
    "account", ["root", "a b", "$(id)", "x" * 65, "ada\n", "-ada", "a;b", "@corp", "a@b@c", "A\\B\\c"]
)
def test_accounts_that_are_refused(account: str) -> None:
    with pytest.raises(UsageError, match="invalid --account"):
        pull(account=account)


@pytest.mark.parametrize("every", ["", "1", "1y", "-1h", "1h30m", "1h\n"])
def test_intervals_that_are_refused(every: str) -> None:
    with pytest.raises(UsageError, match="invalid duration"):
        pull(every=every)


@pytest.mark.parametrize("version", ["v1", "1.4\n", "1 4", "1;reboot", "1" * 65])
def test_versions_that_are_refused(version: str) -> None:
    with pytest.raises(UsageError, match="invalid --package-version"):
        pull(version=version)


def test_a_package_without_signers_would_install_nothing() -> None:
    with pytest.raises(PackageError, match="trust no signer"):
        pull(signers=" \n")


def test_a_package_contains_a_bundle_or_an_address(shop: Shop) -> None:
    for changes in ({"address": None}, {"bundle": shop.bundle("ada")}):
        with pytest.raises(RuntimeError):
            pull(**changes)


def test_only_root_and_the_user_may_read_the_address() -> None:
    content = pull().content()
    assert content["address"].data.decode() == f"{ADDRESS}\n"
    assert {name: file.mode for name, file in content.items()} == {"allowed_signers": 0o644, "address": 0o600}
    assert ADDRESS not in repr(pull())


def test_the_bundle_travels_as_it_is(shop: Shop) -> None:
    files = shop.bundle("ada")
    content = Payload("ada", shop.allowed_signers, bundle=files, zipapp=b"PK").content()
    with tarfile.open(fileobj=io.BytesIO(content["bundle.tar"].data)) as archive:
        packed = {member.name.rpartition("/")[2]: archive.extractfile(member) for member in archive if member.isfile()}
        assert {name: file.read() for name, file in packed.items() if file} == dict(files)
    assert content["provision.pyz"].mode == 0o755


def test_versions(shop: Shop) -> None:
    bundle = Payload("ada", shop.allowed_signers, bundle=shop.bundle("ada", generation=41))
    assert (bundle.package_version, pull().package_version, pull(version="2.0~rc1").package_version) == (
        "41",
        "1",
        "2.0~rc1",
    )
    assert description(bundle) == "Hermes settings for ada (engineering), generation 41"
    assert description(pull(every="30m")).endswith("pulled from IT's feed every 30m")


def test_package_names_have_no_underscore() -> None:
    assert pull(user="ada_l").name == "hermes-provision-ada+l"


@pytest.mark.parametrize("name", ["setup.sh", "check.sh", "remove.sh"])
def test_no_placeholder_is_left_in_shell_scripts(name: str) -> None:
    script = pull(account="ada").shell(name, payload='"/opt/x y"').decode()
    assert not [line for line in script.splitlines() if "@USER@" in line or "@ACCOUNT@" in line or "@PAYLOAD@" in line]
    assert subprocess.run([shutil.which("sh") or "sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_a_home_with_spaces_is_one_word(shop: Shop) -> None:
    bundle = shop.bundle("ada", hermes_home="~/my hermes", hermes_profile="work")
    script = Payload("ada", shop.allowed_signers, bundle=bundle).shell("check.sh").decode()
    assert "hermes_home=\"$home\"/'my hermes/profiles/work'" in script


def test_powershell_scripts_are_ascii_without_a_mark(shop: Shop) -> None:
    """PowerShell 5 reads a file without a mark in the system's code page; Intune wants none where it checks signatures."""
    bundle = shop.bundle("ada", generation=9, hermes_home="C:\\Jos\u00e9's \u2019; calc \U0001f642")
    script = Payload("ada", shop.allowed_signers, bundle=bundle).powershell("Detect.ps1")
    assert script.isascii()
    assert script.count(b"\n") == script.count(b"\r\n")
    assert b"$InventoryId = 'ada'\r\n" in script
    assert b"$Generation = 9\r\n" in script
    expected = "('' + 'C:\\Jos' + [char]233 + '''s ' + [char]8217 + '; calc ' + [char]55357+[char]56898)"
    assert f"$HermesHome = {expected}" in script.decode().splitlines()


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (None, "''"),
        ("C:\\it's here", "'C:\\it''s here'"),
        ("%LOCALAPPDATA%\\hermes", "[Environment]::ExpandEnvironmentVariables('%LOCALAPPDATA%\\hermes')"),
        ("~/my hermes", "[Environment]::ExpandEnvironmentVariables('%USERPROFILE%\\my hermes')"),
    ],
)
def test_the_home_in_powershell_is_where_hermes_looks(shop: Shop, home: str | None, expected: str) -> None:
    script = Payload("ada", shop.allowed_signers, bundle=shop.bundle("ada", hermes_home=home)).powershell("Detect.ps1")
    assert f"$HermesHome = {expected}" in script.decode().splitlines()


def test_a_line_break_cannot_end_a_powershell_string() -> None:
    with pytest.raises(PackageError, match="line breaks"):
        _ps_quoted("a'\ncalc")


@pytest.mark.parametrize(("every", "stale_s"), [("30m", 172800), ("1d", 259200), ("1w", 1814400)])
def test_how_long_a_good_pull_counts(every: str, stale_s: int) -> None:
    assert f"stale_s={stale_s} " in pull(every=every).shell("check.sh").decode()
    assert f"$StaleSeconds = {stale_s} " in pull(every=every).powershell("Detect.ps1").decode()
