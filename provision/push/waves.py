"""Waves (`--waves 1,10%,100%`): install on a few machines first, then on more."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeVar

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


def parse_waves(text: str | None) -> tuple[str, ...]:
    """Parse the sizes of waves; None means all machines in one wave. Raises UsageError."""
    sizes = tuple(part.strip() for part in ("100%" if text is None else text).split(","))
    for size in sizes:
        number = re.fullmatch(r"([1-9][0-9]{0,6})(%?)", size)
        if number is None or (number[2] and int(number[1]) > 100):
            raise UsageError(
                f"--waves: invalid wave size {size!r}", hint="use counts or percentages up to 100 %, such as 1,10%,100%"
            )
    return sizes


def split_into_waves(items: Sequence[T], sizes: Sequence[str]) -> Iterator[tuple[T, ...]]:
    """Split items: each size is a count or a percentage of all items (at least one); the last size repeats to the end."""
    at, index = 0, 0
    while at < len(items):
        size = sizes[min(index, len(sizes) - 1)]
        count = math.ceil(len(items) * int(size[:-1]) / 100) if size.endswith("%") else int(size)
        yield tuple(items[at : at + count])
        at, index = at + count, index + 1
