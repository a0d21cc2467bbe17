"""`--limit`: which users a command is about.

Ids and globs, `profile:NAME`, `tag:NAME`, `platform:NAME` (globs too), `!pattern`; comma-separated or repeated. What is
named is joined, what is excluded is taken out of it; only exclusions mean everybody else.
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
    "platform": lambda state: (str(state.platform),),
}


def select_users(states: Sequence[DesiredState], patterns: Sequence[str] | None) -> tuple[DesiredState, ...]:
    """The users that the patterns name, in the order of `states`; everybody without patterns.

    Raises NothingMatchedError naming the pattern that matches nobody (an exclusion too: it is likely a slip), or when
    nobody is left; UsageError for a pattern that cannot be read.
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
            f"--limit {','.join(patterns)} leaves nobody", hint="its exclusions take out everybody it names"
        )
    return left


def _matched(states: Sequence[DesiredState], wanted: str, pattern: str) -> list[str]:
    if not wanted:
        raise UsageError(
            "--limit has an empty pattern", hint="ids, globs, profile:NAME, tag:NAME, platform:NAME, !pattern"
        )
    kind, colon, name = wanted.partition(":")
    if colon and kind not in _KINDS:
        raise UsageError(
            f"--limit: {quoted(kind + ':')} is no kind of pattern", hint=f"kinds: {', '.join(k + ':' for k in _KINDS)}"
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
        raise no_match_error(f"--limit {pattern} matches nobody", name, known, prefix=f"{kind}:" if colon else "")
    return found


def no_match_error(message: str, wanted: str, known: Sequence[str], *, prefix: str = "") -> NothingMatchedError:
    """The error for a name that nobody has, with the nearest names there are."""
    close = nearest_words(wanted, known, 3) if len(known) <= 20_000 else []
    if close:
        hint = f"did you mean {' or '.join(prefix + c for c in close)}?"
    else:
        few = ", ".join(prefix + k for k in known[:10])
        hint = f"there are: {few}{' …' if len(known) > 10 else ''}" if known else "the inventory has no users"
    return NothingMatchedError(message, hint=hint)
