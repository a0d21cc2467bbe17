"""All offline checks of a workspace: its files, the gateway's rules, Hermes' rules, templates, recipients, ages of keys.

A profile is checked once, however many users share it. Each problem points at the place that set the value. Import this
module inside a command: it needs most of the package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.aisa.base_url import with_normalised_base_url
from provision.aisa.catalogue import builtin
from provision.aisa.lint import check_gateway_settings
from provision.cli.workspace.gateway import open_catalogue
from provision.detect.shapes import mask_secrets
from provision.doctor.operator_keys import approval_problems, identity_problems, operator_problems
from provision.errors import InvalidFilesError, Place, Problem, ProvisionError, Severity
from provision.fleet.desired import DesiredState
from provision.fleet.load import Fleet, load_fleet
from provision.hermes.lint import lint_desired_state
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import Templates
from provision.keys.age import parse_recipient
from provision.keys.events.log import changed_log, log_mismatches, log_path
from provision.keys.vault.file import read_vault
from provision.keys.vault.text import VaultFormatError
from provision.rotate.against_vault import contradictions
from provision.rotate.key_advice import key_findings
from provision.rotate.store import RotationStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from provision.aisa.catalogue import Catalogue
    from provision.fleet.workspace import Workspace


@dataclass(frozen=True, slots=True)
class WorkspaceCheck:
    """The result of `check_workspace`: the fleet, and all problems in the order of their places."""

    fleet: Fleet
    problems: tuple[Problem, ...]

    def count(self, severity: Severity) -> int:
        """The number of problems with this severity."""
        return sum(p.severity is severity for p in self.problems)


_LOG_FIXES = {
    "older-vault": "compare them in git: git log -p keys.vault events.jsonl; restore the newest vault",
    "changed-log": "compare it: git log -p events.jsonl; all faults: provision keys log --verify",
    "cut-log": "restore the newest log from git: git log -p events.jsonl; then provision keys log --verify",
}


def check_workspace(workspace: Workspace, found: Sequence[Problem] = (), *, now: datetime) -> WorkspaceCheck:
    """Check a whole workspace. `found`: the problems of its provision.toml, which was read before."""
    fleet = load_fleet(workspace)
    problems = [*found, *fleet.problems, *check_profiles(workspace, [*fleet.states, *states_without_user(fleet)])]
    problems += _recipients(fleet.states)
    problems += _operators(workspace, fleet.states, now)
    problems += _keys(workspace, fleet, now)
    problems += _unused_profiles(fleet)
    once = dict.fromkeys(_without_secrets(p) for p in problems)
    return WorkspaceCheck(fleet, tuple(sorted(once, key=lambda p: (p.place or Place(""), p.rule, p.message))))


def require_valid_profiles(workspace: Workspace, states: Sequence[DesiredState]) -> None:
    """Raise InvalidFilesError if a profile of these users has an error: commands build nothing that `check` reports."""
    errors = dict.fromkeys(
        _without_secrets(p) for p in check_profiles(workspace, states) if p.severity is Severity.ERROR
    )
    if errors:
        raise InvalidFilesError(errors)


def check_profiles(workspace: Workspace, states: Iterable[DesiredState]) -> list[Problem]:
    """Check the profiles of these users by the rules of the gateway and of Hermes. Each distinct profile is rendered once."""
    catalogue, catalogue_problems = _catalogue(workspace)
    templates, template_problems = _templates(workspace)
    problems = [*catalogue_problems, *template_problems]
    hosts = workspace.settings.gateway_hosts
    seen: set[tuple[int, object]] = set()
    for state in states:
        if (id(state.profile), None) not in seen:
            seen.add((id(state.profile), None))
            own = [*check_gateway_settings(state.profile, catalogue, hosts, state.origin), *lint_desired_state(state)]
            problems += own
            if not any(p.severity is Severity.ERROR for p in own):
                problems += _rendered(state, templates, workspace)
        elif (id(state.profile), state.platform) not in seen:
            problems += lint_desired_state(state)
        seen.add((id(state.profile), state.platform))
    return problems


def _catalogue(workspace: Workspace) -> tuple[Catalogue, list[Problem]]:
    try:
        return open_catalogue(workspace), []
    except ProvisionError as e:
        return builtin(), [_problem("bad-catalogue", e, Place(workspace.name_of(workspace.catalogue)))]


def _templates(workspace: Workspace) -> tuple[Templates | None, list[Problem]]:
    try:
        return Templates.load(workspace.templates_dir), []
    except ProvisionError as e:
        return None, [_named(_problem("bad-template", e, Place(str(workspace.templates_dir))), workspace)]


def _rendered(state: DesiredState, templates: Templates | None, workspace: Workspace) -> Iterator[Problem]:
    if templates is None:
        return
    language = state.profile.language
    if language is not None and templates.welcome(language)[1] != language and language != "en":
        what = f"WELCOME is in English: templates/{language}/WELCOME.md.j2 is missing"
        hint = f"languages: {', '.join(['en', *templates.languages])}"
        yield Problem("missing-language", what, state.origin("language"), hint, Severity.WARNING)
    try:
        render_config(with_normalised_base_url(state.profile), templates)
    except ProvisionError as e:
        yield _named(_problem("bad-rendering", e, state.origin("profile")), workspace)


def _problem(rule: str, error: ProvisionError, otherwise: Place) -> Problem:
    return Problem(rule, error.message, error.place or otherwise, error.hint)


def _named(problem: Problem, workspace: Workspace) -> Problem:
    """The problem with the path of its file relative to the workspace, as in all other problems."""
    if problem.place is None or not Path(problem.place.file).is_absolute():
        return problem
    return replace(problem, place=replace(problem.place, file=workspace.name_of(Path(problem.place.file))))


def states_without_user(fleet: Fleet) -> Iterator[DesiredState]:
    """Complete profiles without a user, as desired states: they are checked like the others."""
    used = {id(state.profile) for state in fleet.states}
    for name, profile in fleet.profiles.items():
        if id(profile) not in used:
            yield DesiredState(name, profile, Place(f"profiles/{name}.yaml", 1, 1), origins=fleet.profile_origins[name])


def _unused_profiles(fleet: Fleet) -> Iterator[Problem]:
    if any(p.severity is Severity.ERROR for p in fleet.problems) or not fleet.states:
        return
    busy = {state.profile.name for state in fleet.states} | fleet.extended
    for name in fleet.profiles:
        if name not in busy:
            place = Place(f"profiles/{name}.yaml", 1, 1)
            yield Problem("unused-profile", f"no user has the profile '{name}'", place, "", Severity.NOTE)


def _recipients(states: Iterable[DesiredState]) -> Iterator[Problem]:
    good: set[str] = set()
    for state in states:
        for index, text in enumerate(state.all_recipients):
            if text in good:
                continue
            try:
                parse_recipient(text)
            except ProvisionError as e:
                yield _problem("bad-recipient", e, state.origin(f"recipients.{index}"))
            else:
                good.add(text)


def _operators(workspace: Workspace, states: Sequence[DesiredState], now: datetime) -> Iterator[Problem]:
    """What keeps this operator from working here: a trust list that is not accepted, or a key that may not sign."""
    if not workspace.vault.exists():
        return
    place = Place("trust")
    try:
        yield from operator_problems(workspace, now)
        yield from approval_problems(workspace, states)
        if workspace.identity.exists() and workspace.vault.exists():
            yield from identity_problems(workspace)
    except VaultFormatError:
        return  # reported with the keys
    except ProvisionError as e:
        yield _problem("bad-trust", e, place)


def _keys(workspace: Workspace, fleet: Fleet, now: datetime) -> Iterator[Problem]:
    """Keys that are older than their profile allows, and expired demo keys. The vault stays encrypted."""
    if not workspace.vault.exists():
        return
    name = workspace.name_of(workspace.vault)
    try:
        ledger = read_vault(workspace.vault)
    except ProvisionError as e:
        yield _named(_problem("bad-vault", e, Place(name)), workspace)
        return
    log, head = log_path(workspace.vault), ledger.header.log_head
    mismatches = list(log_mismatches(log, ledger.generation, head))
    try:
        mismatches += [each] if not mismatches and (each := changed_log(log, head)) else []
    except ProvisionError as e:
        yield _named(_problem("unreadable", e, Place(workspace.name_of(log))), workspace)
    for found in mismatches:
        severity = Severity.WARNING if found.maybe_crash else Severity.ERROR
        yield Problem(found.rule, found.message, Place(name), _LOG_FIXES[found.rule], severity)
    try:
        for contradiction in contradictions(RotationStore(workspace.root).unfinished(), ledger):
            fix = "compare vault and journal in git (git log -p keys.vault rotations), and merge them together"
            yield Problem("rotation-and-vault", contradiction, Place(name), fix)
    except ProvisionError as e:
        yield _named(_problem("bad-journal", e, Place("rotations")), workspace)
    complete = not fleet.refused and not any(p.severity is Severity.ERROR for p in fleet.problems)
    for finding in key_findings(workspace.root, ledger, fleet.states, now, complete=complete):
        yield Problem(finding.rule, finding.message, Place(name), finding.cure, finding.severity)


def _without_secrets(problem: Problem) -> Problem:
    """The same problem with everything masked that looks like a key: users do put keys into the wrong fields."""
    texts = (problem.message, problem.hint)
    safe = tuple(mask_secrets(text) for text in texts)
    return problem if safe == texts else replace(problem, message=safe[0], hint=safe[1])
