"""Random test data that a seed repeats: the functions of `secrets` that tests use, drawn from `random`, which conftest seeds."""

from __future__ import annotations

import base64
import random


def token_bytes(count: int = 32) -> bytes:
    """Random bytes."""
    return random.randbytes(count)


def token_hex(count: int = 32) -> str:
    """Random bytes as hex digits, two a byte."""
    return token_bytes(count).hex()


def token_urlsafe(count: int = 32) -> str:
    """Random bytes as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(token_bytes(count)).rstrip(b"=").decode()


def randbelow(limit: int) -> int:
    """A random integer from 0 to below the limit."""
    return random.randrange(limit)
