"""Read users' public keys: from the output of `provision enroll` (YAML or JSON), from tables, and from
`https://HOST/USER.keys`, where code hosts publish a user's SSH keys.

An address proves only what the operator of the host says: its keys are trusted on first use, unless the operator has their
fingerprints from another channel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from provision.enrolment.policy import BadEnrolmentError, Candidate, parse_candidate
from provision.errors import Place
from provision.files import read_bounded
from provision.fleet.inventory import LIST_SEPARATOR
from provision.formats.csv_reader import read_csv
from provision.formats.located import BrokenTextError, Map, place, without_positions
from provision.formats.shell_output import shell_bytes
from provision.formats.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 64 << 20
MAX_KEYS_BYTES = 256 << 10
_COLUMNS = ("id", "recipients", "endpoint_key", "platform", "host", "machine")
_OTHER_NAMES = {"user": "id", "recipient": "recipients", "key": "recipients"}
_PLATFORMS = {"linux", "macos", "windows"}

Fetch = Callable[[str, int], bytes]
"""Takes an address and a maximum of bytes, returns the content."""


def sources_in(source: str) -> list[str]:
    """The files of a folder, each a source of its own; any other source itself. Raises BadEnrolmentError for an empty folder."""
    path = Path(source)
    if "://" in source or not path.is_dir():
        return [source]
    files = sorted(str(p) for p in path.iterdir() if p.suffix in {".yaml", ".yml", ".json", ".csv"})
    if not files:
        raise BadEnrolmentError(f"{source} has no enrolments", hint="expected files that end in .yaml, .json or .csv")
    return files


def read_candidates(source: str, fetch: Fetch, *, follow: bool = True) -> Iterator[Candidate]:
    """Read every candidate at a source. Raises BadEnrolmentError and FileProblemError.

    A source is a file, `https://HOST/USER.keys`, or `USER=https://…` when the host knows the user by another name. `follow`
    False refuses a file that is a link.
    """
    if "://" in source:
        yield _published(source, fetch)
        return
    path = Path(source)
    if not follow and path.is_symlink():
        raise BadEnrolmentError(f"{path} is a link", hint="put the file itself there")
    yield from _file(path, follow=follow)


def _published(source: str, fetch: Fetch) -> Candidate:
    name, equals, address = source.partition("=")
    if not equals or "/" in name:
        address = source
        name = unquote(urlsplit(source).path).rstrip("/").rpartition("/")[2].removesuffix(".keys")
    user = name.strip().lower()
    if not user:
        raise BadEnrolmentError(f"{source} does not name a user", hint="use USER=https://HOST/NAME.keys")
    try:
        lines = fetch(address, MAX_KEYS_BYTES).decode("ascii").splitlines()
    except UnicodeDecodeError as e:
        raise BadEnrolmentError(f"{address} is not a list of SSH keys") from e
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return parse_candidate(user, keys, None, address, lenient=True)


def _file(path: Path, *, follow: bool) -> Iterator[Candidate]:
    try:
        data = shell_bytes(read_bounded(path, MAX_BYTES, follow=follow))
    except FileNotFoundError as e:
        raise BadEnrolmentError(
            f"{path} not found", hint="expected output of `provision enroll`, a CSV file, or https://HOST/USER.keys"
        ) from e
    if path.suffix.lower() == ".csv":
        yield from _csv(data, str(path))
        return
    root, problems = read_yaml(data, str(path))
    if problems:
        first = problems[0]
        raise BadEnrolmentError(first.message, hint=first.hint, place=first.place)
    entries = root.get("users", [root]) if isinstance(root, dict) else root
    if not isinstance(entries, list):
        raise BadEnrolmentError(f"{path} is not output of `provision enroll`")
    for entry in entries:
        yield _entry(entry, str(path))


def _entry(entry: Any, file: str) -> Candidate:
    if not isinstance(entry, Map) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise BadEnrolmentError(
            "an enrolment has no user id",
            hint="run `provision enroll --user ID` on the machine",
            place=Place(file),
        )
    where = place(file, entry.marks["id"])
    fields: dict[str, Any] = without_positions(entry)
    recipients = fields.get("recipients")
    if not isinstance(recipients, list) or not all(isinstance(each, str) for each in recipients):
        raise BadEnrolmentError(f"{fields['id']}: recipients must be a list of keys", place=where)
    return parse_candidate(
        fields["id"],
        recipients,
        _text(fields, "endpoint_key", where),
        file,
        place=where,
        platform=_platform(_text(fields, "platform", where), where),
        host=_text(fields, "host", where),
        machine=_text(fields, "machine", where),
    )


def _text(fields: dict[str, Any], name: str, where: Place) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise BadEnrolmentError(f"{fields['id']}: {name} must be text", place=where)
    return value or None


def _platform(value: str | None, where: Place) -> str | None:
    if value is not None and value not in _PLATFORMS:
        raise BadEnrolmentError("invalid platform: expected linux, macos or windows", place=where)
    return value


def _csv(data: bytes, file: str) -> Iterator[Candidate]:
    try:
        rows = read_csv(data, file)
        header = next(rows, None)
        if header is None:
            return
        names = [_OTHER_NAMES.get(cell.text.strip().lower(), cell.text.strip().lower()) for cell in header]
        if not {"id", "recipients"} <= set(names) or len(set(names)) != len(names) or set(names) - set(_COLUMNS):
            raise BadEnrolmentError(
                "invalid columns for an enrolment",
                hint=f"use id and recipients (separated by {LIST_SEPARATOR!r}), and any of: {', '.join(_COLUMNS[2:])}",
                place=Place(file, 1),
            )
        for row in rows:
            cells = dict(zip(names, (cell.text.strip() for cell in row), strict=False))
            where = place(file, row[0].mark)
            yield parse_candidate(
                cells.get("id", ""),
                [part.strip() for part in cells.get("recipients", "").split(LIST_SEPARATOR) if part.strip()],
                cells.get("endpoint_key") or None,
                file,
                place=where,
                platform=_platform(cells.get("platform") or None, where),
                host=cells.get("host") or None,
                machine=cells.get("machine") or None,
            )
    except BrokenTextError as e:
        raise BadEnrolmentError(e.problem.message, hint=e.problem.hint, place=e.problem.place) from e
