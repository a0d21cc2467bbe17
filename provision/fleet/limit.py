"""`--limit`: select users for a command.

Patterns are ids and globs, `profile:NAME`, `tag:NAME`, `platform:NAME` (globs too) and `!pattern`, separated by commas or
repeated. The result is all users that match a pattern, without those that match an exclusion. With exclusions only, it is
all other users.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate
from typing import TYPE_CHECKING

from provision.errors import NothingMatchedError, UsageError
from provision.fleet.nearest import nearest_words
from provision.formats.located import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provision.fleet.desired import DesiredState

_KINDS: dict[str, Callable[[DesiredState], Iterable[str]]] = {
    "profile": lambda state: (state.profile.name,),
    "tag": lambda state: state.tags,
    "platform": lambda state: {str(machine.platform) for machine in state.machines} or {str(state.platform)},
}


def select_users(states: Sequence[DesiredState], patterns: Sequence[str] | None) -> tuple[DesiredState, ...]:
    """Return the users that match the patterns, in the order of `states`. Without patterns: all users.

    Raises NothingMatchedError for a pattern without a match (also for an exclusion: it is probably a typo), and if no user
    remains. Raises UsageError for an invalid pattern.
    """
    if not patterns:
        return tuple(states)
    chosen: set[str] = set()
    excluded: set[str] = set()
    any_positive = False
    for pattern in (part.strip() for patterns_ in patterns for part in patterns_.split(",")):
        negative = pattern.startswith("!")
        matched = _matched(states, pattern[1:] if negative else pattern, pattern)
        any_positive |= not negative
        (excluded if negative else chosen).update(matched)
    left = tuple(s for s in states if s.user not in excluded and (s.user in chosen or not any_positive))
    if not left:
        raise NothingMatchedError(
            f"--limit {','.join(patterns)} matches no user", hint="its exclusions remove all users that it selects"
        )
    return left


def _matched(states: Sequence[DesiredState], wanted: str, pattern: str) -> list[str]:
    if not wanted:
        raise UsageError(
            "--limit contains an empty pattern",
            hint="use ids, globs, profile:NAME, tag:NAME, platform:NAME or !pattern",
        )
    kind, colon, name = wanted.partition(":")
    if colon and kind not in _KINDS:
        raise UsageError(
            f"--limit: invalid kind of pattern {quoted(kind + ':')}",
            hint=f"use one of {', '.join(k + ':' for k in _KINDS)}",
        )
    if colon:
        words = _KINDS[kind]
        found = [s.user for s in states if any(fnmatchcase(word, name) for word in words(s))]
        known = sorted({word for s in states for word in words(s)}) if not found else []
    else:
        glob = re.compile(translate(wanted.lower()))
        found = [s.user for s in states if glob.match(s.user)]
        known = [s.user for s in states] if not found else []
        name = wanted
    if not found:
        raise no_match_error(f"--limit {pattern} matches no user", name, known, prefix=f"{kind}:" if colon else "")
    return found


def no_match_error(message: str, wanted: str, known: Sequence[str], *, prefix: str = "") -> NothingMatchedError:
    """Return the error for an unknown name, with the nearest known names as hint."""
    close = nearest_words(wanted, known, 3) if len(known) <= 20_000 else []
    if close:
        hint = f"did you mean {' or '.join(prefix + c for c in close)}?"
    else:
        few = ", ".join(prefix + k for k in known[:10])
        hint = f"known: {few}{' …' if len(known) > 10 else ''}" if known else "the inventory has no users"
    return NothingMatchedError(message, hint=hint)
