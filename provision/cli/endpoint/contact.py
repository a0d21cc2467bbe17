"""Where IT is reached: kept from the last installed bundle, and shown beside messages that say "IT"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from provision.cli.context import Run

_LIMIT_BYTES = 1024


def it_contact() -> str:
    """The contact, as one printable line; empty on a machine that knows none."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.files import read_optional
    from provision.report.terminal import printable

    try:
        data = read_optional(endpoint_folder().it_contact, _LIMIT_BYTES) or b""
    except (ProvisionError, OSError, RuntimeError):  # no home folder
        return ""
    return printable(data.decode("utf-8", "replace").strip())


def keep_contact(run: Run, contact: str) -> None:
    """Remember the contact of the bundle that was just installed."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.files import read_optional, write_atomic

    path, data = endpoint_folder().it_contact, f"{contact}\n".encode()
    try:
        before = read_optional(path, _LIMIT_BYTES)
        if contact and before != data:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(path, data)
        elif not contact and before is not None:
            path.unlink()
    except (ProvisionError, OSError) as e:
        run.detail(f"IT's contact was not kept: {e}")
