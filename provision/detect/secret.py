"""A value that must not be shown.

`Secret` holds an API key between the vault and the three places where it may appear: a sealed file, a request to the
gateway, a `.env`. It prints as a mask. Pickling, JSON and formatting never yield the value; only `reveal()` does, which makes
every such place easy to find.
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final


@final
class Secret:
    """An API key or other secret text. Two secrets compare in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, only to seal it, send it to the gateway or write it to `.env`."""
        return self._value

    @property
    def last_four(self) -> str:
        """The four characters that the gateway's console shows of a key; empty for values under 16 characters."""
        return self._value[-4:] if len(self._value) >= 16 else ""

    def __repr__(self) -> str:
        return "Secret('****')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; reveal() it where it is sealed")
