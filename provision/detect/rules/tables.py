"""Values in a column whose header is the name of a secret (CSV, psql, INSERT, COPY, dumps), and cells beside a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.rules.beside import ENDS, NAME, beside, each, found_by
from provision.detect.rules.columns import columns_of_secrets, in_heads
from provision.detect.rules.languages import KEYWORDS
from provision.detect.rules.pieces import ALNUM, example
from provision.detect.secret_names import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable

_BAR = r"(?:\||\xe2\x94\x82|\xe2\x95\x91|\xe2\x94\x83)"
"""A bar, or one of the box characters │ ║ ┃ in UTF-8."""
_WORDS = r"(?:(?:api|secret|access|auth|client|private|subscription)[ ](?:key|secret|token)|password)"

_AFTER_HEADS = (",", "\t", " |", "  ", '"', "|", "\n", "\r", ";")
"""What follows the name in a header. A rule with fewer than 20 keywords has its gate checked in the first pass."""
_REACH = 48 << 10
_FORMS: tuple[Callable[[str], Callable[[], str]], ...] = (
    lambda end: example(f"user,{end}\nada,", ALNUM, 14, "\n"),
    lambda end: example(f"user;{end};mail\nada;", ALNUM, 14, ";ada@example.com\n"),
    lambda end: example(f" id | name | {end}\n----+------+---------\n  1 | ada  | ", ALNUM, 32, "\n(1 row)\n"),
    lambda end: example(f"| {end}    | name |\n|---|---|\n| ", ALNUM, 32, " | ada |\n"),
)

RULES = (
    beside(
        "cell",
        "Value in the cell beside the name of a secret",
        rf"[*`]{{0,3}}(?:{NAME}|{_WORDS})[*`]{{0,3}}[ \t]{{0,40}}{_BAR}[ \t]{{0,40}}[*`]{{0,3}}",
        example("| AISA_API_KEY | ", ALNUM, 32, " |"),
        example("│ AISA_API_KEY │ ", ALNUM, 32, " │"),
        example("| API key | `", ALNUM, 32, "` |"),
        gate=rf"(?:key|token|secrets?|password|passwd|passwort|passphrase|pwd|credentials?|authorization|cookie)"
        rf"(?:[_-]?\w{{1,10}})?[*`]{{0,3}}[ \t]{{0,40}}"
        rf"{_BAR}[ \t]{{0,40}}[*`]{{0,3}}",
        keywords=each(
            (*ENDS, "api key", "secret key", "access key"), (" |", "|", " │", "│", " ║", "║", " ┃", "`", "*", "  ")
        ),
        not_found=("| API_KEY | the key of the service2 |", "| password | `<password>` |", "| token | string2 | x |"),
        value=r"[^\s\"'`<>|,;(){}\\*\xe2]",
        after=rf"[*`]{{0,3}}[ \t]{{0,120}}(?:{_BAR}|\r?$)",
        reach=520,
    ),
    beside(
        "tab",
        "Value after the name of a secret and a tab, a comma or a gap",
        rf"[\"']?{NAME}[\"']?(?:\t|,|;|[ ]{{3,40}})[\"']?",
        example("AISA_API_KEY\t", ALNUM, 32, "\n"),
        example("AISA_API_KEY    ", ALNUM, 32, "\n"),
        start=r"^[ \t]{0,8}(?:\d{1,6}[\t,;])?",
        after=r"[\"']?[ \t]{0,8}(?:[\t,;][^\r\n]{0,120})?\r?$",
        keywords=each(
            ("_key", "apikey", "_token", "_secret", "password", "passwd", "passphrase"),
            ("\t", "   ", ",", ";", '",', '"\t'),
        ),
        not_found=("password\tthe password of the user2\n", "token,string2\n", "API_KEY,required"),
        value=r"[^\s\"'`<>|,;(){}\\]",
        shortest=8,
        reach=520,
    ),
    *(
        found_by(
            f"column-{re.sub('[ _]', '-', column.lower())}",
            f"Value in a column with the name of {what}",
            columns_of_secrets,
            rf"(?i)(?:(?:{name})[\"'`*]{{0,3}}(?:[,;\t][\w\"'`\x80-\xff]|[ \t]{{0,40}}(?:\||\xe2\x94))"
            rf"|[,;\t|][ ]{{0,4}}[\"'`*]{{0,3}}[\w .-]{{0,20}}(?:{name})[\"'`*]{{0,3}}\r?\n)",
            *(form(column) for form in _FORMS),
            keywords=each(ends, _AFTER_HEADS),
            not_found=(
                f"user,{column}\nada,\n",
                f"def f(user, {column}):\n    return user, {column}\n",
                f"| user | {column} |\n|---|---|\n| ada | **** |\n",
            ),
            reach=_REACH,
            opens=in_heads,
        )
        for what, column, name, *ends in (
            ("a password", "password", "passw(?:or)?d|pwd", "password", "wd"),
            ("a passphrase", "passphrase", "passphrase|passcode", "passphrase", "passcode"),
            ("a token", "token", "token|secret", "token", "secret"),
            ("a login", "db_pass", "[_-]pass|jwt", "_pass", "jwt"),
            ("a short name", "db_pw", "[ _-]pw|psk", "_pw", "psk"),
            ("credentials", "credential", "credentials?", "credential", "credentials"),
            ("a key", "auth_key", "[_-]key", "_key", "-key"),
            ("a value", "secret_value", "(?:secret|token|password|key)[_-]value", "_value", "-value"),
            ("an API key", "API key", "api[ ]?key", "api key", "apikey"),
            ("a secret key", "secret key", "secret[ ]?key", "secret key", "secretkey"),
            ("an access key", "access key", "access[ ]?key", "access key", "accesskey"),
            ("a private key", "private key", "private[ ]?key", "private key", "privatekey"),
            ("several secrets", "secrets", "passwords|secrets", "passwords", "secrets"),
            ("several keys", "api_keys", "[ _-]keys", "_keys", " keys"),
            ("several tokens", "tokens", "tokens|passphrases", "tokens", "passphrases"),
        )
    ),
    found_by(
        "column-after-blanks",
        "Value in a column with the name of a secret, with blanks after the delimiters",
        columns_of_secrets,
        r"(?i)(?:key|token|secret|password|passwd|passphrase|pwd|jwt),[ ][\w.-]{1,30}[,\r\n]",
        example("id, password, name\n1, ", ALNUM, 14, ", ada\n"),
        keywords=("key, ", "token, ", "secret, ", "password, ", "passwd, ", "passphrase, ", "pwd, ", "jwt, "),
        not_found=("user, password, mail\nada, bob, eve\n", "f(user, password, mail)\nada, b2b, eve\n"),
        reach=_REACH,
        opens=in_heads,
    ),
    found_by(
        "column-key-of-service",
        "Value in a column with the name of a service's key",
        columns_of_secrets,
        rf"(?i)(?:{'|'.join((*VENDORS, 'wpa', 'wifi'))})[ ]key[\"'`*]{{0,3}}[ ]{{0,40}}(?:[,;\t\r\n|]|\xe2)",
        *(form("OpenAI key") for form in _FORMS),
        keywords=each((" key",), _AFTER_HEADS),
        not_found=("user,stripe key\nada,\n", "| stripe key | x |\n|---|---|\n| **** | ada |\n"),
        reach=_REACH,
        opens=in_heads,
    ),
    found_by(
        "column-in-other-languages",
        "Value in a column with the name of a secret in another language",
        columns_of_secrets,
        None,
        *(form("contraseña") for form in _FORMS),
        keywords=KEYWORDS,
        not_found=("user,kennwort\nada,\n", "| user | 密码 |\n|---|---|\n| ada | **** |\n"),
        reach=_REACH,
        opens=in_heads,
    ),
    found_by(
        "column-sql",
        "Value in a column with the name of a secret in an SQL statement",
        columns_of_secrets,
        r"(?i)(?:insert|replace)[ ](?:[a-z_]{2,13}[ ]|\[)|\)[ ]from[ ]stdin|create[ ]table[ \n]",
        example("INSERT INTO users (id, api_key, name) VALUES (1, '", ALNUM, 14, "', 'ada');"),
        example("insert into users (\n  id,\n  signing_key\n) values\n  (1, '", ALNUM, 14, "');"),
        example("REPLACE INTO `users` (`Passwort`, `id`) VALUES ('", ALNUM, 14, "', 1);"),
        example("INSERT [dbo].[users] ([id], [token], [name]) VALUES (1, N'", ALNUM, 14, "', N'ada')"),
        example(f"COPY public.users (id, credentials, name) FROM {'stdin'};\n1\t", ALNUM, 32, "\tada\n\\.\n"),
        example(
            "CREATE TABLE users(id INTEGER PRIMARY KEY, secret TEXT, n INT);\nINSERT INTO users VALUES(1,'",
            ALNUM,
            14,
            "',2);\n",
        ),
        keywords=(
            "insert into ",
            "insert or ",
            "insert all ",
            "ignore into ",
            "insert [",
            "replace into ",
            ") from stdin",
            "create table",
        ),
        not_found=(
            "INSERT INTO users (id, password) VALUES (1, ?);",
            "INSERT INTO users (id, name) VALUES (1, 'q8Zr2LmX7tVb4N');",
            "COPY users (id, password_file) FROM stdin;\n1\t/etc/shadow-file\n",
        ),
        reach=_REACH,
    ),
)
