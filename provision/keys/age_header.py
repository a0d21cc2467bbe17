"""A strict parser for age files (c2sp.org/age). Every untrusted file goes through it before pyrage.

pyrage 1.4 opens two forms that stock `age` refuses: a recipient without its body line, and one whose body ends in a full
line. Its passphrase stanza has no work limit, so a tiny hostile file can block a machine for a minute. So this module decodes
the armor and checks the header strictly and with size limits, and returns the binary form. Stanzas of unknown types are
allowed, as the format requires (`age` adds random ones). Nothing is decrypted here.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from provision.errors import ProvisionError

LIMIT_BYTES = 16 << 20
_HEADER_LIMIT_BYTES = 256 << 10
_STANZA_LIMIT = 256
_ARMOR_BEGIN, _ARMOR_END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
_VERSION = b"age-encryption.org/v1"
_SHORTEST_PAYLOAD_BYTES = 16 + 16  # nonce, and the tag of an empty last chunk
_ARGUMENTS = re.compile(rb"-> [\x21-\x7e]+(?: [\x21-\x7e]+)*")
_SHAPES = {  # type of stanza: (bytes of each argument, bytes of the body); None where a key's size decides
    "X25519": ((32,), 32),
    "ssh-ed25519": ((4, 32), 32),
    "ssh-rsa": ((4,), None),
}


class NotAgeError(ProvisionError):
    """The data is not a valid age file, or of a refused kind. The message names the difference."""

    def __init__(self, reason: str, *, hint: str = "it is damaged, or not an age file: have it sealed again") -> None:
        super().__init__(f"invalid age file: {reason}", hint=hint)


@dataclass(frozen=True, slots=True)
class AgeFile:
    """A checked file in binary form, and the stanza types of its header (recipients and decoys)."""

    data: bytes
    stanzas: tuple[str, ...]

    @property
    def recipients(self) -> int:
        """The number of recipients in the header, without decoys."""
        return sum(kind in _SHAPES for kind in self.stanzas)


def parse_age_file(data: bytes) -> AgeFile:
    """Check `data`, armored or binary, at most 16 MiB. Raises NotAgeError; never quotes the content."""
    if len(data) > LIMIT_BYTES:
        raise NotAgeError(f"larger than {LIMIT_BYTES} bytes")
    if data.startswith(_ARMOR_BEGIN):
        data = _dearmored(data)
    lines = data[:_HEADER_LIMIT_BYTES].split(b"\n")
    if lines[0] != _VERSION:
        if lines[0].startswith(b"age-encryption.org/"):
            raise NotAgeError("unknown format version", hint="have it sealed by age 1.x")
        raise NotAgeError("unknown first line")
    stanzas: list[str] = []
    at = 1
    while at < len(lines) and lines[at].startswith(b"->"):
        if len(stanzas) == _STANZA_LIMIT:
            raise NotAgeError(f"more than {_STANZA_LIMIT} recipients")
        kind, at = _stanza(lines, at)
        stanzas.append(kind)
    if not stanzas:
        raise NotAgeError("no recipient in the header")
    if at >= len(lines) - 1:
        raise NotAgeError("the header is incomplete", hint="it was cut short: copy it again")
    if not lines[at].startswith(b"--- ") or len(_base64(lines[at][4:], "the header's check")) != 32:
        raise NotAgeError(f"line {at + 1} of the header is neither a recipient nor its end")
    header_bytes = sum(len(line) + 1 for line in lines[: at + 1])
    if len(data) - header_bytes < _SHORTEST_PAYLOAD_BYTES:
        raise NotAgeError("the content is incomplete", hint="copy it again")
    return AgeFile(data, tuple(stanzas))


def _stanza(lines: list[bytes], at: int) -> tuple[str, int]:
    where = f"the recipient at line {at + 1}"
    if not _ARGUMENTS.fullmatch(lines[at]):
        raise NotAgeError(f"{where} is malformed")
    kind, *arguments = lines[at][3:].decode("ascii").split(" ")
    if kind == "scrypt":
        raise NotAgeError(
            "it is sealed with a passphrase; that is not supported, because a hostile file could block this machine",
            hint="have it sealed to your public key",
        )
    body = bytearray()
    at += 1
    while True:
        if at >= len(lines) - 1:  # the last element is what follows the last line feed, so not a complete line
            raise NotAgeError(f"{where} is incomplete", hint="copy it again")
        line = lines[at]
        if len(line) > 64:
            raise NotAgeError(f"{where} has a line of more than 64 characters")
        body += _base64(line, where)
        at += 1
        if len(line) < 64:
            break
    if kind in _SHAPES:
        _check_shape(kind, arguments, len(body), where)
    return kind, at


def _check_shape(kind: str, arguments: list[str], body_bytes: int, where: str) -> None:
    sizes, body_size = _SHAPES[kind]
    if len(arguments) != len(sizes):
        raise NotAgeError(f"{where} has {len(arguments)} arguments, and {kind} takes {len(sizes)}")
    for argument, size in zip(arguments, sizes, strict=True):
        if len(_base64(argument.encode("ascii"), where)) != size:
            raise NotAgeError(f"{where} has an argument of the wrong size")
    if body_size is not None and body_bytes != body_size:
        raise NotAgeError(f"{where} has a body of the wrong size")


def _base64(text: bytes, where: str) -> bytes:
    """Decode canonical, unpadded standard base64 of one line."""
    if b"=" in text:
        raise NotAgeError(f"{where} has padded base64")
    try:
        value = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise NotAgeError(f"{where} is not base64") from None
    if base64.b64encode(value).rstrip(b"=") != text:
        raise NotAgeError(f"{where} is not canonical base64")
    return value


def _dearmored(data: bytes) -> bytes:
    lines = data.rstrip(b" \t\r\n").replace(b"\r\n", b"\n").split(b"\n")
    if lines[0] != _ARMOR_BEGIN:
        raise NotAgeError("invalid first line of the armor")
    if lines[-1] != _ARMOR_END or len(lines) < 3:
        raise NotAgeError("the armor is incomplete", hint="it was cut short: copy it again")
    body = lines[1:-1]
    if any(len(line) != 64 for line in body[:-1]) or not 0 < len(body[-1]) <= 64:
        raise NotAgeError("the armor is not wrapped at 64 characters", hint="it was re-wrapped: copy it again")
    text = b"".join(body)
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotAgeError("the armor is not base64") from None
    if base64.b64encode(value) != text:
        raise NotAgeError("the armor is not canonical base64")
    return value
