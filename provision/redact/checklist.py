"""Answer the guide's security checklist: five questions, each pass, fail or cannot tell, with evidence and a fix. Pure.

1 the API key is hidden · 2 the full `.env` is hidden · 3 configuration that shows a key is hidden · 4 a key that was exposed
is rotated · 5 a public demo uses a fresh key. A file that could not be read makes 1 to 3 "cannot tell", never a pass; a key
that is not a known key of the fleet makes 4 and 5 "cannot tell".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.containers.blob import LINK_TARGET, OWN_NAME
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from provision.detect.known_key import KnownKey


class ChecklistAnswer(StrEnum):
    PASS = "pass"  # noqa: S105  an answer, not a password
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


WORST_FIRST = (ChecklistAnswer.FAIL, ChecklistAnswer.CANNOT_TELL, ChecklistAnswer.PASS)


class ShownIn(StrEnum):
    """The kind of text that shows a value: a `.env` (or a line like those in one), configuration, or anything else."""

    ENV = "env"
    CONFIG = "config"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ExposedSecret:
    """A secret that can be read. `tag` is equal for equal secrets and reveals nothing; `sure` False: a person must check it."""

    file: str
    where: str
    rule: str
    tag: str
    shown_in: ShownIn
    known: KnownKey | None = None
    sure: bool = True
    path: str = ""
    """The file to redact; empty if it is not a file of its own. `file` may add the name of a member, and has no secret."""
    path_is_secret: bool = False
    """Whether the path shows a secret, so that no command can name it."""
    pictured: bool = False
    """Whether `where` is a spot in a picture, a page or a video."""


@dataclass(frozen=True, slots=True)
class NotExamined:
    """Something that could not be read, or not well enough to call it clean."""

    file: str
    where: str
    message: str
    cure: str = ""
    pictured: bool = False
    holds_secret: bool = False
    """Whether a secret was found in it that cannot be masked there: `cure` takes the place of a command."""


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """What vault and event log say about a key. `replaced` and `retired` are days, None if the log does not have them."""

    user: str
    stage: str
    demo_until: date | None = None
    replaced: date | None = None
    retired: date | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """Vault and event log. `keys` is by fingerprint; `doubt` says why the log is not trusted, "" if it is.

    `current` has the fingerprint of each maker's current key (None: no current key), for the users named as makers.
    """

    keys: Mapping[str, KeyHistory]
    doubt: str = ""
    current: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about a reason: in words, or with a command. Equal commands are one, with all their operands."""

    title: str
    command: str = ""
    operand: str = ""
    """A word of the command, quoted for the shell."""
    is_path: bool = False
    """Whether the operand is a file, so that the command takes a folder above it too."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a verdict: where, what, and the command that fixes it. Holds no secret."""

    file: str
    where: str
    message: str
    cure: str
    verdict: ChecklistAnswer
    remedy: Remedy | None = None
    """`cure`, as it is said once for all that need the same; None: in the words of `cure`."""
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class PrintedCommands:
    """How printed commands begin, with the options that this run had."""

    mask: str = "provision redact --in-place"
    rotate: str = "provision rotate leaked"


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One of the five questions, answered."""

    number: int
    title: str
    verdict: ChecklistAnswer
    evidence: tuple[Evidence, ...]


TITLES = (
    "the API key is hidden",
    "the full .env is hidden",
    "configuration that shows a key is hidden",
    "every key that was exposed is rotated",
    "a public demo uses a fresh key",
)


def answer_checklist(
    exposed: Sequence[ExposedSecret],
    unread: Sequence[NotExamined],
    records: Records | None,
    today: date,
    commands: PrintedCommands = PrintedCommands(),
) -> tuple[ChecklistItem, ...]:
    """Return the five answers. `records` None: neither vault nor event log is available."""
    doubts = [
        Evidence(
            u.file, u.where, u.message, u.cure or "check it by eye", ChecklistAnswer.CANNOT_TELL, pictured=u.pictured
        )
        for u in unread
    ]
    refused = {u.file: u.cure for u in unread if u.holds_secret}
    shown = [(_exposed(s, commands.mask, refused), s.shown_in) for s in exposed]
    hidden = [
        _item(number, [*(e for e, shown_in in shown if kind in (None, shown_in)), *doubts])
        for number, kind in enumerate((None, ShownIn.ENV, ShownIn.CONFIG), 1)
    ]
    rotated = _rotated(exposed, records, commands.rotate)
    return (*hidden, _item(4, rotated), _item(5, _fresh(exposed, records, today)))


def _item(number: int, evidence: Iterable[Evidence]) -> ChecklistItem:
    found = tuple(sorted(evidence, key=lambda each: WORST_FIRST.index(each.verdict)))
    verdicts = {each.verdict for each in found}
    verdict = next((v for v in WORST_FIRST if v in verdicts), ChecklistAnswer.PASS)
    return ChecklistItem(number, TITLES[number - 1], verdict, found)


def _exposed(secret: ExposedSecret, mask: str, refused: Mapping[str, str]) -> Evidence:
    whose = f"the {secret.known.stage} key of {secret.known.user}" if secret.known else f"a secret ({secret.rule})"
    if not secret.sure:
        message, verdict = f"possibly {whose}", ChecklistAnswer.CANNOT_TELL
    else:
        message, verdict = f"{whose} can be read", ChecklistAnswer.FAIL
    cure, remedy = (refused[secret.file], None) if secret.file in refused else _hiding(secret, mask)
    return Evidence(secret.file, secret.where, message, cure, verdict, remedy, secret.pictured)


def _hiding(secret: ExposedSecret, mask: str) -> tuple[str, Remedy | None]:
    file = secret.path or secret.file.partition("!")[0]
    if secret.where == OWN_NAME:
        return "rename it", Remedy("rename what shows a secret in its own name")
    if secret.where == LINK_TARGET:
        return "remove the link", Remedy("remove links whose target shows a secret")
    if secret.where.startswith("commit "):
        return "history keeps it: publish a copy without history, and rotate the key", None
    if secret.path_is_secret:
        return "rename it, then run checklist again", None  # a command would show the secret in the name
    command = f"{mask} {shell_path(file)}"
    remedy = Remedy("mask what can be read", mask, shell_path(file), is_path=True)
    if secret.shown_in is ShownIn.ENV and file == secret.file and _is_env(file):
        return (
            f"do not publish it (`git rm --cached {shell_path(file)}`, and add it to .gitignore), or: {command}",
            remedy,
        )
    return command, remedy


def _is_env(file: str) -> bool:
    name = file.replace("\\", "/").rpartition("/")[2]
    return name.startswith(".env") or name.endswith(".env")


def _rotated(exposed: Sequence[ExposedSecret], records: Records | None, rotate: str) -> Iterator[Evidence]:
    for secret in _once(exposed):
        at = (secret.file, secret.where)
        if secret.known is None:
            message = f"not a known key of the fleet ({secret.rule}): no record of a rotation"
            cure = "find its owner, revoke it at its provider, then import the new key into the vault"
            yield Evidence(*at, message, cure, ChecklistAnswer.CANNOT_TELL)
            continue
        history = records.keys.get(secret.known.fingerprint) if records else None
        if history is None:
            whose = f"the key of {secret.known.user}"
            yield Evidence(
                *at,
                f"{whose}: no vault found, so its state is unknown",
                "run this in the workspace",
                ChecklistAnswer.CANNOT_TELL,
            )
        else:
            message, cure, verdict = _history(history, records.doubt if records else "")
            if verdict is ChecklistAnswer.FAIL:
                remedy = Remedy("replace exposed keys that are not retired", rotate, secret.known.fingerprint)
                yield Evidence(*at, message, f"{rotate} {secret.known.fingerprint}", verdict, remedy)
            else:
                yield Evidence(*at, message, cure, verdict)


def _history(key: KeyHistory, doubt: str) -> tuple[str, str, ChecklistAnswer]:
    whose = f"the key of {key.user}"
    if key.stage == "retired":
        if doubt:
            return f"{whose} is retired, but {doubt}", "provision keys log --verify", ChecklistAnswer.CANNOT_TELL
        when = f" on {key.retired}" if key.retired else ""
        return f"{whose} was rotated and is retired{when}", "", ChecklistAnswer.PASS
    if key.stage == "previous":
        when = f" on {key.replaced}" if key.replaced else ""
        return f"{whose} was replaced{when}, but it is not proven to be revoked", "", ChecklistAnswer.FAIL
    return f"{whose} is in use ({key.stage})", "", ChecklistAnswer.FAIL


def _fresh(exposed: Sequence[ExposedSecret], records: Records | None, today: date) -> Iterator[Evidence]:
    shown = [s for s in _once(exposed) if s.known is not None]
    made_by = dict(records.current or {}) if records else {}
    for secret in shown:
        known = secret.known
        history = records.keys.get(known.fingerprint) if records and known else None
        if history is None:
            message, cure = "a key of the fleet: no vault found, so its state is unknown", "run this in the workspace"
            yield Evidence(secret.file, secret.where, message, cure, ChecklistAnswer.CANNOT_TELL)
        else:
            yield Evidence(secret.file, secret.where, *_demo(history, today))
    for user, fingerprint in made_by.items():
        history = records.keys.get(fingerprint) if records and fingerprint else None
        if history is None:
            yield Evidence("", "", f"{user} has no current key", "provision keys list", ChecklistAnswer.CANNOT_TELL)
        else:
            yield Evidence("", "", *_demo(history, today))
    if not shown and not made_by:
        message = "no key of the fleet is visible, so the key that was used is unknown"
        yield Evidence("", "", message, "name who made it: --user USER", ChecklistAnswer.CANNOT_TELL)


def _demo(key: KeyHistory, today: date) -> tuple[str, str, ChecklistAnswer]:
    make = "import a new key for the demo: provision keys import FILE --demo-until DATE"
    if key.demo_until is None:
        return f"the key of {key.user} is not a demo key", make, ChecklistAnswer.FAIL
    if today > key.demo_until:
        return f"the demo key of {key.user} expired on {key.demo_until}", make, ChecklistAnswer.FAIL
    return f"the key of {key.user} is a demo key until {key.demo_until}", "", ChecklistAnswer.PASS


def _once(exposed: Iterable[ExposedSecret]) -> list[ExposedSecret]:
    """The first place of each secret. Secrets that a person must check first do not count as exposed."""
    first: dict[str, ExposedSecret] = {}
    for secret in exposed:
        if secret.sure:
            first.setdefault(secret.known.fingerprint if secret.known else secret.tag, secret)
    return list(first.values())
