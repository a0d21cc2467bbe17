"""Turn located entries of the inventory into desired states."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from provision.errors import Place, Problem, Severity
from provision.fleet.desired import DesiredState, Machine, Platform, machine_label
from provision.fleet.explain import describe_value, validation_problems
from provision.fleet.models import Defaults, UserEntry
from provision.fleet.nearest import nearest_words, spelling_hint
from provision.fleet.origins import EMPTY, Origins, PathTuples
from provision.formats.located import Map, leaves, locate, place, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provision.fleet.desired import EffectiveProfile
    from provision.fleet.profiles import EffectiveProfiles, InheritedProfile, Profiles
    from provision.fleet.recipients import RecipientsFile


@dataclass(frozen=True, slots=True)
class FormerUser:
    """A user who left: an entry that is kept as history."""

    user: str
    left: str
    place: Place
    profile: str | None = None
    email: str | None = None
    external_id: str | None = None
    machines: tuple[Machine, ...] = ()
    """The machines that they had, with the keys that the entry still names."""


@dataclass(slots=True)
class Users:
    """Collects the users of one inventory file: call `add` for each, then read `states` and `problems`."""

    file: str
    profiles: Profiles
    effective: EffectiveProfiles
    recipients_file: Callable[[str, Place], RecipientsFile | Problem]
    defaults: Map = field(default_factory=Map)
    states: list[DesiredState] = field(default_factory=list)
    left: dict[str, FormerUser] = field(default_factory=dict)
    """Users whose entry says when they left. They have no state."""
    problems: list[Problem] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)
    _endpoint_keys: dict[str, str] = field(default_factory=dict)
    _hosts: dict[tuple[str, str | None, str | None], str] = field(default_factory=dict)
    _paths: PathTuples = field(default_factory=PathTuples)
    _bases: dict[str, Mapping[str, Place]] = field(default_factory=dict)
    _without_model: set[tuple[str, int]] = field(default_factory=set)

    @property
    def refused(self) -> tuple[str, ...]:
        """Return the ids of users that were left out because of errors."""
        good = {state.user for state in self.states} | self.left.keys()
        return tuple(user for user in self._ids if user not in good)

    def set_defaults(self, defaults: Any, at: int) -> None:
        """Set the inventory's `defaults`. Must be called before the first `add`."""
        if defaults is None:
            return
        try:
            Defaults.model_validate(defaults)
        except ValidationError as e:
            for problem in validation_problems(e, Defaults, defaults, self.file, at):
                self.problems.append(_explain_default(problem, defaults))
            return
        self.defaults = defaults

    def add(self, entry: Any, at: int) -> None:
        """Check one entry. Without errors it becomes a state."""
        if not isinstance(entry, Map):
            hint = "write an entry such as {id: ada, profile: base, recipients: [age1…]}"
            message = f"a user must be a mapping (`name: value` lines), not {describe_value(entry)}"
            self.problems.append(Problem("wrong-type", message, place(self.file, at), hint))
            return
        known = self._new_id(entry)
        try:
            UserEntry.model_validate(entry)
        except ValidationError as e:
            self.problems += validation_problems(e, UserEntry, entry, self.file, at)
            self._cross_check(entry, {str(error["loc"][0]) for error in e.errors(include_url=False) if error["loc"]})
            return
        if known and entry.get("left") is not None:
            self._former(entry)
        elif known:
            self._build(entry)

    def _former(self, entry: Map) -> None:
        own, more, _ = self._machines(entry, tuple(entry.get("recipients") or ()))
        self.left[entry["id"]] = FormerUser(
            entry["id"],
            entry["left"],
            place(self.file, entry.marks["id"]),
            self._value(entry, "profile"),
            entry.get("email"),
            entry.get("external_id"),
            tuple(machine for machine in (own, *more) if not machine.lost),
        )

    def _cross_check(self, entry: Map, wrong: set[str]) -> None:
        """Check the valid fields of an entry with errors, so that one run reports all problems."""
        if "id" in wrong or "id" not in entry:
            return
        misspelt = any(nearest_words(key, ("recipients", "recipients_file")) for key in wrong)
        if not misspelt and not wrong & {"recipients", "recipients_file", "machines", "left"}:
            self._recipients(entry)
        if "host" not in wrong:
            self._host(entry, entry["id"])
        if "endpoint_key" not in wrong:
            self._endpoint_key(entry, entry["id"])
        if "profile" not in wrong and "profile" in entry:
            self._known_profile(entry, entry["profile"])

    def _new_id(self, entry: Map) -> bool:
        user = entry.get("id")
        if not isinstance(user, str):
            return True  # the validation reports it
        at = entry.marks["id"]
        first = self._ids.setdefault(user.casefold(), at)
        if first == at:
            return True
        message = f"user {quoted(user)} is listed twice"
        hint = f"first at {place(self.file, first)}; ids must differ in more than case"
        self.problems.append(Problem("duplicate-id", message, place(self.file, at), hint))
        return False

    def _problem(
        self, entry: Map, key: str, rule: str, message: str, *, hint: str = "", severity: Severity = Severity.ERROR
    ) -> None:
        at = entry.marks.get(key) or entry.marks["id"]
        self.problems.append(Problem(rule, message, place(self.file, at), hint, severity))

    def _value(self, entry: Map, key: str) -> Any:
        own = entry.get(key)
        return self.defaults.get(key) if own is None else own

    def _build(self, entry: Map) -> None:
        before = len(self.problems)
        recipients = self._recipients(entry)
        for each, owner in self._named_machines(entry):
            self._host(each, owner)
            self._endpoint_key(each, owner)
        profile = self._profile(entry)
        if profile is None or recipients is None or (len(self.problems) > before and self._errors_since(before)):
            return
        effective, inherited = profile
        listed, file_origins = recipients
        own = [(_path(path), position) for path, position in leaves(entry)]
        base = self._base(inherited)
        first, more, lost = self._machines(entry, listed)
        self.states.append(
            DesiredState(
                user=entry["id"],
                profile=effective,
                place=place(self.file, entry.marks["id"]),
                platform=first.platform,
                recipients=first.recipients,
                endpoint_key=first.endpoint_key,
                host=first.host,
                hermes_home=first.hermes_home,
                hermes_profile=self._value(entry, "hermes_profile"),
                tags=tuple(self._value(entry, "tags") or ()),
                origins=Origins(
                    self.file,
                    self._paths.shared(path for path, _ in own),
                    (position for _, position in own),
                    ChainMap(dict(file_origins), base) if file_origins else base,  # type: ignore[arg-type]
                ),
                machine=first.name,
                more_machines=more,
                lost_machines=lost,
                email=entry.get("email"),
                external_id=entry.get("external_id"),
            )
        )

    def _machines(
        self, entry: Map, listed: tuple[str, ...]
    ) -> tuple[Machine, tuple[Machine, ...], tuple[Machine, ...]]:
        """The first machine in use, the further ones, and the lost ones. An entry without own keys begins with its list."""
        own = self._machine(entry, entry.get("machine"), listed)
        every = [
            self._machine(each, each["name"], each.get("recipients") or ()) for each in entry.get("machines") or ()
        ]
        used = [each for each in every if not each.lost]
        lost = [each for each in (own, *every) if each.lost]
        if own.lost or (used and not (own.name or own.recipients or own.endpoint_key or own.host)):
            own = used.pop(0) if used else Machine(None, own.platform, hermes_home=own.hermes_home)
        return own, tuple(used), tuple(lost)

    def _machine(self, entry: Map, name: str | None, recipients: Iterable[str]) -> Machine:
        return Machine(
            name,
            Platform(self._value(entry, "platform") or Platform.LINUX),
            tuple(dict.fromkeys(recipients)),
            entry.get("endpoint_key"),
            entry.get("host"),
            self._value(entry, "hermes_home"),
            entry.get("lost"),
        )

    def _named_machines(self, entry: Map) -> Iterator[tuple[Map, str]]:
        """The machines of an entry in use, and how messages call each. Two with one name are a problem."""
        seen = {entry.get("machine")}
        if not entry.get("lost"):
            yield entry, machine_label(entry["id"], entry.get("machine"))
        for each in entry.get("machines") or ():
            if each["name"] in seen:
                message = f"user {quoted(entry['id'])} has two machines with the name {quoted(each['name'])}"
                at = place(self.file, each.marks["name"])
                self.problems.append(Problem("machine-twice", message, at, "give each machine its own name"))
            seen.add(each["name"])
            if not each.get("lost"):
                yield each, machine_label(entry["id"], each["name"])

    def _errors_since(self, before: int) -> bool:
        return any(p.severity is Severity.ERROR for p in self.problems[before:])

    def _recipients(self, entry: Map) -> tuple[tuple[str, ...], Mapping[str, Place]] | None:
        listed, file = entry.get("recipients"), entry.get("recipients_file")
        user = entry["id"]
        if listed is not None and file is not None:
            self._problem(
                entry,
                "recipients_file",
                "recipients-twice",
                "both recipients and recipients_file are set",
                hint="keep one of them",
            )
            return None
        if file is not None:
            found = self.recipients_file(file, place(self.file, entry.marks["recipients_file"]))
            if isinstance(found, Problem):
                self.problems.append(found)
                return None
            return found
        if listed is None and entry.get("machines"):
            return (), EMPTY
        if listed is None:
            hint = "run `provision enroll` on the user's machine, or set `recipients: []` until the user enrolls"
            self._problem(
                entry,
                "id",
                "no-recipients",
                f"user {quoted(user)} has no recipients: the bundle could not be opened",
                hint=hint,
            )
            return None
        if not listed and not entry.get("lost") and not any(m.get("recipients") for m in entry.get("machines") or ()):
            message = f"user {quoted(user)} has not enrolled yet: no bundle can be sealed"
            hint = "run `provision enroll` on the user's machine: it prints the recipient"
            self._problem(entry, "recipients", "not-enrolled", message, hint=hint, severity=Severity.WARNING)
        return tuple(dict.fromkeys(listed)), EMPTY

    def _endpoint_key(self, entry: Map, owner: str) -> None:
        """One endpoint key for two machines could sign the receipts of both."""
        key = entry.get("endpoint_key")
        if key is None:
            return
        first = self._endpoint_keys.setdefault(key.split()[1], owner)
        if first != owner:
            message = f"endpoint_key of {quoted(owner)} is that of {quoted(first)}: each could sign for the other"
            hint = "run `provision enroll` as each user, and write each output to its own entry"
            self._problem(entry, "endpoint_key", "endpoint-key-twice", message, hint=hint)

    def _host(self, entry: Map, owner: str) -> None:
        host = entry.get("host")
        if host is None:
            return
        key = (host.casefold(), self._value(entry, "hermes_home"), self._value(entry, "hermes_profile"))
        first = self._hosts.setdefault(key, owner)
        if first != owner:
            message = f"host {quoted(host)} is listed twice: also for {quoted(first)}"
            hint = "give each user of one machine its own hermes_home"
            self._problem(entry, "host", "host-twice", message, hint=hint)

    def _profile(self, entry: Map) -> tuple[EffectiveProfile, InheritedProfile] | None:
        name = self._value(entry, "profile")
        if name is None:
            self._problem(
                entry,
                "id",
                "missing-key",
                f"user {quoted(entry['id'])} has no profile",
                hint=spelling_hint("", self.profiles.names),
            )
            return None
        if not self._known_profile(entry, name):
            return None
        inherited = self.profiles.inherit(name)
        if inherited is None:
            return None
        overrides = entry.get("overrides")
        if self.defaults.get("overrides"):
            overrides = _merge_overrides(self.defaults["overrides"], overrides or {})
        effective = self.effective.build(inherited, overrides)
        if effective is None:
            self._no_model(entry, inherited)
            return None
        return effective, inherited

    def _known_profile(self, entry: Map, name: str) -> bool:
        if name in self.profiles.layers:
            return True
        if name not in self.profiles.broken:
            at = locate(entry, ["profile"], 0) or locate(self.defaults, ["profile"], 0)
            hint = spelling_hint(name, self.profiles.names)
            self.problems.append(
                Problem("unknown-profile", f"unknown profile {quoted(name)}", place(self.file, at), hint)
            )
        return False

    def _no_model(self, entry: Map, inherited: InheritedProfile) -> None:
        removed = locate(entry, ["overrides", "model"], 0)
        known = (inherited.name, removed)
        if known in self._without_model:
            return
        self._without_model.add(known)
        where = place(self.file, removed) if removed else inherited.origins.get("model", Place(inherited.file, 1, 1))
        message = f"profile {quoted(inherited.name)} sets no model, but user {quoted(entry['id'])} needs one"
        self.problems.append(
            Problem("no-model", message, where, "set `model:` here, in a profile it extends, or in overrides")
        )

    def _base(self, inherited: InheritedProfile) -> Mapping[str, Place]:
        base = self._bases.get(inherited.name)
        if base is None:
            shared = dict(inherited.origins)
            shared.setdefault("base_url", self.profiles.base_url[1])
            own = [(_path(path), position) for path, position in leaves(self.defaults)]
            base = Origins(self.file, tuple(p for p, _ in own), (m for _, m in own), shared) if own else shared
            self._bases[inherited.name] = base
        return base


def _path(path: str) -> str:
    """Return the path of the setting that an override replaces."""
    return path.removeprefix("overrides.")


def _merge_overrides(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a user's overrides over those of the defaults. A null in either still removes the profile's value."""
    result = dict(defaults)
    for key, value in own.items():
        below = result.get(key)
        result[key] = _merge_overrides(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def _explain_default(problem: Problem, defaults: Any) -> Problem:
    if problem.rule != "unknown-key" or not isinstance(defaults, Map):
        return problem
    for key in UserEntry.model_fields.keys() - Defaults.model_fields.keys():
        if problem.message.endswith(f"'{key}'"):
            return Problem(
                problem.rule,
                f"'{key}' belongs to one user and cannot have a default",
                problem.place,
                "move it to the users",
            )
    return problem
