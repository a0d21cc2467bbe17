"""What `install`, `status` and `pull` share: sign a receipt and keep it in the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.cli.endpoint.machine import endpoint_folder
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from provision.endpoint.install import InstallReport
    from provision.endpoint.route_check import RouteCheck
    from provision.endpoint.state import InstalledBundle
    from provision.endpoint.status import Drift
    from provision.receipts.receipt import SignedReceipt


def sign_receipt(
    run: Run,
    home: Path,
    installed: InstalledBundle | None,
    check: RouteCheck | None,
    drift: Iterable[Drift],
    now: datetime,
) -> SignedReceipt | None:
    """Sign what was found and keep it in the home. A failure is only reported, and None returned."""
    from provision.receipts.receipt import NoEndpointKeyError, issue_receipt

    if installed is None or check is None:
        return None
    try:
        return issue_receipt(home, installed, check, drift, endpoint_folder(), now=now)
    except NoEndpointKeyError as e:
        run.detail(f"{e.message} ({e.hint})")
    except (ProvisionError, OSError) as e:
        run.say(f"no receipt was written: {e}")
    return None


def sign_install_receipt(run: Run, report: InstallReport, now: datetime) -> SignedReceipt | None:
    """Sign the receipt for an install that has just ended; None when it cannot be signed."""
    from provision.cli.endpoint.contact import keep_contact
    from provision.endpoint.privileges import as_owner
    from provision.endpoint.state import read_installed

    keep_contact(run, report.contact)
    try:
        with as_owner(report.home):
            installed = read_installed(report.home)
    except ProvisionError as e:
        run.say(f"no receipt was written: {e}")
        return None
    return sign_receipt(run, report.home, installed, report.check, (), now)
