"""Scripts for Jamf and Munki: their conventions on exit codes and output, around the same check."""

from __future__ import annotations

import base64
import plistlib
import re
import subprocess

import pytest

from provision.packaging.mac import jamf, munki, script_with_payload
from provision.packaging.payload import Payload

ADDRESS = "https://feed.example.com/hermes/e/" + "a" * 32


@pytest.fixture
def payload() -> Payload:
    return Payload("ada", "operator ssh-ed25519 AAAA", address=ADDRESS, zipapp=bytes(range(256)))


def syntax_ok(script: str) -> bool:
    return subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_the_payload_is_inside_the_script(payload: Payload) -> None:
    script = script_with_payload(payload).decode()
    form = r"base64 --decode <<'(\w+)' \| as_account tee \"\$payload/(\S+)\" >/dev/null\n(.*?)\n\1\n"
    blocks = re.findall(form, script, re.DOTALL)
    assert {name: base64.b64decode(text) for _, name, text in blocks} == {
        name: file.data for name, file in payload.content().items()
    }
    assert script.index("as_account() {") < script.index("base64 --decode"), "the user writes there, not root"
    assert 'payload=$(as_account mktemp -d "$home/' in script
    assert "trap 'as_account rm -rf \"$payload\"'" in script
    assert syntax_ok(script)


def test_jamf_parameters_are_read_before_the_account_is_chosen(payload: Payload) -> None:
    files = {name: file.data.decode() for name, file in jamf(payload).items()}
    for name in ("setup.sh", "remove.sh"):
        text = files[name]
        assert text.count("HERMES_PROVISION_ACCOUNT=$4") == 1
        assert text.index("HERMES_PROVISION_ACCOUNT=$4") < text.index("account=${HERMES_PROVISION_ACCOUNT:-")
        assert syntax_ok(text)
    assert {name for name, file in jamf(payload).items() if file.mode == 0o755} == {
        n for n in files if n.endswith(".sh")
    }


def run(script: str, home: str) -> subprocess.CompletedProcess[str]:
    account = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    environ = {"HOME": home, "PATH": "/usr/bin:/bin", "HERMES_PROVISION_ACCOUNT": account}
    return subprocess.run(["sh"], input=script, env=environ, capture_output=True, text=True, check=False)


def test_the_extension_attribute_reports_even_a_failing_check(payload: Payload, tmp_path: object) -> None:
    done = run(jamf(payload)["extension-attribute.sh"].data.decode(), str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "<result>not pulling yet</result>\n")


def test_munki_installs_when_the_check_fails(payload: Payload, tmp_path: object) -> None:
    ((name, file),) = munki(payload).items()
    assert name == "hermes-provision-ada-1.plist"
    info = plistlib.loads(file.data)
    assert (info["installer_type"], info["uninstall_method"]) == ("nopkg", "uninstall_script")
    check = info["installcheck_script"]
    assert "exit 1 if it is current, 0 if not" in check
    assert run(check, str(tmp_path)).returncode == 0  # an install is needed
    for key in ("installcheck_script", "postinstall_script", "uninstall_script"):
        assert syntax_ok(info[key])
