"""`--waves 1,10%,100%`: in which order machines get something new, a few first."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeVar

from provision.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


def parse_waves(text: str | None) -> tuple[str, ...]:
    """The sizes in `text`; None means everybody at once. Raises UsageError."""
    sizes = tuple(part.strip() for part in ("100%" if text is None else text).split(","))
    for size in sizes:
        number = re.fullmatch(r"([1-9][0-9]{0,6})(%?)", size)
        if number is None or (number[2] and int(number[1]) > 100):
            raise UsageError(
                f"--waves: {size!r} is no size of a wave", hint="numbers or percentages, such as 1,10%,100%"
            )
    return sizes


def split_into_waves(items: Sequence[T], sizes: Sequence[str]) -> Iterator[tuple[T, ...]]:
    """Divide items: each size is a number of items or a percentage of all, at least one; the last size repeats to the end."""
    at, turn = 0, 0
    while at < len(items):
        size = sizes[min(turn, len(sizes) - 1)]
        count = math.ceil(len(items) * int(size[:-1]) / 100) if size.endswith("%") else int(size)
        yield tuple(items[at : at + count])
        at, turn = at + count, turn + 1
