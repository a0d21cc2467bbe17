"""OpenSSH's `allowed_signers` file, as ssh-keygen(1) describes it under ALLOWED SIGNERS.

Only Ed25519 lines can match. Lines for other key types and certificate authorities are valid but match no signature here.
Namespaces and times count as in OpenSSH. What counts there and is not supported here (negated principals, escaped quotes) is an
error, and so is a line that OpenSSH would read in another way than a human. An invalid line is an error with its number and is
never skipped: a typo must not decide who is trusted. An empty list trusts no signer.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from provision.errors import Place, ProvisionError
from provision.signing.sshsig import KEY_TYPE, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ALLOWED_SIGNERS_BYTES = 1 << 20
_KEY_TYPE_WORD = re.compile(r"^(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+$")
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?')
_OPTIONS = {"namespaces", "valid-after", "valid-before", "cert-authority"}
_BLANKS = " \t\r"
_STAMP = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z?)$")


class BadAllowedSignersError(ProvisionError):
    """A line of an allowed_signers file is invalid."""


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line: a key, its owner, its namespaces and its period of validity."""

    principals: str
    key_type: str
    blob: bytes
    namespaces: str | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    authority: bool = False
    comment: str = ""
    listed: bool = False
    """Whether the line comes from a trust list: then no namespace implies another."""
    revoked: str | None = None
    """Why the key was revoked; None if it was not."""

    def refusal(self, namespace: str, now: datetime) -> str | None:
        """Why this line does not allow signatures in `namespace` at `now`; None if it does."""
        if self.revoked is not None:
            return f"its key was revoked ({self.revoked})"
        if self.authority or self.key_type != KEY_TYPE:
            return "only plain Ed25519 keys are accepted"
        if self.namespaces is not None and not _matches(namespace, self.namespaces):
            return f"its line allows only the namespaces {self.namespaces}"
        if self.valid_after is not None and now < self.valid_after:
            return f"its line is valid only after {self.valid_after:%Y-%m-%d %H:%M} UTC"
        if self.valid_before is not None and now > self.valid_before:
            return f"its line was valid only before {self.valid_before:%Y-%m-%d %H:%M} UTC"
        return None


def parse_allowed_signers(text: str, name: str = "allowed_signers") -> tuple[AllowedSigner, ...]:
    """Parse an allowed_signers file, in order. Raises BadAllowedSignersError with the place."""
    if len(text) > MAX_ALLOWED_SIGNERS_BYTES:
        raise BadAllowedSignersError(f"{name} is larger than {MAX_ALLOWED_SIGNERS_BYTES} bytes")
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(_BLANKS)
        try:
            _refuse_odd_characters(stripped)
            if not stripped or stripped.startswith("#"):
                continue
            found.append(_parse_line(stripped))
        except (ValueError, binascii.Error) as e:
            raise BadAllowedSignersError(
                f"invalid signer: {e}",
                place=Place(name, number),
                hint='write: operator namespaces="hermes-provision" ssh-ed25519 AAAA… comment',
            ) from e
    return tuple(found)


def find_trusted_signer(
    signers: Sequence[AllowedSigner], blob: bytes, now: datetime, namespace: str = NAMESPACE
) -> AllowedSigner | str:
    """The line that allows this key to sign, or the reason why none does."""
    why = "its key is not in the list" if signers else "the list of signers is empty"
    for signer in signers:
        if signer.blob == blob:
            refusal = signer.refusal(namespace, now)
            if refusal is None:
                return signer
            why = refusal
    return why


def signer_line(principal: str, public_key_line: str, namespace: str = NAMESPACE) -> str:
    """A line for allowed_signers that allows a key one namespace only."""
    return f'{principal} namespaces="{namespace}" {public_key_line.strip()}\n'


def _parse_line(line: str) -> AllowedSigner:
    principals, rest = _principals(line)
    word = rest.split(None, 1)[0] if rest else ""
    options: dict[str, str] = {}
    if not _KEY_TYPE_WORD.match(word):
        options, rest = _options(rest)
    parts = rest.split(None, 2)
    if len(parts) < 2 or not _KEY_TYPE_WORD.match(parts[0]):
        raise ValueError("expected a key type and a key after the principals and options")
    blob = base64.b64decode(parts[1], validate=True)
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length] != parts[0].encode():
        raise ValueError("the key is not of the type written before it")
    if parts[0] == KEY_TYPE and (len(blob) != 51 or blob[15:19] != b"\0\0\0\x20"):
        raise ValueError("an Ed25519 key has 51 bytes")
    after, before = _stamp(options.get("valid-after")), _stamp(options.get("valid-before"))
    if after is not None and before is not None and before <= after:
        raise ValueError("valid-before is not after valid-after")
    return AllowedSigner(
        principals=principals,
        key_type=parts[0],
        blob=blob,
        namespaces=options.get("namespaces"),
        valid_after=after,
        valid_before=before,
        authority="cert-authority" in options,
        comment=parts[2] if len(parts) > 2 else "",
    )


def _refuse_odd_characters(line: str) -> None:
    """OpenSSH reads a line as a C string, with blanks of ASCII: a NUL would end it, another blank would be part of a word."""
    comment = line.startswith("#")
    for character in line:
        if character == "\0" or (not comment and character not in " \t" and not character.isprintable()):
            raise ValueError(f"character U+{ord(character):04X} is not allowed here")
        if not comment and character.isspace() and character not in " \t":
            raise ValueError(f"blank U+{ord(character):04X} is not allowed here")


def _principals(line: str) -> tuple[str, str]:
    if line.startswith('"'):
        end = line.find('"', 1)
        if end < 0:
            raise ValueError("the quote before the principals is never closed")
        principals, rest = line[1:end], line[end + 1 :]
    else:
        principals, _, rest = line.replace("\t", " ").partition(" ")
        if '"' in principals:
            raise ValueError("a quote inside the principals is not supported: quote all of them")
    if any(pattern.startswith("!") for pattern in principals.split(",")):
        raise ValueError("negated principals (!) are not supported: a key is trusted whatever its principal")
    if not principals or not rest.strip():
        raise ValueError("a line needs principals and a key")
    return principals, rest.strip()


def _options(rest: str) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    position = 0
    while True:
        match = _OPTION.match(rest, position)
        if match is None:
            raise ValueError("invalid options: put values in double quotes and commas between options")
        name, value = match[1].lower(), match[2]
        if name in found:
            raise ValueError(f"option {name} is given twice")
        if name not in _OPTIONS or (value is None) != (name == "cert-authority") or value == "":
            raise ValueError(
                f'invalid option {match[0]!r}: expected namespaces="…", valid-after="…", valid-before="…" or cert-authority'
            )
        found[name] = value or ""
        position = match.end()
        if rest[position : position + 1] != ",":
            break
        position += 1
    if not rest[position : position + 1].isspace():
        raise ValueError("invalid options: put values in double quotes and commas between options")
    return found, rest[position:].strip()


def _stamp(text: str | None) -> datetime | None:
    """`YYYYMMDD[HHMM[SS]][Z]`; local time unless it ends in Z, as ssh-keygen reads it."""
    if text is None:
        return None
    match = _STAMP.match(text)
    if not match:
        raise ValueError(f"invalid time {text!r}: expected YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC")
    numbers = [int(part or 0) for part in match.groups()[:6]]
    when = datetime(*numbers, tzinfo=UTC if match[7] else None)  # type: ignore[arg-type,misc]
    if when.timestamp() <= 0:
        raise ValueError(f"invalid time {text!r}: expected one after 1970")
    return when.astimezone(UTC)


def _matches(name: str, patterns: str) -> bool:
    """OpenSSH's match_pattern_list: `*` and `?`, comma-separated, a `!` that matches wins."""
    matched = False
    for pattern in patterns.split(","):
        text, negated = pattern.removeprefix("!"), pattern.startswith("!")
        if text and fnmatchcase(name, text.replace("[", "[[]")):
            if negated:
                return False
            matched = True
    return matched
