"""The folder for Intune."""

from __future__ import annotations

from provision.packaging.intune import intune
from provision.packaging.payload import Payload


def test_the_detection_rule_is_beside_the_folder_to_wrap() -> None:
    payload = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/e/" + "a" * 32, every="30m")
    files = intune(payload)
    assert set(files) == {
        *("source/address", "source/allowed_signers", "source/Install.ps1", "source/Uninstall.ps1"),
        *("Detect.ps1", "README.txt"),
    }
    assert b"$Every = '30m'" in files["source/Install.ps1"].data
    readme = files["README.txt"].data
    assert b"Install.ps1" in readme
    assert readme.count(b"\n") == readme.count(b"\r\n")
    assert b"feed.example.com" not in readme  # the address is secret to the user
