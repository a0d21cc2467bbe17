"""Regular expressions that are compiled when they are first used.

Hundreds are written down, a run uses a few, and compiling all of them took a tenth of a start. A wrong expression fails only
when it is used, so a test compiles each.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _LazyRegex:
    """Has the attributes of the compiled expression; each stays here when it was asked for once."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._arguments = pattern, flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._compiled is None:
            self._compiled = re.compile(*self._arguments)
        value = getattr(self._compiled, name)
        self.__dict__[name] = value
        return value


def lazy_regex(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` returns, compiled at its first use. Use its methods: the functions of `re` do not take it."""
    return cast("re.Pattern[AnyStr]", _LazyRegex(pattern, flags))
