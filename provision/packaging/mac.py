"""Jamf Pro and Munki: scripts that bring their payload along, so that nothing else has to be uploaded.

Jamf runs the script as root and passes the logged-in user as `$3`; its parameter 4, when given, names another account. Munki
runs a `nopkg` item's scripts as root and asks `installcheck_script` first.
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
    """A script payload, an extension attribute that reports what is installed, and what to enter in the console."""
    return {
        "setup.sh": PackageFile(_with_parameters(script_with_payload(payload)), 0o755),
        "remove.sh": PackageFile(_with_parameters(payload.shell("remove.sh")), 0o755),
        "extension-attribute.sh": PackageFile(_attribute(payload.shell("check.sh")), 0o755),
        "README.txt": PackageFile(_readme(payload).encode()),
    }


def munki(payload: Payload) -> Files:
    """A pkginfo of type `nopkg` for the repository's `pkgsinfo/`."""
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
    """The set-up script with its payload inside, unpacked into a folder of the account for as long as it runs."""
    script = payload.shell("setup.sh", payload="''").decode()
    head, line, rest = script.partition("as_account() {\n")
    blocks = ["payload=$(mktemp -d)\ntrap 'rm -rf \"$payload\"' EXIT INT TERM\n"]
    for name, file in payload.content().items():
        text = base64.encodebytes(file.data).decode()
        blocks.append(f"base64 --decode >\"$payload/{name}\" <<'END_OF_{_word(name)}'\n{text}END_OF_{_word(name)}\n")
    blocks.append('[ "$(id -u)" -ne 0 ] || chown -R "$account" "$payload"\n\n')
    return (head + "".join(blocks) + line + rest).encode()


def _word(name: str) -> str:
    return name.upper().replace(".", "_")


def _with_parameters(script: bytes) -> bytes:
    return script.replace(_ACCOUNT_LINE.encode(), _JAMF_PARAMETERS.encode() + _ACCOUNT_LINE.encode(), 1)


def _attribute(check: bytes) -> bytes:
    """Jamf wants `<result>…</result>` on stdout whatever the answer: the check runs in a function whose output is wrapped."""
    head, _, rest = check.decode().partition("set -eu\n")
    body = "".join(f"  {line}\n" if line else "\n" for line in rest.strip("\n").split("\n"))
    return f'{head}set -u\n\ncheck() (\n{body})\n\necho "<result>$(check)</result>"\n'.encode()


def _inverted(check: bytes) -> str:
    """Munki's question is the contrary of ours: exit 0 means that an install is needed."""
    head, _, rest = check.decode().partition("set -eu\n")
    head = head.replace("exit 0 if so, 1 if not", "exit 1 if so, 0 if not, as Munki asks")
    body = "".join(f"  {line}\n" if line else "\n" for line in rest.strip("\n").split("\n"))
    return f"{head}set -u\n\ncheck() (\n{body})\n\nif check; then\n  exit 1\nfi\nexit 0\n"


def _readme(payload: Payload) -> str:
    return f"""{description(payload)}

1. Settings > Scripts: setup.sh; label parameter 4 "Account (default: the logged-in user)".
2. Policy with that script, trigger "Recurring check-in", frequency "Ongoing", scoped to the user's Mac:
   running it again changes nothing that is current.
3. Settings > Extension attributes: extension-attribute.sh (script, string) reports what is installed.
4. To end the management of this Mac: a policy with remove.sh.
"""
