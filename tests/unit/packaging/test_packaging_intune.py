"""The folder for Intune."""

from __future__ import annotations

from provision.packaging.intune import intune
from provision.packaging.payload import Payload


def test_the_detection_rule_is_beside_the_folder_to_wrap() -> None:
    payload = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/e/" + "a" * 32, every="30m")
    files = intune(payload)
    assert set(files) == {
        *("source/address", "source/allowed_signers", "source/Install.ps1", "source/Uninstall.ps1"),
        *("Detect.ps1", "Remediate.ps1", "README.txt"),
    }
    assert b"$Every = '30m'" in files["source/Install.ps1"].data
    readme = files["README.txt"].data
    assert b"Install.ps1" in readme
    assert readme.count(b"\n") == readme.count(b"\r\n")
    assert b"feed.example.com" not in readme  # the address is secret to the user


def test_the_contracts_of_detection_and_remediation() -> None:
    """An app is detected by exit 0 with a line of output; a remediation runs only if detection exits with exactly 1."""
    payload = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/e/" + "a" * 32, every="30m")
    files = intune(payload)
    lines = files["Detect.ps1"].data.decode().splitlines()
    leaving = [at for at, line in enumerate(lines) if line.strip().startswith("exit ")]
    assert {lines[at].strip() for at in leaving} == {"exit 0", "exit 1"}
    assert all(lines[at - 1].strip().startswith("Write-Output ") for at in leaving)
    assert "throw" not in files["Detect.ps1"].data.decode()
    for name in ("Detect.ps1", "Remediate.ps1"):
        assert files[name].data.isascii()
        assert b"feed.example.com" not in files[name].data
    readme = files["README.txt"].data.decode()
    assert "Remediate.ps1" in readme
    assert "75" not in readme, "nothing in these scripts exits with 75"
    assert not any(b"75" in file.data for name, file in files.items() if name.endswith(".ps1"))
