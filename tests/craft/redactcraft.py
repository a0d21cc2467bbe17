"""What tests of redaction share: keys made when they are needed, sessions, and the question whether anything is left."""

from __future__ import annotations

import random
import string

from provision.detect.detector import Detector
from provision.detect.fingerprint import fingerprint
from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey
from provision.detect.rules.builtin import BUILTIN
from provision.redact.command_line_rules import COMMAND_LINE_RULES
from provision.redact.masks import Masker, MaskStyle
from provision.redact.session import RedactionOptions, Session

SALT = b"redaction-tests!"
RUN_KEY = b"a run's own key, drawn at random"
_BASE64URL = string.ascii_letters + string.digits + "-_"


def aisa_key(seed: object) -> str:
    """A key as the gateway makes them."""
    chance = random.Random(f"aisa {seed}")
    return "sk-" + "aisa-" + "".join(chance.choice(_BASE64URL) for _ in range(43))


def opaque(seed: object, length: int = 40) -> str:
    """A key without any prefix: only its fingerprint or the name it is assigned to tells it."""
    chance = random.Random(f"opaque {seed}")
    return "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(length))


def known(*keys: str) -> KnownKeys:
    """Fingerprints of these keys."""
    found = {
        fingerprint(key, SALT): KnownKey(f"user{i}", fingerprint(key, SALT), "current") for i, key in enumerate(keys)
    }
    return KnownKeys(SALT, frozenset(map(shape_of, keys)), found)


_DETECTORS: dict[tuple[str, ...], Detector] = {}


def session(*keys: str, style: MaskStyle = MaskStyle.TAG, options: RedactionOptions | None = None) -> Session:
    """A session that knows these keys besides all rules."""
    if keys not in _DETECTORS:
        _DETECTORS[keys] = Detector((*BUILTIN, *COMMAND_LINE_RULES), known(*keys) if keys else None)
    return Session(_DETECTORS[keys], Masker(style, RUN_KEY), options or RedactionOptions())


def pieces_left(secret: str, where: str | bytes, length: int = 8) -> list[str]:
    """Which pieces of the secret, of so many characters, still stand somewhere. A known prefix is not secret."""
    text = where.decode("utf-8", "replace") if isinstance(where, bytes) else where
    body = secret.removeprefix("sk-" + "aisa-")
    return [body[i : i + length] for i in range(len(body) - length + 1) if body[i : i + length] in text]
