"""What kind of machine this is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.fleet.desired import Platform


def this_platform(name: str) -> Platform:
    """The platform for a `sys.platform`; what is neither Windows nor macOS counts as Linux."""
    from provision.fleet.desired import Platform

    if name in {"win32", "cygwin"}:
        return Platform.WINDOWS
    return Platform.MACOS if name == "darwin" else Platform.LINUX
