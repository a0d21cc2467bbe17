"""What this machine does for an order of each kind that its feed lists, or that is pushed; see `feed.obey`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from provision.cli.context import Run
    from provision.endpoint.install import InstallRequest
    from provision.feed.obey import Followed, OrderHandlers
    from provision.feed.pull import PullResult
    from provision.receipts.receipt import SignedReceipt
    from provision.trust.orders import Order


def order_handlers(home: Path | None, now: datetime) -> OrderHandlers:
    """The table: order kind -> function. An order of a kind that is not in it is refused, and named."""
    return {
        "halt": lambda order: _halt(*_installed_home(home), order),
        "resume": _resume,
        "uninstall": partial(_uninstall, home, now),
    }


def obey_pushed(
    path: Path, files: Mapping[str, bytes], request: InstallRequest, now: datetime, *, dry_run: bool
) -> tuple[Path, Followed]:
    """Follow an order to halt or resume that came beside a bundle, as one from the feed; returns its home, too.

    The bundle is verified first: it names the user of this machine, whose order it must be. Raises as `install_bundle` and
    `OrderFollower.follow`.
    """
    import hashlib
    import os

    from provision.cli.endpoint.machine import endpoint_folder
    from provision.endpoint.install import home_root, rules_for
    from provision.endpoint.trust_store import TrustInForce
    from provision.endpoint.verify import verify_bundle
    from provision.errors import UsageError
    from provision.feed.index import endpoint_id, parse_subscription
    from provision.feed.obey import OrderFollower
    from provision.feed.state import read_state
    from provision.files import locked, read_optional
    from provision.hermes.home import effective_home
    from provision.signing.signed_text import max_signed_bytes
    from provision.trust.orders import MAX_ORDER_BYTES, pushed_name

    data = read_optional(path, max_signed_bytes(MAX_ORDER_BYTES))
    if data is None:
        raise UsageError(f"file not found: {path}", hint="--order takes a file that `provision halt` wrote to orders/")
    manifest = verify_bundle(files, rules_for(request, now)).manifest
    root = home_root(request.home, manifest, request.platform, os.environ)
    handlers: OrderHandlers = {"halt": partial(_halt, root, manifest.hermes_profile), "resume": _resume}
    folder = endpoint_folder().root
    state = read_state(folder)
    feed = (endpoint_id(parse_subscription(state.url).address),) if state else ()
    names = (*feed, pushed_name(manifest.workspace, manifest.user))
    force = request.force or TrustInForce(request.signers)
    with locked(folder / ".pull.lock", "install"):
        follower = OrderFollower(manifest.workspace, names, folder, force, handlers, now)
        digest = hashlib.sha256(data).hexdigest()
        return effective_home(root, manifest.hermes_profile), follower.follow(digest, lambda _: data, dry_run=dry_run)


def _halt(root: Path, profile: str | None, order: Order) -> str:
    """Take our route and key out of the home, so that Hermes stops; the pull after the halt puts them back."""
    from provision.endpoint.apply import DiskWriter
    from provision.endpoint.halt_home import halt_home
    from provision.endpoint.state import NotInstalledError

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
    from provision.endpoint.privileges import as_owner
    from provision.endpoint.state import NotInstalledError, read_installed
    from provision.hermes.home import effective_home
    from provision.receipts.receipt import NoEndpointKeyError
    from provision.receipts.uninstalled import issue_uninstalled, keep_manifest

    folder = endpoint_folder()
    root, profile = _installed_home(home)
    done = f"uninstalled, as IT ordered: {order.reason}"
    try:
        with as_owner(own := effective_home(root, profile)):
            installed = read_installed(own)
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
