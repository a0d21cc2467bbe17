"""What to do about a leaked key: where it leads depends on whose it is, where it lies and who could have read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.audit.access import Readers
from provision.audit.locations import COPIES, LocationKind
from provision.detect.shapes import aisa_shaped

if TYPE_CHECKING:
    from provision.audit.leak import Leak

_FIX = "`provision audit --fix`"
_WHAT_THEN = {
    LocationKind.ENV: "chmod 600 the file, or let {fix} do it",
    LocationKind.CONFIG: "{fix} moves it to .env and leaves the variable's name",
    LocationKind.POOL: "take the entry out (`hermes auth remove`): it beats the key in .env; {fix} does it for the gateway's own",
    LocationKind.CACHE: "chmod 600 the file, or let {fix} do it",
    LocationKind.JOBS: "let the job use the home's own route, or name the variable instead of the key",
    LocationKind.PROGRAM: "let that program read the key from its environment, and make its file private",
    LocationKind.SERVICE: "let the service read the key from the home's .env",
    LocationKind.GIT: (
        "no fix rewrites history: once the key is dead that is only cosmetic; `git filter-repo --replace-text` does it, and "
        "everybody must clone anew"
    ),
    LocationKind.PROCESS: "start the program without it: children inherit it, and the same user can read it",
    LocationKind.STREAM: "do not pass this on: `provision redact` masks it",
    LocationKind.IDENTITY: "chmod 600 the file; if others had read it, make a new one",
    LocationKind.FILE: "take it out of the file and read it from the environment",
}


def remediation_for(leak: Leak, exposed: Readers, verdict: str | None) -> str:
    """One or two sentences: first make the key worthless if others could have it, then remove it."""
    first = _first(leak, exposed, verdict)
    then = _WHAT_THEN.get(leak.location_kind, "{fix} masks it").format(fix=_FIX)
    if (
        leak.location_kind in COPIES
        and leak.location_kind is not LocationKind.DATABASE
        and leak.raw.place.where
        and "!" in leak.raw.place.where
    ):
        then = f"{_FIX} masks it inside the archive"
    if leak.location_kind is LocationKind.ENV and _stale(leak):
        then = "the endpoint has an older key than the vault: install the newest bundle (`provision pull` or `deploy`)"
    return f"{first}; then {then}" if first else then


def _stale(leak: Leak) -> bool:
    known = leak.raw.match.known
    return known is not None and known.stage not in ("current", "pending")


def _first(leak: Leak, exposed: Readers, verdict: str | None) -> str:
    known = leak.raw.match.known
    others = exposed is not Readers.OWNER or leak.location_kind in (LocationKind.GIT, LocationKind.STREAM)
    if verdict == "dead":
        return ""
    if known is None:
        if leak.in_use and not others:
            return ""
        if aisa_shaped(leak.raw.match.secret.reveal()):
            return "find out whose it is; revoke it in the console (API Keys) unless it is needed"
        return "revoke it where it was issued and make a new one" if others else ""
    if known.stage in ("current", "pending"):
        return f"run `provision rotate leaked {known.user}`" if others else ""
    if verdict == "live" or known.stage == "previous":
        return "revoke it in the console (API Keys) unless its rotation is still under way"
    return ""
