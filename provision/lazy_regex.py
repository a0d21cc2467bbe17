"""Regular expressions that are compiled when they are first used.

Hundreds are written down, a run uses a few, and compiling all of them took a sixth of a start. A wrong expression fails only
when it is used, so a test compiles each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr, cast

if TYPE_CHECKING:
    from collections.abc import Callable


class LazyRegex:
    """Has the attributes of the expression that `compiled` returns; each stays here when it was asked for once."""

    def __init__(self, compiled: Callable[[], Any]) -> None:
        self._compiled = compiled
        self._regex: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._regex is None:
            self._regex = self._compiled()
        value = getattr(self._regex, name)
        self.__dict__[name] = value
        return value


def lazy_regex(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` returns, compiled at its first use. Use its methods: the functions of `re` do not take it."""
    return cast("re.Pattern[AnyStr]", LazyRegex(lambda: re.compile(pattern, flags)))
