"""What is published, or waits to be: the feed's trust lists and files, and the orders in the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.doctor.health import HealthFinding, failed, fine, skipped, warning
from provision.errors import ProvisionError
from provision.feed.give_orders import PUSHED_SUFFIX, SUFFIX, given_orders
from provision.feed.index import Index
from provision.feed.published_parts import published_parts
from provision.report.terminal import plural
from provision.shell import shell_path
from provision.trust.files import read_chain
from provision.trust.orders import ORDERS_FOLDER, OrderRefusedError, read_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from provision.trust.workspace import WorkspaceTrust

_PUBLISH = "publish again: provision publish DIR"


def feed_trust_findings(feed: Path, trusted: WorkspaceTrust) -> Iterator[HealthFinding]:
    """Yield whether the feed has the workspace's whole chain of trust lists."""
    there = read_chain(feed)
    other = [name for name, data in trusted.chain.items() if there.get(name, data) != data]
    missing = [name for name in trusted.chain if name not in there]
    if other:
        text = f"{other[0]} in the feed is not the workspace's: machines that took it refuse the next list"
        yield failed("feed.trust", text, "see how to go on: provision operators accept --help", *other)
    elif missing:
        yield warning("feed.trust", f"the feed lacks {missing[-1]}: machines do not follow", _PUBLISH, *missing)
    elif trusted.chain:
        yield fine("feed.trust", f"the feed has all trust lists up to {trusted.number}")
    else:
        yield skipped("feed.trust", "the workspace has no trust list")


def feed_file_findings(
    feed: Path, workspace_id: str, trusted: WorkspaceTrust, now: datetime
) -> Iterator[HealthFinding]:
    """Yield whether the bundles and orders that valid parts of the index list are there."""
    parts = [part for _, part in published_parts(feed, workspace_id, trusted.signers, now) if isinstance(part, Index)]
    bundles = {entry.bundle for part in parts for entry in part.endpoints.values()}
    orders = {digest for part in parts for digest in (part.orders or {}).values()}
    lost = len(bundles - {p.stem for p in feed.glob("e/*/*.tar")}) + len(orders - {p.stem for p in feed.glob("o/*/*")})
    if lost:
        yield failed("feed.files", f"{plural(lost, 'file')} of the index not found in the feed", _PUBLISH, str(feed))
    elif parts:
        yield fine("feed.files", f"{plural(len(bundles) + len(orders), 'listed file')} found")
    else:
        yield skipped("feed.files", "no valid index lists files")


def order_findings(root: Path, trusted: WorkspaceTrust, workspace_id: str, now: datetime) -> Iterator[HealthFinding]:
    """Yield orders in the workspace that no machine would obey, because no key that may give orders signed them."""
    bad = False
    orders = [(user + end, data) for end in (SUFFIX, PUSHED_SUFFIX) for user, data in given_orders(root, end).items()]
    for file, data in orders:
        name = f"{ORDERS_FOLDER}/{file}"
        try:
            if read_order(data, trusted.signers, now).workspace != workspace_id:
                raise OrderRefusedError("it is for another workspace")
        except ProvisionError as e:
            bad = True
            fix = f"no machine obeys it; give it again, or remove it: rm {shell_path(root / name)}"
            yield failed("orders.valid", f"{name}: {e.message}", fix, name)
    if not bad:
        yield fine(
            "orders.valid",
            f"{plural(len(orders), 'order')}, each by a key that may give it" if orders else "no order in orders/",
        )
