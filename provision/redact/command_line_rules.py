"""Rules for secrets that are typed on a command line, also as a shell's history keeps them."""

from __future__ import annotations

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule

_WORD = r"""(?:"[^"\r\n]{4,512}"|'[^'\r\n]{4,512}'|[^\s"'`$<>|;&(){}][^\s"'`<>|;&(){}]{3,511})"""
"""A word of a command line; a backtick ends it, as it ends code in a text."""


def _example(before: str) -> str:
    return before + "Zq7" + "vT2mPw9Lk4"


COMMAND_LINE_RULES: tuple[Rule, ...] = (
    Rule(
        id="command-line-secret",
        description="A secret given as an option of a command (--api-key VALUE, --password=VALUE)",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=(
            "--api-key",
            "--apikey",
            "--token",
            "--password",
            "--passphrase",
            "--secret",
            "--auth-token",
            "--access-token",
        ),
        pattern=rf"(?i)--(?:api-?key|(?:auth|access)?-?token|password|passphrase|secret(?:-key)?)(?:=|[ \t]+)(?P<secret>{_WORD})",
        examples=(lambda: _example("hermes auth add custom:aisa --api-key "),),
        counter_examples=("provision rotate --token-file x",),
    ),
    Rule(
        id="hermes-config-set",
        description="A secret set with `hermes config set NAME VALUE`",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("config set",),
        pattern=rf"(?i)config[ \t]+set[ \t]+\S*(?:key|token|secret|password)[ \t]+(?P<secret>{_WORD})",
        examples=(lambda: _example("hermes config set AISA_API_KEY "),),
        counter_examples=("hermes config set model.key_env AISA_API_KEY",),
    ),
    Rule(
        id="curl-user",
        description="A password given with curl -u USER:PASSWORD",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("curl",),
        pattern=r"curl\b[^\r\n]{0,200}[ \t](?:-u|--user)[ \t]+[\"']?[^\s:\"']{1,64}:(?P<secret>[^\s\"']{4,256})",
        examples=(lambda: _example("curl -s -u ada:") + " https://gateway.example",),
    ),
    Rule(
        id="mysql-password",
        description="A password given with mysql -pPASSWORD",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("mysql", "mariadb"),
        pattern=rf"(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\r\n]{{0,200}}[ \t]-p(?P<secret>{_WORD})",
        examples=(lambda: _example("mysql -u root -p") + " db",),
    ),
    Rule(
        id="sshpass",
        description="A password given with sshpass -p PASSWORD",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("sshpass",),
        pattern=rf"sshpass[ \t]+-p[ \t]*(?P<secret>{_WORD})",
        examples=(lambda: _example("sshpass -p ") + " ssh ada@host",),
    ),
)
