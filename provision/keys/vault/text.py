"""The text format of `keys.vault`, v1: parse and serialize. Documented in docs/vault.md.

Strict on purpose: one spelling per value, sorted lines, no unknown fields. So parse and serialize are inverse, a diff shows
only what changed, and an older provision never drops data of a newer one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from provision.errors import Place, ProvisionError
from provision.keys.vault.ledger import STAGES_HELD_ONCE, KeyVersion, Ledger, Stage, VaultLine

FIRST_LINE = "provision-vault/v1"
_RESTORE = "restore the last good one: git log -p keys.vault; git checkout COMMIT -- keys.vault"
_HEADER = {
    "workspace": re.compile(r"[0-9a-f]{32}"),
    "generation": re.compile(r"0|[1-9][0-9]{0,11}"),
    "salt": re.compile(r"[0-9a-f]{32}"),
    "log": re.compile(r"-|([1-9][0-9]{0,11}) ([0-9a-f]{64})"),
    "operator": re.compile(r"\S.*\S"),
    "recovery": re.compile(r"\S.*\S"),
    "datakey": re.compile(r"[A-Za-z0-9+/]+={0,2}"),
}
_ORDER = tuple(_HEADER)
_REPEATED = ("operator", "recovery")
_OPTIONAL = ("recovery",)
_KEY = re.compile(
    r"key ([a-z0-9._-]{1,128}) ([1-9][0-9]{0,5}) (pending|current|previous|retired) (fp_[a-z2-7]{16})"
    r" (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (-|\d{4}-\d\d-\d\d) ([A-Za-z0-9+/]{30,12000}={0,2})(?: (\S.{0,198}\S|\S))?",
    re.ASCII,
)
_SEAL = re.compile(r"seal ([0-9a-f]{64})")
_CONFLICT = re.compile(r"(?:<{7}|\|{7}|={7}|>{7})(?: |$)")
LABEL_LIMIT = 200
_STAGES = {stage.value: stage for stage in Stage}


class VaultFormatError(ProvisionError):
    """The file is not a vault of this format. Names the line, never quotes it."""

    def __init__(self, reason: str, place: Place, hint: str = _RESTORE) -> None:
        super().__init__(reason, place=place, hint=hint)


class VaultConflictError(VaultFormatError):
    """Git left merge conflict markers in the vault."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of the file. `data_key` is an age file in base64.

    `recovery` are the recipients of recovery keys, which open the vault as operators do; `log_head` is the number of lines
    in the event log and the hash of the last one, None when that is not recorded.
    """

    workspace_id: str
    generation: int
    salt: bytes
    operators: tuple[str, ...]
    data_key: str
    recovery: tuple[str, ...] = ()
    log_head: tuple[int, str] | None = None


class SealedVault(Ledger):
    """A vault that is not opened. Its content is not verified: that needs an operator's identity."""

    def __init__(self, header: Header, lines: dict[str, tuple[VaultLine, ...]], digest: bytes, seal: str) -> None:
        super().__init__(lines)
        self.header = header
        self.digest = digest
        self.seal = seal

    @property
    def workspace_id(self) -> str:
        """16 random bytes in hex that name this workspace for life."""
        return self.header.workspace_id

    @property
    def generation(self) -> int:
        """Increases by one with every save."""
        return self.header.generation

    @property
    def salt(self) -> bytes:
        """Makes fingerprints specific to this workspace. Not a secret."""
        return self.header.salt

    @property
    def operators(self) -> tuple[str, ...]:
        """The recipients of the operators, with their comments."""
        return self.header.operators


def sealed_to(vault: SealedVault) -> tuple[str, ...]:
    """All who open the vault: the operators and the recovery keys. Other secrets of operators are sealed to the same."""
    return (*vault.header.operators, *vault.header.recovery)


def serialise(header: Header, lines: dict[str, tuple[VaultLine, ...]]) -> bytes:
    """Serialize everything except the seal line. The seal covers exactly these bytes."""
    log = "{} {}".format(*header.log_head) if header.log_head else "-"
    out = [FIRST_LINE, f"workspace {header.workspace_id}", f"generation {header.generation}"]
    out += [f"salt {header.salt.hex()}", f"log {log}"]
    out += [f"operator {operator}" for operator in header.operators]
    out += [f"recovery {recipient}" for recipient in header.recovery]
    out.append(f"datakey {header.data_key}")
    out += [_key_line(line) for user in sorted(lines) for line in lines[user]]
    return ("\n".join(out) + "\n").encode()


def _key_line(line: VaultLine) -> str:
    known = line.known
    created = known.created.isoformat()[:19] + "Z"
    until = known.demo_until.isoformat() if known.demo_until else "-"
    head = f"key {known.user} {known.version} {known.stage.value} {known.fingerprint} {created} {until} {line.sealed}"
    return f"{head} {known.label}" if known.label else head


def is_valid_label(label: str) -> bool:
    """Whether a label is valid: printable, no spaces around it, at most 200 characters. Empty is valid."""
    return len(label) <= LABEL_LIMIT and label.isprintable() and label == label.strip()


def parse_vault(data: bytes, name: str) -> SealedVault:
    """Parse a vault. `name` is the file name in errors. Raises VaultFormatError with the line."""
    text = _text(data, name)
    rows = text.split("\n")
    if rows[0] != FIRST_LINE:
        _refuse_first_line(rows[0], name)
    if rows[-1] != "":
        raise VaultFormatError("the last line is incomplete", Place(name, len(rows)))
    rows.pop()
    seal = _SEAL.fullmatch(rows[-1])
    header, at = _header(rows, name)
    lines = _lines(rows, at, name)
    if seal is None:
        raise VaultFormatError("the last line is not the seal", Place(name, len(rows)))
    body = data[: len(data) - len(rows[-1]) - 1]
    return SealedVault(header, lines, hashlib.sha256(body).digest(), seal[1])


WORKSPACE_LINES_BYTES = len(f"{FIRST_LINE}\nworkspace \n") + 32
"""The length of the first two lines, which `parse_workspace_id` needs."""


def parse_workspace_id(head: bytes, name: str) -> str:
    """The workspace's id from a vault's first two lines. Raises VaultFormatError with the line."""
    first, _, second = head.decode("ascii", "replace").partition("\n")
    if first != FIRST_LINE:
        _refuse_first_line(first, name)
    match = re.fullmatch(r"workspace ([0-9a-f]{32})\n", second)
    if match is None:
        raise VaultFormatError("the header's `workspace` is damaged or missing", Place(name, 2))
    return match[1]


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise VaultFormatError("not UTF-8", Place(name, data[: e.start].count(b"\n") + 1)) from None
    if "\r\n" in text:
        raise VaultFormatError(
            "the file has Windows line ends",
            Place(name, 1),
            "add the line `keys.vault -text` to .gitattributes, then check the file out again",
        )
    if not text.replace("\n", "").isprintable():
        number = next(n for n, row in enumerate(text.split("\n"), 1) if not row.isprintable())
        raise VaultFormatError("unprintable character", Place(name, number))
    for mark in ("\n<<<<<<<", "\n=======", "\n>>>>>>>", "\n|||||||"):
        if (at := text.find(mark)) >= 0:
            raise VaultConflictError(
                "git left a merge conflict here; a text editor cannot resolve it, because the seal covers all lines",
                Place(name, text.count("\n", 0, at) + 2),
                "git show MERGE_HEAD:keys.vault > theirs.vault; git checkout --ours keys.vault;"
                " provision keys merge theirs.vault; git add keys.vault",
            )
    return text


def _refuse_first_line(row: str, name: str) -> None:
    if row.startswith("provision-vault/"):
        raise VaultFormatError(
            "written by a newer provision",
            Place(name, 1),
            "update provision with the newer wheel or zipapp that IT built (docs/releases.md)",
        )
    if _CONFLICT.match(row):
        _text(b"\n" + row.encode(), name)
    raise VaultFormatError("not a vault file", Place(name, 1))


def _header(rows: list[str], name: str) -> tuple[Header, int]:
    values: dict[str, list[str]] = {field: [] for field in _HEADER}
    expected, at = 0, 1
    while at < len(rows):
        field, _, value = rows[at].partition(" ")
        if field in ("key", "seal"):
            break
        place = Place(name, at + 1)
        if field not in _HEADER:
            raise VaultFormatError(
                "unknown field in the header",
                place,
                "update provision if a newer version wrote this; otherwise " + _RESTORE,
            )
        position = _ORDER.index(field)
        if position < expected or not _HEADER[field].fullmatch(value):
            raise VaultFormatError(f"the header's `{field}` is damaged or out of place", place)
        expected = position if field in _REPEATED else position + 1
        values[field].append(value)
        at += 1
    for field, found in values.items():
        if not found and field not in _OPTIONAL:
            raise VaultFormatError(f"the header has no `{field}`", Place(name, min(at, len(rows))))
    count, _, sha256 = values["log"][0].partition(" ")
    header = Header(
        workspace_id=values["workspace"][0],
        generation=int(values["generation"][0]),
        salt=bytes.fromhex(values["salt"][0]),
        operators=tuple(values["operator"]),
        data_key=values["datakey"][0],
        recovery=tuple(values["recovery"]),
        log_head=(int(count), sha256) if sha256 else None,
    )
    return header, at


def _lines(rows: list[str], first: int, name: str) -> dict[str, tuple[VaultLine, ...]]:
    lines: dict[str, tuple[VaultLine, ...]] = {}
    last_user, last_version = "", 0
    for number in range(first, len(rows) - 1):
        line = _line(rows[number], name, number + 1)
        known = line.known
        others = lines.get(known.user, ()) if known.user == last_user else ()
        if known.user < last_user or (others and known.version <= last_version):
            again = others and known.version == last_version
            what = "duplicate key version" if again else "line out of order"
            raise VaultFormatError(f"{what} ({known.user} {known.version})", Place(name, number + 1))
        last_user, last_version = known.user, known.version
        if others and known.stage in STAGES_HELD_ONCE and any(o.known.stage is known.stage for o in others):
            raise VaultFormatError(f"a second {known.stage} key of {known.user}", Place(name, number + 1))
        lines[known.user] = (*others, line)
    return lines


def _line(row: str, name: str, number: int) -> VaultLine:
    match = _KEY.fullmatch(row)
    if match is None:
        raise VaultFormatError("invalid line", Place(name, number))
    user, version, stage, fingerprint, created, until, sealed, label = match.groups()
    try:
        known = KeyVersion(
            user,
            int(version),
            _STAGES[stage],
            fingerprint,
            datetime.fromisoformat(created),
            label or "",
            None if until == "-" else date.fromisoformat(until),
        )
    except ValueError:
        raise VaultFormatError("invalid date", Place(name, number)) from None
    return VaultLine(known, sealed)


def utc_seconds(moment: datetime) -> datetime:
    """A time as the vault stores it: UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0)
