"""`provision enroll --batch`: the operator adds many users' public keys to the inventory."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.cli.context import Run
from provision.errors import ProvisionError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.enrolment.policy import Candidate, EnrolmentReview, InventoryKeys
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
    format_: Format,
    output: Path | None,
) -> bool:
    """Review and confirm every candidate, then write the inventory atomically; returns whether all were accepted."""
    from provision.cli.delivery.receipts import fleet_states
    from provision.enrolment.policy import EnrolmentChange, inventory_keys, review_candidates

    if yes and fingerprints is None:
        raise UsageError(
            "--yes needs --fingerprints FILE: the keys must be confirmed in some way",
            hint="a file with lines USER SHA256:…, collected over another channel than the keys",
        )
    workspace = run.open_workspace()
    expected = _expected(fingerprints)
    known = inventory_keys(fleet_states(workspace))
    candidates, failures = _collect(sources)
    reviews = review_candidates(candidates, known)
    accepted, refused = [], list(failures)
    for item in reviews:
        why = _refusal(item, replace)
        if why is None and item.change is not EnrolmentChange.UNCHANGED:
            why = _confirmation_problem(run, item, expected, yes=yes)
            if why is None:
                accepted.append(_with_confirmed_host(run, item.candidate, expected))
        if why is not None:
            refused.append(f"{item.candidate.label}: refused: {why}")
    for line in refused:
        run.say(line)
    if accepted:
        _write(run, workspace, accepted, known, profile, snippet=snippet)
    text = _json(reviews, accepted, refused) if format_ is Format.JSON else _table(reviews, accepted, refused)
    run.result(text, output)
    return not refused


def _collect(sources: list[str]) -> tuple[list[Candidate], list[str]]:
    """All candidates, and a line per file or address that cannot be read. A user with two different sets of keys is refused."""
    from provision.enrolment.sources import read_candidates, sources_in

    found: dict[str, Candidate] = {}
    failures = []
    twice: set[str] = set()
    for source in sources:
        try:
            parts = sources_in(source)
        except ProvisionError as e:
            failures.append(f"{source}: {e}" + (f" ({e.hint})" if e.hint else ""))
            continue
        for part in parts:  # in a folder that others write to, one odd file must not stop the rest
            try:
                for candidate in read_candidates(part, _fetch, follow=part == source):
                    before = found.setdefault(candidate.label, candidate)
                    if set(before.fingerprints) != set(candidate.fingerprints):
                        twice.add(candidate.label)
                        failures.append(f"{candidate.label}: refused: {before.source} and {candidate.source} differ")
            except ProvisionError as e:
                failures.append(f"{part}: {e}" + (f" ({e.hint})" if e.hint else ""))
    kept = [candidate for label, candidate in found.items() if label not in twice]
    return sorted(
        kept, key=lambda each: each.machine is not None
    ), failures  # a machine without a name is the first one


def _fetch(url: str, limit_bytes: int) -> bytes:
    from provision.feed.http import Validators, http_get

    return http_get(url, limit_bytes, _DEADLINE_S, validators=Validators()).body or b""


def _expected(path: Path | None) -> Mapping[str, set[str]] | None:
    from provision.enrolment.policy import parse_fingerprints
    from provision.files import read_bounded
    from provision.formats.shell_output import shell_bytes

    if path is None:
        return None
    try:
        return parse_fingerprints(shell_bytes(read_bounded(path, 64 << 20)).decode(), str(path))
    except (FileNotFoundError, UnicodeDecodeError) as e:
        raise UsageError(f"cannot read --fingerprints {path}") from e


def _refusal(item: EnrolmentReview, replace: bool) -> str | None:
    from provision.enrolment.policy import EnrolmentChange

    if item.change is EnrolmentChange.REFUSED:
        return item.message
    if item.change is EnrolmentChange.DIFFERENT and not replace:
        there, new = ", ".join(item.before), ", ".join(item.candidate.fingerprints)
        more = f"; {item.message}" if item.message else ""
        return f"the inventory has {there}, this is {new}{more}; use --replace to accept it after confirmation"
    return None


def _confirmation_problem(
    run: Run, item: EnrolmentReview, expected: Mapping[str, set[str]] | None, *, yes: bool
) -> str | None:
    """None when the keys are confirmed, else why they are not."""
    from provision.enrolment.policy import EnrolmentChange, has_expected_fingerprints

    candidate = item.candidate
    if expected is not None:
        if has_expected_fingerprints(candidate, expected):
            return None
        if yes or candidate.user in expected:
            return f"{', '.join(candidate.fingerprints)} are not all in the file of fingerprints"
    if not sys.stdin.isatty():
        return "not confirmed: give --fingerprints FILE, or run this in a terminal"
    run.say("")
    run.say(f"{candidate.label} ({item.change}), from {candidate.source}:")
    for key, mark in zip((*candidate.recipients, candidate.endpoint_key or ""), candidate.fingerprints, strict=False):
        run.say(f"  {mark}  {key.split()[0] if key.startswith('ssh-') else key}")
    run.say(f"  in words: {candidate.words}")
    if item.change is EnrolmentChange.DIFFERENT:
        run.say(f"  replaces {', '.join(item.before)}")
    if candidate.host is not None:
        run.say(f"  host {candidate.host}: deploy would log in there")
    run.say("  trust on first use: only your answer confirms these keys. Ask the user to read the fingerprints to you.")
    print(
        f"  Are these the keys{' and the host' * bool(candidate.host)} of {candidate.user}? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    answer = sys.stdin.readline()
    return None if answer.strip().lower() in {"y", "yes"} else "not confirmed"


def _with_confirmed_host(run: Run, candidate: Candidate, expected: Mapping[str, set[str]] | None) -> Candidate:
    """The candidate as confirmed: at the prompt with its host, by a file only with the host in it."""
    from provision.enrolment.policy import has_expected_fingerprints, with_confirmed_host

    if expected is None or not has_expected_fingerprints(candidate, expected):
        return candidate
    confirmed = with_confirmed_host(candidate, expected)
    if confirmed.host != candidate.host:
        run.say(
            f"{candidate.user}: host {candidate.host} is not confirmed and was left out;"
            f" add the line `{candidate.user} host:{candidate.host}` to the file, or set it in the inventory"
        )
    return confirmed


def _write(
    run: Run,
    workspace: Workspace,
    accepted: list[Candidate],
    known: Mapping[str, InventoryKeys],
    profile: str | None,
    *,
    snippet: bool,
) -> None:
    from provision.enrolment import inventory as enrolment_inventory
    from provision.fleet.edit.inventory_file import change_inventory

    if snippet:
        run.data(enrolment_inventory.inventory_snippet(accepted, profile))
        return
    file = workspace.inventory.name
    change_inventory(workspace, lambda data: enrolment_inventory.add_keys(data, file, accepted, known, profile))
    run.say(f"wrote {workspace.name_of(workspace.inventory)}; next: git diff, then provision check")


def _rows(reviews: list[EnrolmentReview], accepted: list[Candidate]) -> list[dict[str, Any]]:
    taken = {candidate.label for candidate in accepted}
    return [
        {
            "user": item.candidate.user,
            "change": item.change.value,
            **({"machine": item.candidate.machine} if item.candidate.machine else {}),
            "taken": item.candidate.label in taken,
            "fingerprints": list(item.candidate.fingerprints),
            "source": item.candidate.source,
            "skipped": list(item.candidate.skipped),
        }
        for item in reviews
    ]


def _json(reviews: list[EnrolmentReview], accepted: list[Candidate], refused: list[str]) -> str:
    from provision.report.document import document

    return document("enroll-batch/v1", users=_rows(reviews, accepted), refused=refused)


def _table(reviews: list[EnrolmentReview], accepted: list[Candidate], refused: list[str]) -> str:
    from provision.fleet.desired import machine_label
    from provision.report.terminal import table

    rows = [
        (
            machine_label(row["user"], row.get("machine")),
            row["change"],
            "yes" if row["taken"] else "no",
            " ".join(row["fingerprints"]),
        )
        for row in _rows(reviews, accepted)
        if row["change"] != "unchanged"
    ]
    counts = Counter(item.change.value for item in reviews)
    summary = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no users"
    text = table(("USER", "CHANGE", "ACCEPTED", "FINGERPRINTS"), rows) if rows else ""
    return f"{text}{summary}; {len(accepted)} accepted, {len(refused)} refused\n"
