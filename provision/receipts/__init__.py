"""The signed receipts of endpoints, and the standing of the fleet that follows from them."""
