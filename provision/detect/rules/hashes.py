"""Hashes of passwords behind a login, as in htpasswd and shadow, or alone: whoever has one can try passwords against it."""

from __future__ import annotations

from functools import partial

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.beside import each
from provision.detect.rules.pieces import ALNUM, example, joined_fillers

_CRYPT, _BASE64 = "[./A-Za-z0-9]", r"[A-Za-z0-9+/]"
_KINDS = (
    rf"\$2[abxy]?\$[0-9]{{2}}\${_CRYPT}{{53}}",
    rf"\$5\$(?:rounds=[0-9]{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{43}}",
    rf"\$6\$(?:rounds=[0-9]{{4,9}}\$)?{_CRYPT}{{1,16}}\${_CRYPT}{{86}}",
    rf"\$(?:1|apr1)\${_CRYPT}{{1,8}}\${_CRYPT}{{22}}",
    rf"\$(?:y|gy|7)\${_CRYPT}{{1,40}}\${_CRYPT}{{1,86}}\${_CRYPT}{{43}}",
    rf"\$argon2(?:id|i|d)\$v=(?:16|19)\$m=[0-9]{{1,9}},t=[0-9]{{1,4}},p=[0-9]{{1,4}}\${_BASE64}{{8,86}}\${_BASE64}{{16,172}}",
    rf"\$md5(?:,rounds=[0-9]{{1,9}})?\${_CRYPT}{{1,16}}\${{1,2}}{_CRYPT}{{22}}",
    rf"\{{SSHA(?:256|512)?\}}{_BASE64}{{32,128}}={{0,2}}",
)
_ANY = "|".join(_KINDS)

RULES = (
    Rule(
        id="password-hash",
        description="Hash of a password behind a login, as in htpasswd and shadow, or alone on its line",
        severity=FindingSeverity.LOW,
        confidence=Confidence.HIGH,
        keywords=(
            *each(("$2a", "$2b", "$2x", "$2y", "$5", "$6", "$1", "$apr1", "$y", "$gy", "$7"), "$"),
            "$argon2",
            "$md5",
            "{ssha",
        ),
        pattern=rf"(?m)(?:[\w.@+-]:|^)(?P<secret>{_ANY})(?:[:\s\"'`,\\]|$)",
        gate=_ANY,
        examples=(
            example("ada:$2y$10$", ALNUM, 53),
            example("ada:$6$rounds=5000$saltSALT$", ALNUM, 86, ":19000:0:99999:7:::"),
            example("ada:$apr1$r31xyz12$", ALNUM, 22),
            partial(joined_fillers, ("ada:$argon2id$v=19$m=65536,t=3,p=4$", ALNUM, 22), ("$", ALNUM, 43)),
        ),
        counter_examples=(
            "ada:$2y$10$short",
            "ada:$6$salt$hash",
            "costs:$6$ and $1$ each",
            "ada:$argon2id$v=19$m=65536,t=3,p=4$a$b",
        ),
        reach=400,
    ),
)
