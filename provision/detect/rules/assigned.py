"""Values of names such as `api_key` and `password`: YAML, JSON, TOML, INI, `.env`, shells, URLs, headers, flags, XML.

Keywords are a name together with the characters that follow it, so that text that only mentions tokens costs no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.assignments import (
    ordinary_password,
    plausible_bare,
    plausible_quoted,
    prefix_pattern,
    real_uuid,
    setting_password,
    weak_password,
)
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Example, Rule
from provision.detect.rules.beside import LOGINS, SHORT_NAMES
from provision.detect.rules.pieces import ALNUM, BLANK, HEX, URLSAFE, example, uuid_filler

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS = (
    "api_key", "api-key", "apikey", "api.key", "_key", "access-key", "accesskey", "secret-key", "secretkey", "private-key",
    "privatekey", "auth-key", "authkey", "encryptionkey", "encryption-key", "encryption.key", "decryptionkey",
    "validationkey", "cipherkey", "consumerkey", "signingkey", "signing-key", "aeskey", "hmackey", "jwtkey", "encryptkey",
    "decryptkey", "cryptokey", "masterkey", "master-key", "accountkey",
    "sharedkey", "servicekey", "appkey", "app-key", "clientkey", "license-key", "licensekey", "deploy-key", "token",
    "secret", "password", "passwd", "passphrase", "pass", "pwd", "passwort", "credential", "credentials", "authorization",
    "auth", "jwt", "cookie", "key_base", "keybase", "psk", "authtok", "passcode", "passkey", "pw",
)  # fmt: skip
_FOLLOWED = ("=", ":", '"', "'", " =", " :", '\\"', ">", "%3d", "]", " string", " .=", " +=", " ?=", " ||=", " ??=")
_NUMBERED = ("api_key_", "apikey_", "_token_", "_secret_", "_password_")

_NAME_ENDING = (
    r"(?:(?:api[_.-]?key|[_-]key|(?:access|secret|private|auth|aes|hmac|jwt|encrypt(?:ion)?|decrypt(?:ion)?|crypto|validation|cipher|signing"
    r"|master|account|shared|service|app|client|consumer|license|deploy)[_.-]?key"
    rf"|secret_?key_?base|token|secret|passw(?:or)?d|passwort|passwd|passphrase|{SHORT_NAMES}|pwd|credentials?|authorization|auth"
    r"|cookie)"
    r"(?:[_-]?(?:\d{1,3}|v\d|value|prod(?:uction)?|dev|test|staging|live|current|old|new|primary|secondary"
    r"|backup|main|default))?)"
)
NAME = rf"(?P<name>[0-9A-Za-z_.-]{{0,60}}?{_NAME_ENDING})"
LINE_BEGIN = r"^[ \t]{0,40}(?:[-+] |export |set |env |ENV |\$env:|setx ){0,2}[ \t]{0,8}"
AFTER_NAME = r"\]?[\"'\\]{0,4}\]?\s{0,4}"
SEPARATOR = r"(?:=>|:{1,3}=|==?|(?:\.|\+|\?{1,2}|\|\|)=|:|%3[Dd])"
TYPED = r"(?::[ ]{0,2}[&\w.<>\[\]?|' ]{1,40}[ ]{0,2}=|[ ]string[ ]{0,2}=)"
"""What is between a name and its value where a type is given: `key: str = "…"`, `let key: &str = "…"`, `var key string = "…"`."""
_QUOTE = r"[brfuBRFU]{0,2}\\{0,3}[\"'`]"
_BEARER = "(?:bearer |basic |token )?"

KEYWORDS = tuple(end + follows for end in _ENDS for follows in _FOLLOWED) + _NUMBERED
_ENDS_OF_LINES = (
    *(end for end in _ENDS if end != "pass"),
    *(before + "pass" for before in ("_", "-", ".", *LOGINS)),
)
"""A line that ends in the word `pass` alone is in nearly every file of Python."""
PAIR_KEYWORDS = (*KEYWORDS, *(end + newline for end in _ENDS_OF_LINES for newline in "\r\n"))

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID_NAMES = (
    r"(?:api[_.-]?(?:key|token|secret)|(?:access|secret|private|auth|client|account|subscription|license|consumer)[_.-]?(?:key"
    r"|secret|token)"
    r"|passw(?:or)?d|secret(?:[_-]?id)?|[_-]token|\btoken|(?-i:[a-z]Token|[a-z]Key)|[_-]key|credentials?|authorization)"
)
_BLANKS = ("  ", "\t")
"""Between a name and its sign. One blank alone is in every line of a log that says `Failed password for`."""
_PASSWORD_ENDS = ("password", "passwd", "passwort", "passphrase", "_pwd", "_pass", ".pass")
_SAYS_PASSWORD = r"(?:passw(?:or)?d|passwort|passphrase|[_.-]pwd|[_.-]pass)"  # noqa: S105  a pattern
_PLACEHOLDERS = (
    'api_key: "your-api-key-here"',
    "AISA_API_KEY=${AISA_API_KEY}",
    'password = "changeme"',
    "token = parser.next_token",
    "api_key=os.environ['X_API_KEY']",
    'token: "550e8400-e29b-41d4-a716-446655440000"',
    "secret: '********'",
    'api_key = "sk-a...WXYZ"',
    "password=getpass.getpass()",
    "legacy_key = _pep_440_key",
    "key_env: AISA_API_KEY",
    '"token_type": "Bearer"',
    'public_key: "ssh-ed25519"',
    '"token": "/etc/tokens/2024/primary.json"',
)


def _gate(begin: str, outside: str) -> str:
    """A gate: `begin`, then the beginning of a value that `plausible_quoted` accepts. `outside` ends the value."""
    return rf"(?i:{begin}){prefix_pattern(BLANK + outside)}"


def _assigned(
    name: str,
    description: str,
    pattern: str,
    *,
    examples: tuple[Example, ...],
    counter_examples: tuple[Example, ...],
    accept: Callable[[bytes], bool] = plausible_quoted,
    keywords: tuple[str, ...] = KEYWORDS,
    gate: str | None = None,
) -> Rule:
    return Rule(
        id=f"assigned-{name}",
        description=description,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=keywords,
        pattern=pattern,
        accept=accept,
        examples=examples,
        counter_examples=counter_examples,
        reach=640,
        gate=gate,
    )


RULES: tuple[Rule, ...] = (
    _assigned(
        "quoted",
        "Quoted value of a name that suggests a secret",
        rf"(?i){NAME}{AFTER_NAME}(?:{TYPED}|{SEPARATOR})\s{{0,4}}{_QUOTE}(?P<secret>[^\s\"'`\\]{{6,250}})\\{{0,3}}[\"'`]",
        examples=(
            example('api_key: "', ALNUM, 32, '"'),
            example('{"apiKey": "', HEX, 32, '"}'),
            example("password = 'aB3$", ALNUM + "!%*(;", 12, "'"),
            example('base_url: https://h/v1\nsecret: "', URLSAFE, 30, '"'),
            example('{\\"auth_token\\": \\"', ALNUM, 30, '\\"}'),
            example('self.password="T7', ALNUM, 12, '")'),
            example('let apiKey: String = "', ALNUM, 32, '"'),
            example('var apiToken string = "', ALNUM, 32, '"'),
            example('$apiToken .= "', ALNUM, 32, '";'),
            example('API_TOKEN ?= "', ALNUM, 32, '"'),
            example("passwd: 'xK4", ALNUM, 6, "'"),
        ),
        counter_examples=_PLACEHOLDERS,
        gate=_gate(rf"{_NAME_ENDING}{AFTER_NAME}(?:{TYPED}|{SEPARATOR})\s{{0,4}}{_QUOTE}", r"\"'`\\"),
    ),
    _assigned(
        "line",
        "Value of a name that suggests a secret, to the end of its line",
        rf"(?im){LINE_BEGIN}[\"']?{NAME}[\"']?[ \t]{{0,8}}(?:=|:[ \t]|:=|[ \t]=[ \t])[ \t]{{0,8}}"
        r"(?P<secret>[^\s\"'`][^\s\"'`]{4,248}[^\s\"'`,;])[ \t]{0,8}(?:[ \t]#.{0,80})?\r?$",
        examples=(
            example("AISA_API_KEY=", ALNUM, 40),
            example("export DB_PASSWORD=x9$", ALNUM + "&!(", 14),
            example("  api_key: ", HEX, 32, "  # mine"),
            example("- token: ", ALNUM, 24),
            example("smtp.password = Zz7", ALNUM, 9, "\r\n"),
        ),
        counter_examples=(*_PLACEHOLDERS, "password: str", "PASSWORD=required", "token = f(x1y2z3A4b5C6)"),
        gate=_gate(rf"{_NAME_ENDING}[\"']?[ \t]{{0,8}}(?:=|:[ \t]|:=|[ \t]=[ \t])[ \t]{{0,8}}", r"\"'`"),
    ),
    _assigned(
        "bare",
        "Random value of a name that suggests a secret",
        rf"(?i){NAME}{AFTER_NAME}{SEPARATOR}\s{{0,4}}(?:bearer |basic "
        rf"|token )?(?P<secret>[0-9A-Za-z_.~+/=:@%!*^-]{{8,250}}?[0-9A-Za-z_~+/=@%!*^-])(?:[\s&;,\"'`<>)}}\]|\\#\x07\x1b]|$)",
        accept=plausible_bare,
        examples=(
            example("https://h/v1?api_key=", ALNUM, 32, "&x=1"),
            example("GET /?access_token=", URLSAFE, 30, " HTTP/1.1"),
            example("X-Api-Key: ", ALNUM, 40, "\r\n"),
            example("INFO connecting with token=", ALNUM, 30, ", retry"),
            example("{user: x, password: ", ALNUM, 14, "}"),
        ),
        counter_examples=(
            *_PLACEHOLDERS,
            "password=self.password1,",
            "token=TOKEN_TYPE_2)",
            "api_key=settings.api_key2",
        ),
        gate=rf"(?i){_NAME_ENDING}{AFTER_NAME}{SEPARATOR}\s{{0,4}}{_BEARER}[A-Za-z_.~+/=:@%!*^-]{{0,250}}[0-9]",
    ),
    _assigned(
        "argument",
        "Random text as the argument after a name that suggests a secret",
        rf"(?i)[\"']{NAME}[\"'],\s{{0,4}}[\"'](?:bearer |token |basic )?(?P<secret>[^\s\"'`\\]{{12,250}})[\"']",
        accept=plausible_bare,
        examples=(
            example('os.environ.setdefault("AISA_API_KEY", "', ALNUM, 40, '")'),
            example("('x-api-key', '", HEX, 32, "')"),
        ),
        counter_examples=("'AES_KEY', 'PKCS7_ISSUER_AND_SERIAL',", '("token", "application/x-www-form-urlencoded2")'),
        gate=_gate(rf"{_NAME_ENDING}[\"'],\s{{0,4}}[\"']{_BEARER}", r"\"'`\\"),
    ),
    Rule(
        id="assigned-uuid",
        description="UUID of a name that suggests a secret",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=(*KEYWORDS, "secret_id", "secret-id", "secretid"),
        pattern=rf"(?i)(?P<name>[0-9A-Za-z_.-]{{0,60}}?{_UUID_NAMES}){AFTER_NAME}{SEPARATOR}\s{{0,4}}(?:{_QUOTE})?{_BEARER}"
        rf"(?P<secret>{_UUID})"
        r"(?:[^0-9A-Za-z-]|$)",
        gate=rf"(?i)[\s\"'`:=]{_UUID}",
        examples=(
            lambda: "api_key: " + uuid_filler("key"),
            lambda: 'CLIENT_SECRET="' + uuid_filler("secret") + '"',
            lambda: 'serviceToken: "' + uuid_filler("token") + '"',
        ),
        counter_examples=(
            'token: "550e8400-e29b-41d4-a716-446655440000"',
            "client_id: " + "6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "password: 00000000-0000-0000-0000-000000000000",
        ),
        accept=real_uuid,
        reach=300,
    ),
    _assigned(
        "password",
        "Weak password of a name that says password, in settings",
        rf"(?im){LINE_BEGIN}[\"'$]?(?P<name>[0-9A-Za-z_.-]{{0,60}}?{_SAYS_PASSWORD})[\"']?[ \t]{{0,8}}[=:][ \t]{{0,8}}"
        r"[\"']?(?P<secret>[^\s\"'`;]{6,40})[\"']?[ \t]{0,8}[,;]?(?:[ \t]#.{0,80})?\r?$",
        keywords=tuple(end + sign for end in _PASSWORD_ENDS for sign in ("=", ":", '"', "'", " =", " :", *_BLANKS)),
        examples=(
            "DB_PASSWORD=monkey123",  # provision:allow an example
            "  password: RedisPass1!",
            'smtp.password = "hunter22"',  # provision:allow an example
            '"db_password": "Mailpass1234!",',  # provision:allow an example
        ),
        counter_examples=(
            "password = password1",
            "PASSWORD=$PASSWORD1",
            "password: get_password(1)",
            "password=test1234",
            "password: str2",
        ),
        gate=rf"(?i){_SAYS_PASSWORD}[\"']?[ \t]{{0,8}}[=:][ \t]{{0,8}}[\"']?[^\"'`]{{6}}",
        accept=weak_password,
    ),
    _assigned(
        "password-quoted",
        "Weak password of a name that says password, in quotes",
        rf"(?i)(?P<name>[0-9A-Za-z_.-]{{0,60}}?(?:{_SAYS_PASSWORD}|\bpass))\d?{AFTER_NAME}(?:{TYPED}|{SEPARATOR})\s{{0,4}}{_QUOTE}"
        r"(?P<secret>[^\s\"'`\\]{5,80})\\{0,3}[\"'`]",
        keywords=(
            *(end + sign for end in _PASSWORD_ENDS for sign in (*_FOLLOWED, *_BLANKS)),
            *("pass" + sign for sign in ("=", ":", '"', "'", '\\"')),
        ),
        examples=(
            "login({ email: 'ada@corp.example', password: 'ncc-1701' })",  # provision:allow examples
            '{user: "svc", pass: "s3cr3t!"}',  # provision:allow an example
            'os.environ["DB_PASSWORD"] = "Oracle_19c"',  # provision:allow an example
            '"{\\"password\\": \\"ncc-1701\\"}"',  # provision:allow an example
        ),
        counter_examples=(
            'password: "required"',
            'LABEL_NEW_PASSWORD: "Passwort"',
            '"password": "senha"',
            "password = 'newPassword'",
            "password = 'password1'",
            'passwd="test1234"',
            'password: "sha256"',
            "password='{}'",
            'pass: "$PASS_1"',
            'password: "get_it(1)"',
            "passphrase: 'login_password_2'",
        ),
        gate=rf"(?i)(?:{_SAYS_PASSWORD}|pass)\d?{AFTER_NAME}(?:{TYPED}|{SEPARATOR})\s{{0,4}}{_QUOTE}"
        rf"[^{BLANK}\"'`\\]{{4}}",
        accept=ordinary_password,
    ),
    _assigned(
        "password-setting",
        "Password of a setting: a word, or letters with digits or signs",
        r"(?im)^[ \t]{0,40}(?:-[ ])?[\"']?(?P<name>[0-9a-z_.-]{0,60}?(?:passw(?:or)?d|passphrase))[\"']?(?::[ ]{1,8}|=)"
        r"(?P<secret>[0-9a-z!@_#%^*+.-]{4,40})[ \t]{0,8}(?:[ \t]#.{0,80})?\r?$",
        keywords=tuple(end + sign for end in ("password", "passwd", "passphrase") for sign in ("=", ":", '":', "':")),
        examples=("password: giteadb", "  db_password: vanilla-sky\n", "spring.datasource.password=quartz21\n"),
        counter_examples=(
            "password: string",
            "password: Password",
            "password: changeme",
            "password: your-password",
            "password=password)",
        ),
        gate=r"(?i)(?:passw(?:or)?d|passphrase)[\"']?(?::[ ]{1,8}|=)[0-9a-z!@_#%^*+.-]{4}",
        accept=setting_password,
    ),
    _assigned(
        "password-environment",
        "Password in an environment variable",
        r"(?:^|[\s\"'`(])(?P<name>[A-Z][0-9A-Z_]{0,60}?(?:PASSW(?:OR)?D|_PWD|_PASS))=(?P<secret>[0-9A-Za-z!@_#%^*+.-]{4,40})"
        r"(?:[\s\"'`\\)]|$)",
        keywords=tuple(f"{end}=" for end in ("password", "passwd", "_pwd", "_pass")),
        examples=(
            "docker run -e MYSQL_ROOT_PASSWORD=vanillasky -d mysql",  # provision:allow an example
            "`DB_PASSWORD=gormdb`",  # provision:allow an example
        ),
        counter_examples=("PASSWORD=password", "DB_PASSWORD=CHANGEME", "PASSWORD=$1 run", "MYSQL_PASSWORD=test"),
        gate=r"(?:PASSW(?:OR)?D|_PWD|_PASS)=[0-9A-Za-z!@_#%^*+.-]{4}",
        accept=setting_password,
    ),
    _assigned(
        "element",
        "Secret in an XML element or attribute",
        rf"(?i)<{NAME}(?:\s[^<>]{{0,80}})?>\s{{0,24}}(?P<secret>[^\s<>\"'&]{{6,250}})\s{{0,24}}</",
        gate=rf"(?i){_NAME_ENDING}(?:\s[^<>]{{0,80}})?>\s{{0,24}}[^{BLANK}<>\"'&]{{6,250}}\s{{0,24}}</",
        keywords=tuple(f"{end}>" for end in _ENDS),
        examples=(
            example("<password>q7", ALNUM, 14, "</password>"),
            example("<apiKey>\n            ", ALNUM, 32, "\n        </apiKey>"),
        ),
        counter_examples=(
            "<token>your-token</token>",
            "<password>${db.password}</password>",
            "<secret>changeme</secret>",
        ),
    ),
    _assigned(
        "pair",
        "Secret as the value beside its name",
        rf"(?i)[\"']?\b(?:name|key|k"
        rf"|variable)[\"']?\s{{0,4}}[:=]\s{{0,4}}\\{{0,2}}[\"']?{NAME}\\{{0,2}}[\"']?\s{{0,8}}[,;]?\s{{0,40}}[\"']?\b(?:value"
        rf"|v|string_?value|val)[\"']?\s{{0,4}}[:=]\s{{0,4}}\\{{0,2}}[\"']?"
        r"(?:bearer |token |basic )?(?P<secret>[^\s\"'`\\<>,]{6,250})",
        keywords=PAIR_KEYWORDS,
        examples=(
            example('{"name": "X-Api-Key", "value": "', ALNUM, 32, '"}'),
            example("- name: DB_PASSWORD\n  value: q8", ALNUM, 14),
            example('<add key="ApiKey" value="', ALNUM, 32, '"/>'),
        ),
        counter_examples=('{"name": "token", "value": "string"}', "- name: API_KEY\n  value: ${KEY}"),
        gate=rf"(?i){_NAME_ENDING}\\{{0,2}}[\"']?\s{{0,8}}[,;]?\s{{0,40}}[\"']?(?:value|v|string_?value|val)[\"']?\s{{0,4}}[:=]",
    ),
    _assigned(
        "flag",
        "Secret on a command line",
        r"(?i)(?:^|\s|[\"'`,])--?(?P<name>[a-z-]{0,20}(?:api-?key|token|secret|password|passwd|passphrase|pass"
        r"|auth))(?:[= ]|[\"'],\s?[\"'])[\"']?(?P<secret>[^\s\"'`\\<>\x07\x1b]{8,250})",
        gate=r"(?i)-[a-z-]{0,20}(?:api-?key|token|secret|password|passwd|passphrase|pass|auth)(?:[= ]|[\"'],"
        rf"\s?[\"'])[\"']?[^{BLANK}\"'`\\<>]{{8}}",
        keywords=tuple(
            f"{end}{follows}"
            for end in (
                "api-key",
                "apikey",
                "-token",
                "-secret",
                "-password",
                "-passwd",
                "-passphrase",
                "-pass",
                "-auth",
            )
            for follows in (" ", "=", '"', "'")
        ),
        examples=(
            example("hermes auth add custom:aisa --type api-key --api-key ", ALNUM, 40),
            example("mysql --password='k4", ALNUM, 14, "'"),
            example('["cmd", "--token", "', ALNUM, 30, '"]'),
        ),
        counter_examples=(
            "--token $TOKEN",
            "--api-key YOUR_API_KEY_HERE",
            "--password password_file",
            "use --token authentication-mode2",
        ),
    ),
    _assigned(
        "setting",
        "Secret given to a setting command",
        r"(?i)(?:config set|setx|set-item|secret set|login"
        r"|machine \S{1,100}\s{1,20}login \S{1,100})\s{1,20}[\"']?(?P<name>[0-9A-Za-z_.-]{0,60}(?:api[_.-]?key"
        r"|token|secret|password|passwd|_key))[\"']?\s{1,20}[\"']?"
        r"(?P<secret>[^\s\"'`\\<>]{8,250})",
        gate=rf"(?i)(?:config set|setx|set-item|secret set|login|login [^{BLANK}]{{1,100}})\s{{1,20}}"
        rf"[\"']?[0-9A-Za-z_.-]{{0,60}}(?:api[_.-]?key|token|secret|password|passwd|_k"
        rf"ey)[\"']?\s{{1,20}}[\"']?[^{BLANK}\"'`\\<>]{{8}}",
        keywords=("config set", "setx", "set-item", "secret set", "login"),
        examples=(
            example("hermes config set AISA_API_KEY ", ALNUM, 40),
            example("hermes config set model.api_key '", ALNUM, 32, "'"),
            example("machine h.example login me password k4", ALNUM, 14),
        ),
        counter_examples=(
            "hermes config set AISA_API_KEY your-api-key-here",
            "config set model.api_key ${AISA_API_KEY}",
        ),
    ),
)
