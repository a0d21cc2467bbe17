"""What this machine does for an order of each kind that its feed lists; see `feed.obey`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.feed.obey import OrderHandlers
    from provision.trust.orders import Order


def order_handlers() -> OrderHandlers:
    """The table: order kind -> function. An order of a kind that is not in it is refused, and named."""
    return {"resume": _resume}


def _resume(order: Order) -> str:
    """Nothing to do: the order before is not in force any more, so the same pull installs what the feed lists."""
    return f"resumed: {order.reason}"
