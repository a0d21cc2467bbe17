"""Jamf Pro and Munki: scripts that contain their payload, so that nothing else has to be uploaded.

Jamf runs the script as root and passes the logged-in user as `$3`; its parameter 4, if given, names another account. Munki
runs the scripts of a `nopkg` item as root, `installcheck_script` first.
"""

from __future__ import annotations

import base64
import plistlib
from typing import TYPE_CHECKING

from provision.packaging.payload import Files, PackageFile, description

if TYPE_CHECKING:
    from provision.packaging.payload import Payload

_JAMF_PARAMETERS = """# Jamf passes: $1 mount point, $2 computer, $3 logged-in user, $4 (yours) another account to set up
if [ -n "${4:-}" ]; then
  HERMES_PROVISION_ACCOUNT=$4
elif [ -n "${3:-}" ] && [ -z "${HERMES_PROVISION_ACCOUNT:-}" ] && [ -z "$default_account" ]; then
  HERMES_PROVISION_ACCOUNT=$3
fi
export HERMES_PROVISION_ACCOUNT

"""
_ACCOUNT_LINE = "account=${HERMES_PROVISION_ACCOUNT:-$default_account}"


def jamf(payload: Payload) -> Files:
    """Build the set-up and removal scripts, an extension attribute that reports what is installed, and a README."""
    return {
        "setup.sh": PackageFile(_with_parameters(script_with_payload(payload)), 0o755),
        "remove.sh": PackageFile(_with_parameters(payload.shell("remove.sh")), 0o755),
        "extension-attribute.sh": PackageFile(_attribute(payload.shell("check.sh")), 0o755),
        "README.txt": PackageFile(_readme(payload).encode()),
    }


def munki(payload: Payload) -> Files:
    """Build a pkginfo of type `nopkg` for the repository's `pkgsinfo/`."""
    info = {
        "name": payload.name,
        "display_name": f"Hermes settings for {payload.user}",
        "description": description(payload),
        "version": payload.package_version,
        "installer_type": "nopkg",
        "minimum_os_version": "12.0",
        "autoremove": False,
        "unattended_install": True,
        "unattended_uninstall": True,
        "installcheck_script": _inverted(payload.shell("check.sh")),
        "postinstall_script": script_with_payload(payload).decode(),
        "uninstallable": True,
        "uninstall_method": "uninstall_script",
        "uninstall_script": payload.shell("remove.sh").decode(),
    }
    return {f"{payload.name}-{payload.package_version}.plist": PackageFile(plistlib.dumps(info))}


def script_with_payload(payload: Payload) -> bytes:
    """The set-up script with its payload inside. The account itself unpacks it, in its home: what root makes with `mktemp` on
    macOS is in a folder that no other user may enter, and root must not write where a user may have put a link."""
    script = payload.shell("setup.sh", payload="''").decode()
    head, line, rest = script.partition("# the program: ")
    blocks = ['payload=$(as_account mktemp -d "$home/.hermes-provision.XXXXXX")\n']
    blocks.append("trap 'as_account rm -rf \"$payload\"' EXIT INT TERM\n")
    for name, file in payload.content().items():
        text = base64.encodebytes(file.data).decode()
        word = f"END_OF_{_word(name)}"
        blocks.append(f"base64 --decode <<'{word}' | as_account tee \"$payload/{name}\" >/dev/null\n{text}{word}\n")
    return (head + "".join(blocks) + "\n" + line + rest).encode()


def _word(name: str) -> str:
    return name.upper().replace(".", "_")


def _with_parameters(script: bytes) -> bytes:
    return script.replace(_ACCOUNT_LINE.encode(), _JAMF_PARAMETERS.encode() + _ACCOUNT_LINE.encode(), 1)


def _attribute(check: bytes) -> bytes:
    """Jamf expects `<result>…</result>` on stdout in every case, so the output of the check is wrapped."""
    head, _, rest = check.decode().partition("set -eu\n")
    body = "".join(f"  {line}\n" if line else "\n" for line in rest.strip("\n").split("\n"))
    return f'{head}set -u\n\ncheck() (\n{body})\n\necho "<result>$(check)</result>"\n'.encode()


def _inverted(check: bytes) -> str:
    """Munki's exit codes are the opposite of `check.sh`: 0 means that an install is needed."""
    head, _, rest = check.decode().partition("set -eu\n")
    head = head.replace("exit 0 if it is current, 1 if not", "exit 1 if it is current, 0 if not, as Munki expects")
    body = "".join(f"  {line}\n" if line else "\n" for line in rest.strip("\n").split("\n"))
    return f"{head}set -u\n\ncheck() (\n{body})\n\nif check; then\n  exit 1\nfi\nexit 0\n"


def _readme(payload: Payload) -> str:
    return f"""{description(payload)}

1. Settings > Scripts: setup.sh; label parameter 4 "Account (default: the logged-in user)".
2. Policy with that script, trigger "Recurring check-in", frequency "Ongoing", scoped to the user's Mac:
   running it again changes nothing if the machine is current.
3. Settings > Extension attributes: extension-attribute.sh (script, string) reports what is installed.
4. To end the management of this Mac: a policy with remove.sh.
"""
