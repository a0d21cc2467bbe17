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
    content["README.txt"] = PackageFile(_readme(payload).replace("\n", "\r\n").encode())
    return content


def _readme(payload: Payload) -> str:
    return f"""{description(payload)}

1. Wrap:       IntuneWinAppUtil.exe -c source -s Install.ps1 -o .
2. New app:    Windows app (Win32)
   Install:    {_RUN} Install.ps1
   Uninstall:  {_RUN} Uninstall.ps1
   Behavior:   User  (the settings and the key that decrypts them belong to the user)
   Codes:      0 success, 75 retry, everything else failed
3. Detection:  custom script Detect.ps1, as the logged-on user, 64-bit
"""
