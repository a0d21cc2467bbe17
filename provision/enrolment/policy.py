"""Compare users' public keys that came in with the inventory, and decide what the operator has to confirm.

No key is accepted because it arrived. Each key is shown by its fingerprint and accepted only when the operator confirms that it
belongs to that user: at the prompt, or with a list of fingerprints collected over another channel. A confirmation without such
a comparison is *trust on first use* and is called so. Keys in the inventory are never replaced silently: whoever can replace
them reads the user's API key after the next render.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.errors import Place, ProvisionError
from provision.fleet.desired import machine_label
from provision.fleet.names import ENDPOINT_KEY, HOST, ID, id_refusal
from provision.keys.recipients import BadRecipientError, parse_recipient

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from provision.fleet.desired import DesiredState

_ENDPOINT_KEY = re.compile(ENDPOINT_KEY)


class BadEnrolmentError(ProvisionError):
    """An enrolment from a user's machine is not valid."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user's public keys as they came in. `recipients` and `endpoint_key` are validated and normalized."""

    user: str
    recipients: tuple[str, ...]
    endpoint_key: str | None
    source: str
    place: Place | None = None
    platform: str | None = None
    host: str | None = None
    skipped: tuple[str, ...] = ()
    """Keys of types that cannot be encrypted to, and why."""
    machine: str | None = None
    """The name of the machine, if its user has several."""

    @property
    def label(self) -> str:
        """The user, and the machine if it has a name."""
        return machine_label(self.user, self.machine)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all its keys."""
        keys = (*self.recipients, *((self.endpoint_key,) if self.endpoint_key else ()))
        return tuple(key_fingerprint(key) for key in keys)

    @property
    def words(self) -> str:
        """The words that stand for all its keys together."""
        return key_words((*self.recipients, *((self.endpoint_key,) if self.endpoint_key else ())))


class EnrolmentChange(StrEnum):
    """What accepting a candidate would change in the inventory."""

    NEW_USER = "new user"
    NEW_MACHINE = "new machine"
    FIRST = "first keys"
    ENDPOINT_KEY = "endpoint key added"
    UNCHANGED = "unchanged"
    DIFFERENT = "different keys"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EnrolmentReview:
    """A candidate compared with the inventory. `before` holds the fingerprints that are in the inventory now."""

    candidate: Candidate
    change: EnrolmentChange
    before: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class InventoryKeys:
    """The keys that the inventory has for a user's first machine, and those of the further ones by name."""

    recipients: frozenset[str]
    endpoint_key: str | None
    from_file: bool
    fingerprints: tuple[str, ...] = field(default=())
    machine: str | None = None
    more: Mapping[str, InventoryKeys] = field(default_factory=dict)

    def is_first(self, machine: str | None) -> bool:
        """Whether a machine of this name is, or becomes, the first one: it has that name, or has no keys and no name yet."""
        unused = self.machine is None and not self.recipients and self.endpoint_key is None and machine not in self.more
        return machine is None or machine == self.machine or unused


def key_fingerprint(key: str) -> str:
    """`SHA256:…` of a public key: for SSH keys as `ssh-keygen -l` prints it, for age recipients the SHA-256 of their text."""
    words = key.split()
    data = base64.b64decode(words[1]) if words[0].startswith("ssh-") else words[0].encode()
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def key_words(keys: Sequence[str]) -> str:
    """All keys of an enrolment as five short words to read aloud, such as `lusab-babad-gutih-tugad-bahin`.

    80 bits of the SHA-256 of the sorted keys, as proquints (https://arxiv.org/html/0901.4016): each word is 16 bits,
    consonants and vowels in turn, so that a misheard word shows.
    """
    digest = hashlib.sha256("\n".join(sorted(_bare(key) for key in keys)).encode()).digest()
    return "-".join(_proquint(int.from_bytes(digest[at : at + 2], "big")) for at in range(0, 10, 2))


def _proquint(number: int) -> str:
    consonants, vowels = "bdfghjklmnprstvz", "aiou"
    steps = ((12, consonants), (10, vowels), (6, consonants), (4, vowels), (0, consonants))
    return "".join(letters[number >> shift & len(letters) - 1] for shift, letters in steps)


def parse_candidate(
    user: str,
    recipients: Sequence[str],
    endpoint_key: str | None,
    source: str,
    *,
    place: Place | None = None,
    platform: str | None = None,
    host: str | None = None,
    machine: str | None = None,
    lenient: bool = False,
) -> Candidate:
    """Validate a candidate given as text. Raises BadEnrolmentError.

    With `lenient`, keys that cannot be encrypted to are skipped, as in lists of SSH keys made for other purposes; else they are
    errors.
    """
    if not re.match(ID, user) or id_refusal(user):
        raise BadEnrolmentError(
            f"invalid user id {user[:64]!r}", hint="use a-z, 0-9, '.', '_' and '-', at most 64 characters", place=place
        )
    if machine is not None and (not re.match(ID, machine) or id_refusal(machine)):
        raise BadEnrolmentError(f"{user}: invalid machine name {machine[:64]!r}", place=place)
    if host is not None and not re.match(HOST, host):
        raise BadEnrolmentError(f"{user}: invalid host name", place=place)
    accepted: dict[str, None] = {}
    skipped = []
    for text in recipients:
        try:
            parsed = parse_recipient(text)
        except BadRecipientError as e:
            if lenient:
                skipped.append(e.message)
                continue
            raise BadEnrolmentError(f"{user}: {e.message}", hint=e.hint, place=place) from e
        accepted[f"{parsed.text} {parsed.comment}".strip()[:300]] = None
    if endpoint_key is not None and not _ENDPOINT_KEY.match(endpoint_key):
        raise BadEnrolmentError(
            f"{user}: endpoint_key is not an ssh-ed25519 public key",
            hint="use the endpoint_key that `provision enroll` prints",
            place=place,
        )
    if not accepted:
        why = f" ({'; '.join(dict.fromkeys(skipped))})" if skipped else ""
        raise BadEnrolmentError(f"{user}: no key that a bundle can be encrypted to{why}", place=place)
    return Candidate(user, tuple(accepted), endpoint_key, source, place, platform, host, tuple(skipped), machine)


def inventory_keys(states: Sequence[DesiredState]) -> dict[str, InventoryKeys]:
    """Return the inventory's keys by user."""
    found = {}
    for state in states:
        first = _keys_of(state.recipients, state.endpoint_key)
        named = [*state.more_machines, *(each for each in state.lost_machines if each.name)]
        found[state.user] = replace(
            first,
            from_file=state.origin("recipients").file != state.place.file,
            machine=state.machine,
            more={each.name: _keys_of(each.recipients, each.endpoint_key) for each in named if each.name},
        )
    return found


def _keys_of(recipients: Sequence[str], endpoint_key: str | None) -> InventoryKeys:
    keys = (*recipients, *((endpoint_key,) if endpoint_key else ()))
    return InventoryKeys(
        recipients=frozenset(_bare(text) for text in recipients),
        endpoint_key=_bare(endpoint_key) if endpoint_key else None,
        from_file=False,
        fingerprints=tuple(key_fingerprint(key) for key in keys),
    )


def review_candidate(candidate: Candidate, known: Mapping[str, InventoryKeys]) -> EnrolmentReview:
    """Compare a candidate with the inventory. Pure."""
    there = known.get(candidate.user)
    if there is None:
        return EnrolmentReview(candidate, EnrolmentChange.NEW_USER)
    if not there.is_first(candidate.machine):
        further = there.more.get(candidate.machine or "")
        if further is None:
            return EnrolmentReview(candidate, EnrolmentChange.NEW_MACHINE, there.fingerprints)
        there = further
    wanted = frozenset(_bare(text) for text in candidate.recipients)
    key = _bare(candidate.endpoint_key) if candidate.endpoint_key else None
    same_key = key is None or key == there.endpoint_key
    if wanted <= there.recipients:
        if same_key:
            return EnrolmentReview(candidate, EnrolmentChange.UNCHANGED, there.fingerprints)
        if there.endpoint_key is None:
            return EnrolmentReview(candidate, EnrolmentChange.ENDPOINT_KEY, there.fingerprints)
    if there.from_file:
        return EnrolmentReview(
            candidate,
            EnrolmentChange.REFUSED,
            there.fingerprints,
            "its recipients are in a recipients_file: edit that file",
        )
    if not there.recipients and (same_key or there.endpoint_key is None):
        return EnrolmentReview(candidate, EnrolmentChange.FIRST, there.fingerprints)
    takes = f"{candidate.user}/{there.machine}" if candidate.machine is None and there.machine else ""
    message = (
        f"it has no name, and would take the place of {takes}; if it is another machine: enroll --machine NAME there"
    )
    return EnrolmentReview(candidate, EnrolmentChange.DIFFERENT, there.fingerprints, message if takes else "")


def review_candidates(candidates: Sequence[Candidate], known: Mapping[str, InventoryKeys]) -> list[EnrolmentReview]:
    """Compare candidates with the inventory, each as if new ones before it were accepted: several machines of one user. Pure."""
    now, found = dict(known), []
    for candidate in candidates:
        review = review_candidate(candidate, now)
        found.append(review)
        if review.change not in {EnrolmentChange.DIFFERENT, EnrolmentChange.REFUSED}:
            now[candidate.user] = keys_with(now.get(candidate.user), candidate)
    return found


def keys_with(there: InventoryKeys | None, candidate: Candidate) -> InventoryKeys:
    """The keys of a user once a candidate is written: in the first machine, or in the one with its name."""
    keys = _keys_of(candidate.recipients, candidate.endpoint_key)
    if there is None:
        return replace(keys, machine=candidate.machine)
    if there.is_first(candidate.machine):
        return replace(keys, machine=candidate.machine or there.machine, more=there.more, from_file=there.from_file)
    return replace(there, more={**there.more, candidate.machine or "": keys})


def has_expected_fingerprints(candidate: Candidate, expected: Mapping[str, Collection[str]]) -> bool:
    """Whether the list of what is expected has every key of a candidate for its user, or the words for all of them."""
    listed = set(expected.get(candidate.user, ()))
    return set(candidate.fingerprints) <= listed or candidate.words in listed


HOST_MARK = "host:"


def with_confirmed_host(candidate: Candidate, expected: Mapping[str, Collection[str]]) -> Candidate:
    """The candidate, without its host unless the list of what is expected has it: `deploy` would log in there."""
    named = candidate.host is None or f"{HOST_MARK}{candidate.host}" in expected.get(candidate.user, ())
    return candidate if named else replace(candidate, host=None)


def parse_fingerprints(text: str, file: str) -> dict[str, set[str]]:
    """Parse lines of `USER SHA256:…`, `USER lusab-babad-…` or `USER host:NAME`, separated by blanks or a comma.

    `#` starts a comment.

    Raises BadEnrolmentError.
    """
    found: dict[str, set[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#", 1)[0].strip()
        if not bare:
            continue
        words = bare.replace(",", " ").split()
        last = words[-1] if words else ""
        host = last.removeprefix(HOST_MARK) if last.startswith(HOST_MARK) else None
        is_known = re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}|[a-z]{5}(-[a-z]{5}){4}", last) or (
            host and re.match(HOST, host)
        )
        if len(words) != 2 or not is_known:
            raise BadEnrolmentError(
                "invalid line: expected a user and a fingerprint", hint="ada SHA256:…", place=Place(file, number)
            )
        found.setdefault(words[0], set()).add(words[1])
    return found


def _bare(key: str) -> str:
    return " ".join(key.split()[:2])
