"""`provision enroll --batch`: the operator's side, taking many users' public keys into the inventory."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.context import Run
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.enrolment.policy import Candidate, Judged
    from provision.fleet.workspace import Workspace

_DEADLINE_S = 30.0


def enroll_batch(
    run: Run,
    sources: list[str],
    *,
    yes: bool,
    fingerprints: Path | None,
    replace: bool,
    profile: str | None,
    snippet: bool,
    format_: str,
    output: Path | None,
) -> bool:
    """Judge and confirm every candidate, then write the inventory in one step; returns whether all were taken."""
    from provision.cli.delivery.receipts import fleet_states
    from provision.enrolment.policy import Change, judge, known_users

    if yes and fingerprints is None:
        raise UsageError(
            "--yes needs --fingerprints FILE: somebody or something has to vouch for the keys",
            hint="lines of USER SHA256:…, collected over another channel than the keys",
        )
    workspace = run.open_workspace()
    expected = _expected(fingerprints)
    known = known_users(fleet_states(workspace))
    candidates, failures = _collected(sources)
    judged = [judge(candidate, known) for candidate in candidates]
    taken, refused = [], list(failures)
    for item in judged:
        why = _refusal(item, replace)
        if why is None and item.change is not Change.UNCHANGED:
            why = _confirmed(run, item, expected, yes=yes)
            if why is None:
                taken.append(item.candidate)
        if why is not None:
            refused.append(f"{item.candidate.user}: not taken: {why}")
    for line in refused:
        run.say(line)
    if taken:
        _write(run, workspace, taken, profile, snippet=snippet)
    text = _json(judged, taken, refused) if format_ == "json" else _table(judged, taken, refused)
    run.result(text, output)
    return not refused


def _collected(sources: list[str]) -> tuple[list[Candidate], list[str]]:
    """Every candidate, and a line per source that cannot be read; a user who comes twice with different keys is refused."""
    from provision.enrolment.sources import candidates_in

    found: dict[str, Candidate] = {}
    failures = []
    twice: set[str] = set()
    for source in sources:
        try:
            for candidate in candidates_in(source, _fetch):
                before = found.setdefault(candidate.user, candidate)
                if set(before.fingerprints) != set(candidate.fingerprints):
                    twice.add(candidate.user)
                    failures.append(f"{candidate.user}: not taken: {before.source} and {candidate.source} differ")
        except ProvisionError as e:
            failures.append(f"{source}: {e}" + (f" ({e.hint})" if e.hint else ""))
    return [candidate for user, candidate in found.items() if user not in twice], failures


def _fetch(url: str, limit_bytes: int) -> bytes:
    from provision.feed.http import Validators, get

    return get(url, limit_bytes, _DEADLINE_S, validators=Validators(), verify=True).body or b""


def _expected(path: Path | None) -> Mapping[str, set[str]] | None:
    from provision.enrolment.policy import parse_fingerprints
    from provision.files import read_bounded

    if path is None:
        return None
    try:
        return parse_fingerprints(read_bounded(path, 64 << 20).decode(), str(path))
    except (FileNotFoundError, UnicodeDecodeError) as e:
        raise UsageError(f"--fingerprints {path} cannot be read") from e


def _refusal(item: Judged, replace: bool) -> str | None:
    from provision.enrolment.policy import Change

    if item.change is Change.REFUSED:
        return item.message
    if item.change is Change.DIFFERENT and not replace:
        there, came = ", ".join(item.before), ", ".join(item.candidate.fingerprints)
        return f"the inventory has {there}, this is {came}; --replace takes it after you have confirmed it"
    return None


def _confirmed(run: Run, item: Judged, expected: Mapping[str, set[str]] | None, *, yes: bool) -> str | None:
    """None when somebody vouches for the keys, else why nobody does."""
    from provision.enrolment.policy import Change, vouched

    candidate = item.candidate
    if expected is not None:
        if vouched(candidate, expected):
            return None
        if yes or candidate.user in expected:
            return f"{', '.join(candidate.fingerprints)} are not all in the list of fingerprints"
    if not sys.stdin.isatty():
        return "nobody is there to confirm it: give --fingerprints FILE, or run this in a terminal"
    run.say(f"\n{candidate.user} ({item.change}), from {candidate.source}:")
    for key, mark in zip((*candidate.recipients, candidate.endpoint_key or ""), candidate.fingerprints, strict=False):
        run.say(f"  {mark}  {key.split()[0] if key.startswith('ssh-') else key}")
    if item.change is Change.DIFFERENT:
        run.say(f"  in place of {', '.join(item.before)}")
    run.say(
        "  trust on first use: only your answer says that these are theirs. Ask them to read the fingerprints to you."
    )
    print(f"  Are these {candidate.user}'s? [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    return None if answer.strip().lower() in {"y", "yes"} else "not confirmed"


def _write(run: Run, workspace: Workspace, taken: list[Candidate], profile: str | None, *, snippet: bool) -> None:
    from provision.enrolment import inventory as enrolment_inventory
    from provision.files import read_bounded, write_atomic

    if snippet or workspace.inventory.suffix not in {".yaml", ".yml"}:
        run.result(enrolment_inventory.snippet(taken, profile))
        return
    before = read_bounded(workspace.inventory, 256 << 20)
    after = enrolment_inventory.with_keys(before, taken, profile)
    if read_bounded(workspace.inventory, 256 << 20) != before:
        raise UsageError("the inventory was changed in the meantime; nothing was written", hint="run it again")
    write_atomic(workspace.inventory, after, mode=workspace.inventory.stat().st_mode & 0o777)
    run.say(f"wrote {workspace.name_of(workspace.inventory)}; look at it with git diff, then: provision check")


def _rows(judged: list[Judged], taken: list[Candidate]) -> list[dict[str, Any]]:
    users = {candidate.user for candidate in taken}
    return [
        {
            "user": item.candidate.user,
            "change": item.change.value,
            "taken": item.candidate.user in users,
            "fingerprints": list(item.candidate.fingerprints),
            "source": item.candidate.source,
            "skipped": list(item.candidate.skipped),
        }
        for item in judged
    ]


def _json(judged: list[Judged], taken: list[Candidate], refused: list[str]) -> str:
    from provision.report.document import document

    return document("enroll-batch/v1", users=_rows(judged, taken), refused=refused)


def _table(judged: list[Judged], taken: list[Candidate], refused: list[str]) -> str:
    from provision.report.terminal import table

    rows = [
        (row["user"], row["change"], "yes" if row["taken"] else "no", " ".join(row["fingerprints"]))
        for row in _rows(judged, taken)
        if row["change"] != "unchanged"
    ]
    counts = Counter(item.change.value for item in judged)
    summary = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nobody"
    text = table(("USER", "CHANGE", "TAKEN", "FINGERPRINTS"), rows) if rows else ""
    return f"{text}{summary}; {len(taken)} taken, {len(refused)} refused\n"
