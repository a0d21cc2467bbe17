"""Values of settings that are called only `key`, `pass` or `auth`: common names, so the value must be random beyond doubt."""

from __future__ import annotations

from provision.detect.assignments import clearly_random
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.beside import each
from provision.detect.rules.pieces import ALNUM, example

_IS = r"[ \t]{0,8}(?:=|:[ \t])[ \t]{0,8}[\"']?"

RULES = (
    Rule(
        id="assigned-short",
        description="Random value of a setting that is called only key or pass",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=(
            *each(("key", "auth"), (": ", '": "', ' = "', " = '")),
            *each(("\nkey", "\nauth"), ("=", " =")),
            *each(("pass",), ("=", ":", '"', " =")),
        ),
        pattern=rf"(?im)(?:^[ \t]{{0,40}}(?:-[ ])?|[{{,][ ]{{0,4}}[\"'])[\"']?(?P<name>key|pass|auth)[\"']?{_IS}"
        r"(?P<secret>[0-9A-Za-z_.~+/=-]{20,250})(?:[\"'][ ]{0,4}[,}]|[\"']?,?[ \t]{0,8}(?:[ \t]#.{0,80})?\r?$)",
        accept=clearly_random,
        examples=(
            example("key: ", ALNUM, 32),
            example("\tpass = '", ALNUM, 24, "'\n"),
            example('  "key": "', ALNUM, 40, '",\n'),
            example('{"Jwt": {"Key": "', ALNUM, 32, '"}}'),
        ),
        counter_examples=(
            "key: 5d41402abc4b2a76b9719d911017c592",
            "key: linux-node-modules-v2-cache1",
            "key: app.kubernetes.io/managed-by2",
            "key=lambda item: item.name2",
        ),
        gate=rf"(?i)(?:key|pass|auth)[\"']?{_IS}[0-9A-Za-z_.~+/=-]{{20}}",
        reach=440,
    ),
)
