"""What this machine does for an order of each kind that its feed lists; see `feed.obey`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from provision.cli.context import Run
    from provision.feed.obey import OrderHandlers
    from provision.feed.pull import PullResult
    from provision.receipts.receipt import SignedReceipt
    from provision.trust.orders import Order


def order_handlers(home: Path | None, now: datetime) -> OrderHandlers:
    """The table: order kind -> function. An order of a kind that is not in it is refused, and named."""
    return {"halt": partial(_halt, home), "resume": _resume, "uninstall": partial(_uninstall, home, now)}


def _halt(home: Path | None, order: Order) -> str:
    """Take our route and key out of the home, so that Hermes stops; the pull after the halt puts them back."""
    from provision.endpoint.apply import DiskWriter
    from provision.endpoint.halt import halt_home
    from provision.endpoint.state import NotInstalledError

    root, profile = _installed_home(home)
    try:
        halt_home(root, profile, DiskWriter(Path.home()), reason=order.reason, until=order.expires)
    except NotInstalledError:
        return f"nothing is installed here; IT ordered to halt until {order.expires}: {order.reason}"
    return f"Hermes is halted until {order.expires}, as IT ordered: {order.reason}"


def _resume(order: Order) -> str:
    """Nothing to do: the order before is not in force any more, so the same pull installs what the feed lists."""
    return f"resumed: {order.reason}"


def _uninstall(home: Path | None, now: datetime, order: Order) -> str:
    """Take out of the home what provision set, and sign that it was done. A repeated run finishes what a kill left."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.endpoint.apply import DiskWriter
    from provision.endpoint.leave.leave_home import leave_home
    from provision.endpoint.state import NotInstalledError, read_installed
    from provision.hermes.home import effective_home
    from provision.receipts.receipt import NoEndpointKeyError
    from provision.receipts.uninstalled import issue_uninstalled, keep_manifest

    folder = endpoint_folder()
    root, profile = _installed_home(home)
    done = f"uninstalled, as IT ordered: {order.reason}"
    try:
        installed = read_installed(effective_home(root, profile))
        if installed is not None and installed.kept.manifest is not None:
            keep_manifest(folder, installed.kept.manifest)
        if (left := leave_home(root, profile, DiskWriter(Path.home()), dry_run=False)) is not None:
            plan = left[1]
            done += (
                f" ({len(plan.removed)} removed, {len(plan.restored)} restored, {len(plan.lost)} cannot be restored)"
            )
    except NotInstalledError:
        done = f"nothing is installed here; IT ordered to uninstall: {order.reason}"
    try:
        issue_uninstalled(folder, now)
    except NoEndpointKeyError:
        done += "; this machine has no key to sign that with"
    return done


def _installed_home(home: Path | None) -> tuple[Path, str | None]:
    """The home that the last pull installed into, else the chosen or usual one, and the Hermes profile in it."""
    from provision.cli.endpoint.machine import chosen_home, endpoint_folder
    from provision.feed.state import read_state

    state = read_state(endpoint_folder().root)
    if home is None and state is not None and state.home:
        found = Path(state.home)
        return (found.parent.parent, found.name) if found.parent.name == "profiles" else (found, None)
    return chosen_home(home, None)


def uninstalled_receipt() -> SignedReceipt | None:
    """The receipt that says that this machine uninstalled; None if it was sent, or nothing was installed."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.receipts.uninstalled import kept_uninstalled

    return kept_uninstalled(endpoint_folder())


def is_uninstalled(pulled: PullResult, now: datetime) -> bool:
    """Whether an order to uninstall is in force here."""
    last = pulled.order.last
    return last is not None and last.kind == "uninstall" and last.in_force(now)


def end_service(run: Run) -> None:
    """After the receipt was sent: remove the timer, the feed's address and this machine's keys. The order is remembered."""
    from provision.cli.endpoint.machine import endpoint_folder
    from provision.cli.endpoint.uninstall import forget, remove_timer_quietly
    from provision.receipts.uninstalled import forget_uninstalled

    remove_timer_quietly(run)
    forget(run, keys=True)
    forget_uninstalled(endpoint_folder())
    for path in endpoint_folder().root.glob("*.receipt"):
        path.unlink()
