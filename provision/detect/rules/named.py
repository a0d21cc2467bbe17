"""Whatever stands beside the name of a secret, weak or not: only for the publishing policy, which decides what stays.

The syntaxes are those of `assigned`. There a value must look like a credential; here it may be a word, a number or a UUID, and
`policy` ignores placeholders, references and program code.
"""

from __future__ import annotations

import re

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Example, Rule
from provision.detect.rules.assigned import AFTER_NAME, KEYWORDS, LINE_BEGIN, PAIR_KEYWORDS, TYPED
from provision.detect.rules.beside import SHORT_NAMES
from provision.detect.rules.pieces import BLANK
from provision.detect.secret_names import VENDORS

ID = "named-"
_NAME = (
    r"(?P<name>[0-9A-Za-z_.-]{0,60}?(?:(?:api|secret|private|access|auth|account|encryption|signing|master|license|storage|service"
    r"|session|webhook|shared|deploy|ssh|subscription|client|app)[_.-]?keys?|token|secrets?|passw(?:or)?d|passwort|passwd|passphrase"
    rf"|pwd|{SHORT_NAMES}|(?:{'|'.join((*VENDORS, 'hmac', 'fernet', 'jwt', 'crypt', 'wpa'))})[_.-]?key"
    r"|credentials?|authorization|cookie|bearer|secret_?key_?base)"
    r"(?:[_-]?(?:\d{1,3}|v\d|value|prod(?:uction)?|dev|test|staging|live|current|old|new|primary|secondary|backup|main|default))?)"
)
_ARGUMENTS = ("key", "token", "secret", "password", "passwd", "passphrase", "pwd", "credentials")
_SEPARATOR = r"(?:=>|:=|=|:|%3[Dd])"
_SCHEME = r"(?:bearer |basic |token |digest |negotiate |apikey )?"
_ENDED = r"(?:[\s&;,\"'`<>)}\]|\\#\x07\x1b]|$)"


def _named(
    name: str,
    description: str,
    before: str,
    value: str,
    after: str,
    *,
    keywords: tuple[str, ...] = KEYWORDS,
    examples: tuple[Example, ...],
    counter_examples: tuple[Example, ...] = (),
    more: str = "",
    not_last: str = "",
    reach: int = 440,
) -> Rule:
    """A rule whose gate is everything before the value and its first byte.

    `value` are the bytes that a value cannot have, `not_last` those that it cannot end in; `more` also belongs to a value.
    """
    one = f"(?:[^{value}]|{more})" if more else f"[^{value}]"
    secret = f"{one}*[^{value}{not_last}]" if not_last else f"{one}+"
    outside = value.replace(r"\s", BLANK)
    return Rule(
        id=ID + name,
        description=description,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.LOW,
        keywords=keywords,
        pattern=rf"(?im){before}(?P<secret>{secret}){after}",
        gate=rf"(?i){_for_gate(before)}(?:[^{outside}*]|\*[^{outside}*])",
        examples=examples,
        counter_examples=counter_examples,
        reach=reach,
    )


def _for_gate(before: str) -> str:
    """The same expression without groups, anchors and blanks inside classes."""
    without = before.replace(LINE_BEGIN, "").replace(r"(?:^|[\s\"'`,])", "")
    return re.sub(r"\(\?P<\w+>", "(?:", without).replace(r"[^\s", f"[^{BLANK}")


RULES: tuple[Rule, ...] = (
    _named(
        "quoted",
        "Quoted value of the name of a secret",
        rf"{_NAME}{AFTER_NAME}(?:{TYPED}|{_SEPARATOR})[ \t]{{0,8}}[brf]{{0,2}}\\{{0,3}}[\"'`]",
        r"\"'`\\\r\n",
        r"\\{0,3}[\"'`]",
        more=r"\\[^\"'`\r\n]",
        reach=640,
        examples=(
            'password: "hunter2"',  # provision:allow an example
            "API_KEY='550e8400-e29b-41d4-a716-446655440000'",
            '{"db_password": "correct horse battery"}',
            '{\\"token\\": \\"hunter\\"}',
        ),
        counter_examples=(
            'password: "changeme"',
            'token: "${TOKEN}"',
            'password = "Please enter the password."',
            'key_env: "AISA_API_KEY"',
            'secret: ""',
        ),
    ),
    _named(
        "line",
        "Value of the name of a secret, to the end of its line",
        rf"{LINE_BEGIN}[\"']?{_NAME}[\"']?[ \t]{{0,8}}(?::=|[=:])[ \t]{{0,8}}{_SCHEME}",
        r"\s\"'`",
        r"[,;]{0,2}[ \t]{0,8}(?:[ \t]#[^\r\n]{0,80})?\r?$",
        not_last=",;",
        reach=640,
        examples=("PASSWORD=hunter", "  password: Tr0ub4dor&3,x!", "db.password = admin123\r\n"),
        counter_examples=("password: str", "token = parser.next_token", "password: ********", "PASSWORD=$PASSWORD"),
    ),
    _named(
        "value",
        "Value of the name of a secret",
        rf"{_NAME}{AFTER_NAME}{_SEPARATOR}[ \t]{{0,8}}{_SCHEME}",
        r"\s&;,\"'`<>(){}|\\#\[\]\x07\x1b",
        _ENDED,
        examples=(
            "GET /login?password=hunter&x=1",
            "host=db password=admin123 dbname=x",
            "Server=db;Pwd=monkey;",
            "X-Api-Key: 550e8400-e29b-41d4-a716-446655440000 (test)",
        ),
        counter_examples=("login(password=password, token=None)", "token=self.token, x", "Authorization: Bearer"),
    ),
    _named(
        "quoted-assignment",
        "Value of the name of a secret, with quotes around both",
        rf"[\"']{_NAME}=",
        r"\s\"'`\\",
        r"[\"']",
        examples=('- "SMTP_PASSWORD=Fox&Badger"', "env -i 'API_KEY=hunter;2'"),
        counter_examples=('"PASSWORD=$PASSWORD"', "'token='", '"password=changeme"'),
    ),
    _named(
        "element",
        "Value of an XML element with the name of a secret",
        rf"<{_NAME}(?:\s[^<>]{{0,80}})?>\s{{0,4}}",
        r"<>\r\n",
        r"</",
        keywords=tuple(word for word in KEYWORDS if word.endswith(">")),
        examples=("<password>hunter</password>", "<apiKey>admin 123</apiKey>"),
        counter_examples=("<password>${db.password}</password>", "<token>your-token</token>"),
    ),
    _named(
        "pair",
        "Value beside the name of a secret",
        rf"[\"']?\b(?:name|key|k|variable)[\"']?\s{{0,4}}[:=]\s{{0,4}}\\{{0,2}}[\"']?{_NAME}\\{{0,2}}[\"']?\s{{0,8}}[,;]?\s{{0,40}}"
        r"[\"']?\b(?:value|v|string_?value|val)[\"']?\s{0,4}[:=]\s{0,4}\\{0,2}[\"']?",
        r"\s\"'`\\<>,",
        r"(?:[\s\"'`\\<>,]|$)",
        keywords=PAIR_KEYWORDS,
        examples=('{"name": "X-Api-Key", "value": "hunter"}', "- name: DB_PASSWORD\n  value: admin123"),
        counter_examples=("- name: API_KEY\n  value: ${KEY}",),
    ),
    _named(
        "flag",
        "Value of an option with the name of a secret",
        r"(?:^|[\s\"'`,])--?(?P<name>[a-z-]{0,20}(?:api-?key|token|secret|password|passwd|passphrase))"
        r"(?:[= ]|[\"'],\s?[\"'])[\"']?",
        r"\s\"'`\\<>|;&\x07\x1b",
        r"(?:[\s\"'`\\<>|;&\x07\x1b]|$)",
        keywords=tuple(
            f"{end}{follows}"
            for end in ("api-key", "apikey", "token", "secret", "password", "passwd", "passphrase")
            for follows in (" ", "=", '"', "'")
        ),
        examples=("mysql --password=admin123 db", '["cmd", "--token", "hunter2"]'),
        counter_examples=("--token $TOKEN", "--password PASSWORD", "--api-key <key>"),
    ),
    _named(
        "argument",
        "Argument after the name of a secret",
        rf"[\"']{_NAME}[\"'],[ \t]{{0,4}}[\"']",
        r"\s\"'`\\",
        r"[\"']",
        keywords=tuple(word + quote for word in _ARGUMENTS for quote in ('",', "',")),
        examples=('os.environ.get("DB_PASSWORD", "hunter22")',),
        counter_examples=('("token", "string")', 'get("api_key", "none")'),
    ),
    _named(
        "netrc",
        "Password in a .netrc",
        rf"\blogin[ \t]{{1,8}}[^{BLANK}]{{1,100}}\s{{1,20}}(?P<name>password)[ \t]{{1,8}}",
        r"\s",
        r"(?:\s|$)",
        keywords=("password ", "password\t"),
        examples=("machine h login ada password hunter\n", "machine h\n  login ada\n  password admin123\n"),
        counter_examples=("login ada password <password>\n",),
    ),
)
