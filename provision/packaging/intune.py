"""Intune (Win32 app): the folder that Microsoft's Content Prep Tool wraps into a `.intunewin`, and the detection rule.

That tool only runs on Windows, so wrapping is left to the operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.packaging.payload import Files, PackageFile, description

if TYPE_CHECKING:
    from provision.packaging.payload import Payload

_RUN = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File"


def intune(payload: Payload) -> Files:
    """Build `source/` to be wrapped, `Detect.ps1` for the detection rule, and a README for the console."""
    content = {f"source/{name}": file for name, file in payload.content().items()}
    content["source/Install.ps1"] = PackageFile(payload.powershell("Install.ps1"))
    content["source/Uninstall.ps1"] = PackageFile(payload.powershell("Uninstall.ps1"))
    content["Detect.ps1"] = PackageFile(payload.powershell("Detect.ps1"))
    if payload.address is not None:
        content["Remediate.ps1"] = PackageFile(payload.powershell("Remediate.ps1"))
    content["README.txt"] = PackageFile(_readme(payload).replace("\n", "\r\n").encode())
    return content


def _readme(payload: Payload) -> str:
    remediation = "" if payload.address is None else _REMEDIATION
    return f"""{description(payload)}

1. Wrap:       IntuneWinAppUtil.exe -c source -s Install.ps1 -o .
2. New app:    Windows app (Win32)
   Install:    {_RUN} Install.ps1
   Uninstall:  {_RUN} Uninstall.ps1
   Behavior:   User  (the settings and the key that decrypts them belong to the user)
   Codes:      0 success; remove the others that Intune suggests, then every other code is a failure:
               10 installed, but Hermes would not use it; 1 and 2 not installed, with the reason in the output
3. Detection:  custom script Detect.ps1; run as a 32-bit process: No; enforce signature check: No, unless you sign it
               (it runs as the logged-on user because the app does; exit code 0 and a line of output: detected)
{remediation}"""


_REMEDIATION = """4. Remediation (optional, licence E3 or E5): Devices > Remediations, detection script Detect.ps1,
               remediation script Remediate.ps1; use the logged-on credentials: Yes; 64-bit PowerShell: Yes.
               Detect.ps1 exits with 1 where the timer or its program is gone or pulls fail; Remediate.ps1 pulls once
               and installs the timer again. Unchanged results are reported every 7 days only.
"""
