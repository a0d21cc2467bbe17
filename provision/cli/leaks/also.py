"""What `redact --also` replaces: the kinds that are asked for, with the values of this machine or those given."""

from __future__ import annotations

import getpass
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.redact.stand_ins import Kind, StandIns, is_searched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def stand_ins(asked: Iterable[str], environ: Mapping[str, str], say: Callable[[str], None]) -> StandIns | None:
    """Return the stand-ins for `user,host=NAME,…`; None if nothing is asked for. Raises UsageError for an unknown kind."""
    names: dict[Kind, set[str]] = {}
    for each in (part.strip() for text in asked for part in text.split(",")):
        word, given, value = each.partition("=")
        if word not in set(Kind) or (given and (not value or word in {Kind.IP, Kind.EMAIL})):
            hint = f"kinds: {', '.join(sorted(Kind))}; with a value: user=NAME, host=NAME, cwd=FOLDER"
            raise UsageError(f"invalid kind for --also '{each}'", hint=hint)
        kind = Kind(word)
        found = {value} if given else {own for own in _own(kind, environ) if is_searched(kind, own)}
        if not found and kind in {Kind.USER, Kind.HOST, Kind.CWD}:
            say(
                f"--also {kind}: that of this machine is a common word, so only what prompts and home folders show is replaced"
            )
        names.setdefault(kind, set()).update(found)
    return StandIns(names) if names else None


def _own(kind: Kind, environ: Mapping[str, str]) -> set[str]:
    """Return the values of this machine, as far as the system says them."""
    match kind:
        case Kind.USER:
            users = {environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
            try:
                return {*users, getpass.getuser()} - {""}
            except (OSError, KeyError, ImportError):  # a container without an entry for this number
                return users - {""}
        case Kind.HOST:
            host = platform.node()
            return {host, host.partition(".")[0]} - {""}
        case Kind.CWD:
            return {str(Path.cwd()), environ.get("PWD", "")} - {""} if os.name != "nt" else {str(Path.cwd())}
        case _:
            return set()
