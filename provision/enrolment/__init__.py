"""Endpoints' public keys on their way into the inventory."""
