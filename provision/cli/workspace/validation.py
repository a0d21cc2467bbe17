"""Everything that `check` judges, composed: the files, the gateway's rules, Hermes' rules, recipients, templates.

A profile is judged once however many users share it; each problem points at the place that set the value. Imported
inside the command, because it needs most of the package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.aisa import catalogue as catalogues
from provision.aisa.base_url import with_normalised_base_url
from provision.aisa.lint import check_gateway_settings as judge_gateway
from provision.detect.shapes import mask_secrets
from provision.errors import InvalidFilesError, Place, Problem, ProvisionError, Severity
from provision.files import read_optional
from provision.fleet.desired import DesiredState
from provision.fleet.load import Fleet, load_fleet
from provision.hermes.lint import lint_desired_state as judge_hermes
from provision.hermes.rendering.render import render_config
from provision.hermes.rendering.templates import Templates
from provision.keys.age import parse_recipient
from provision.keys.policy import check_key_ages
from provision.keys.vault.file import read_vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from provision.aisa.catalogue import Catalogue
    from provision.fleet.workspace import Workspace

MAX_CATALOGUE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was looked at, and every problem, in the order of places."""

    fleet: Fleet
    problems: tuple[Problem, ...]

    def count(self, severity: Severity) -> int:
        """How many problems are of one severity."""
        return sum(p.severity is severity for p in self.problems)


def judge_workspace(workspace: Workspace, found: Sequence[Problem] = (), *, now: datetime) -> Judgement:
    """Judge a whole workspace; `found` is what is already known to be wrong with its provision.toml."""
    fleet = load_fleet(workspace)
    problems = [*found, *fleet.problems, *judge_profiles(workspace, [*fleet.states, *_unused(fleet)])]
    problems += _recipients(fleet.states)
    problems += _operators(workspace)
    problems += _keys(workspace, fleet, now)
    problems += _idle(fleet)
    once = dict.fromkeys(_unrevealing(p) for p in problems)
    return Judgement(fleet, tuple(sorted(once, key=lambda p: (p.place or Place(""), p.rule, p.message))))


def refuse_wrong_profiles(workspace: Workspace, states: Sequence[DesiredState]) -> None:
    """Raises InvalidFilesError if any of these users' profiles has an error: nothing is built from what `check` refuses."""
    errors = dict.fromkeys(_unrevealing(p) for p in judge_profiles(workspace, states) if p.severity is Severity.ERROR)
    if errors:
        raise InvalidFilesError(errors)


def judge_profiles(workspace: Workspace, states: Iterable[DesiredState]) -> list[Problem]:
    """What the gateway and Hermes would say to the profiles of these users, each distinct one judged and rendered once."""
    catalogue, trouble = _catalogue(workspace)
    templates, more = _templates(workspace)
    problems = [*trouble, *more]
    hosts = workspace.settings.base_url_hosts
    seen: set[tuple[int, object]] = set()
    for state in states:
        if (id(state.profile), None) not in seen:
            seen.add((id(state.profile), None))
            about = [*judge_gateway(state.profile, catalogue, hosts, state.origin), *judge_hermes(state)]
            problems += about
            if not any(p.severity is Severity.ERROR for p in about):
                problems += _rendered(state, templates, workspace)
        elif (id(state.profile), state.platform) not in seen:
            problems += judge_hermes(state)
        seen.add((id(state.profile), state.platform))
    return problems


def _catalogue(workspace: Workspace) -> tuple[Catalogue, list[Problem]]:
    try:
        data = read_optional(workspace.catalogue, MAX_CATALOGUE_BYTES)
        if data is not None:
            return catalogues.parse_catalogue(data, workspace.name_of(workspace.catalogue)), []
    except ProvisionError as e:
        return catalogues.builtin(), [_problem("bad-catalogue", e, Place(workspace.name_of(workspace.catalogue)))]
    return catalogues.builtin(), []


def _templates(workspace: Workspace) -> tuple[Templates | None, list[Problem]]:
    try:
        return Templates.load(workspace.templates_dir), []
    except ProvisionError as e:
        return None, [_named(_problem("bad-template", e, Place(str(workspace.templates_dir))), workspace)]


def _rendered(state: DesiredState, templates: Templates | None, workspace: Workspace) -> Iterator[Problem]:
    if templates is None:
        return
    try:
        render_config(with_normalised_base_url(state.profile), templates)
    except ProvisionError as e:
        yield _named(_problem("bad-rendering", e, state.origin("profile")), workspace)


def _problem(rule: str, error: ProvisionError, otherwise: Place) -> Problem:
    return Problem(rule, error.message, error.place or otherwise, error.hint)


def _named(problem: Problem, workspace: Workspace) -> Problem:
    """The problem with its file named as seen from the workspace, like all others."""
    if problem.place is None or not Path(problem.place.file).is_absolute():
        return problem
    return replace(problem, place=replace(problem.place, file=workspace.name_of(Path(problem.place.file))))


def _unused(fleet: Fleet) -> Iterator[DesiredState]:
    """Complete profiles that nobody has, as states of nobody: they are judged like the others."""
    used = {id(state.profile) for state in fleet.states}
    for name, profile in fleet.profiles.items():
        if id(profile) not in used:
            yield DesiredState(name, profile, Place(f"profiles/{name}.yaml", 1, 1), origins=fleet.profile_origins[name])


def _idle(fleet: Fleet) -> Iterator[Problem]:
    if any(p.severity is Severity.ERROR for p in fleet.problems) or not fleet.states:
        return
    busy = {state.profile.name for state in fleet.states} | fleet.extended
    for name in fleet.profiles:
        if name not in busy:
            place = Place(f"profiles/{name}.yaml", 1, 1)
            yield Problem("unused-profile", f"nobody has the profile '{name}'", place, "", Severity.NOTE)


def _recipients(states: Iterable[DesiredState]) -> Iterator[Problem]:
    good: set[str] = set()
    for state in states:
        for index, text in enumerate(state.recipients):
            if text in good:
                continue
            try:
                parse_recipient(text)
            except ProvisionError as e:
                yield _problem("bad-recipient", e, state.origin(f"recipients.{index}"))
            else:
                good.add(text)


def _operators(workspace: Workspace) -> Iterator[Problem]:
    place = workspace.places.get("operators", Place("provision.toml"))
    for text in workspace.settings.operators:
        try:
            parse_recipient(text)
        except ProvisionError as e:
            yield _problem("bad-recipient", e, place)
    if workspace.settings.seal_to_operators and not workspace.settings.operators:
        place = workspace.places.get("seal_to_operators", place)
        message = "seal_to_operators is set and there are no operators"
        yield Problem("no-operators", message, place, "name their recipients in `operators`", Severity.WARNING)


def _keys(workspace: Workspace, fleet: Fleet, now: datetime) -> Iterator[Problem]:
    """Keys of the vault that are older than their profile allows, demo keys that are over. Opens nothing."""
    if not workspace.vault.exists():
        return
    name = workspace.name_of(workspace.vault)
    try:
        ledger = read_vault(workspace.vault)
    except ProvisionError as e:
        yield _named(_problem("bad-vault", e, Place(name)), workspace)
        return
    complete = not fleet.refused and not any(p.severity is Severity.ERROR for p in fleet.problems)
    for finding in check_key_ages(ledger, fleet.states, now, complete=complete):
        yield Problem(finding.rule, finding.message, Place(name), finding.cure, finding.severity)


def _unrevealing(problem: Problem) -> Problem:
    """The same problem with whatever looks like a key masked: a value in the wrong place is still a value."""
    texts = (problem.message, problem.hint)
    safe = tuple(mask_secrets(text) for text in texts)
    return problem if safe == texts else replace(problem, message=safe[0], hint=safe[1])
