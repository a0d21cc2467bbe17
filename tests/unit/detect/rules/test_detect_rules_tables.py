"""A value in a column that names a secret is found, whatever the form of the table, the name and its place in the header."""

from __future__ import annotations

import pytest

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rules.columns import columns_of_secrets, in_heads
from tests.craft.seeded import token_hex

NAMES = (
    "api_key", "apikey", "api-key", "apiKey", "access_key", "secret_key", "private_key", "token", "access_token",
    "AUTH_TOKEN", "secret", "client_secret", "password", "passwd", "pwd", "passphrase", "credential", "credentials",
    "signing_key", "encryption_key", "auth_key", "license_key", "passwort", "kennwort", "PASSWORD", "db_password",
    "AISA_API_KEY", "webhook_secret", "x_api_key", "secretAccessKey", "apitoken", "jwt", "smtp_pass",
)  # fmt: skip
IN_WORDS = ("API key", "Secret access key", "secret key", "Access key", "Private key")
LINES = {
    "csv, last": "id,name,{n}\n1,ada,{v}\n2,bob,{w}\n",
    "csv, between": "id,{n},mail\n1,{v},a@example.com\n2,{w},b@example.com\n",
    "csv, first": "{n},id\n{v},1\n{w},2\n",
    "csv, carriage returns": "id,{n}\r\n1,{v}\r\n2,{w}\r\n",
    "csv, quoted": '"id","{n}","mail"\n"1","{v}","a@example.com"\n"2","{w}","b@example.com"\n',
    "semicolons": "id;{n};mail\n1;{v};a@example.com\n2;{w};b@example.com\n",
    "tsv": "id\t{n}\tmail\n1\t{v}\ta@example.com\n2\t{w}\tb@example.com\n",
    "bars": "| id | {n} | mail |\n|---|---|---|\n| 1 | {v} | a@example.com |\n| 2 | {w} | b@example.com |\n",
    "bars, tight": "|id|{n}|mail|\n|-|-|-|\n|1|{v}|a|\n|2|{w}|b|\n",
    "psql": " id |      {n}      | mail\n----+------+----\n 1 | {v} | a@example.com\n 2 | {w} | b@example.com\n",
    "mysql": "+----+------+\n| id | {n} |\n+----+------+\n|  1 | {v} |\n|  2 | {w} |\n+----+------+\n",
}
_TEXT = """
insert, between
INSERT INTO users (id, {n}, mail) VALUES (1, '{v}', 'a@example.com'), (2, '{w}', 'b');

insert, last
INSERT INTO users (id, {n}) VALUES (1, '{v}'), (2, '{w}');

insert, first
INSERT INTO users ({n}, id) VALUES ('{v}', 1), ('{w}', 2);

insert, MySQL
INSERT INTO `users` (`id`, `{n}`, `mail`) VALUES (1, '{v}', 'a'), (2, _binary '{w}', 'b');

insert, tight
insert into users(id,{n},mail) values(1,'{v}','a@example.com'),(2,'{w}','b');

insert, in lines
INSERT INTO users (
  id,
  {n},
  mail
)
VALUES
  (1, '{v}', 'a'),
  (2, '{w}', 'b');

insert, twice
INSERT INTO p."u" ("id", "{n}") VALUES (1, '{v}');
INSERT INTO p."u" ("id", "{n}") VALUES (2, E'{w}');

insert, SQL Server
INSERT [dbo].[users] ([id], [{n}], [mail]) VALUES (1, N'{v}', N'a')
GO
INSERT [dbo].[users] ([{n}]) VALUES (N'{w}')

replace
REPLACE INTO users (id, {n}, mail) VALUES (1, '{v}', 'a'),
(2, '{w}', 'b');

insert or replace
INSERT OR REPLACE INTO users (id, {n}, mail) VALUES (1, '{v}', 'a'),
(2, '{w}', 'b');

insert ignore
insert low_priority ignore into users (id, {n}) values (1, '{v}'), (2, '{w}');

copy
COPY public.users (id, {n}, mail) FROM stdin;
1	{v}	a@example.com
2	{w}	b
\\.

defined, varchar
CREATE TABLE users (
  id int,
  {n} varchar(60),
  mail text
);
INSERT INTO users VALUES (1, '{v}', 'a'),
(2, '{w}', 'b');

defined, longtext
CREATE TABLE `users` (
  `id` int,
  `{n}` longtext,
  `n` text
) ENGINE=x;
INSERT INTO `users` VALUES (1,'{v}','a'),(2,'{w}','b');

defined, SQL Server
CREATE TABLE [u] (
  [id] [int],
  [{n}] [nvarchar](60),
  [n] [text]
);
INSERT INTO [u] VALUES (1, N'{v}', N'a'), (2, N'{w}', N'b');

defined, one line
CREATE TABLE u(id INTEGER PRIMARY KEY, {n} TEXT, n TEXT);
INSERT INTO u VALUES(1,'{v}','a');
INSERT INTO u VALUES(2,'{w}','b');

defined, once
CREATE TABLE IF NOT EXISTS "u" ("id" integer, "{n}" varchar(9) NOT NULL, "n" decimal(5,2));
INSERT INTO "u" VALUES(1,'{v}',2);
INSERT INTO "u" VALUES(2,'{w}',3);
"""
STATEMENTS = {title: text + "\n" for title, text in (part.split("\n", 1) for part in _TEXT.strip().split("\n\n"))}
CODE = """
" + password + "
".$password."
{password}
%s
$password
#{password}
" . md5($pass) . "
" & pw & "
'||v_pass||'
?
:password
@password
" + user.getPassword() + "
<?php echo $pw ?>
%(password)s
" << pw << "
`$pw`
\\" + pw + \\"
+ pw +
'+@pw+'
" + encode(password, 12) + "
<password>
your_password
********
""".strip().split("\n")
AUDIT, PUBLISHING = Detector(), Detector(policy=Policy.PUBLISHING)


@pytest.mark.parametrize("form", [*LINES, *STATEMENTS])
def test_every_name_is_found_in_parts_and_in_whole_files(form: str) -> None:
    text, dashes = {**LINES, **STATEMENTS}[form], form.startswith(("bars", "csv", "psql", "tsv", "semi", "mysql"))
    for name in (*NAMES, *(IN_WORDS if dashes else ())):
        if "-" in name and form.startswith("defined"):
            continue  # no name of a column
        values = [f"Qz{token_hex(8)}7Xk" for _ in range(2)]
        data = text.format(n=name, v=values[0], w=values[1]).encode()
        assert [data[m.start : m.end].decode() for m in AUDIT.scan(data)] == values, name
        in_file = [data[found.start : found.end].decode() for found in columns_of_secrets(data, 0, len(data))]
        assert in_file == values, name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_value_of_letters_only_counts_in_each_kind_of_table(delimiter: str) -> None:
    value = "qnfeaMXbDWFLWkBNPwZtJrFX"
    data = delimiter.join(("id", "api_key", "mail\n1", value, "ada@example.com\n")).encode()
    assert [match.secret.reveal() for match in AUDIT.scan(data)] == [value]


@pytest.mark.parametrize("value", CODE)
def test_code_that_makes_a_statement_is_no_value(value: str) -> None:
    data = f"q = \"INSERT INTO users (id, password, name) VALUES (1, '{value}', 'ada')\"\n".encode()
    assert [*AUDIT.scan(data), *PUBLISHING.scan(data)] == []


def test_statements_are_found_between_words_that_only_begin_like_one() -> None:
    data = (
        b"create table x\n-- copy all, create table (a\ncreate table u (id int, token text);\n"
        b"insert to\ninsert into u values (1, 'aB3x');"
    )
    assert [data[each.start : each.end] for each in columns_of_secrets(data, 0, len(data))] == [b"aB3x"]


@pytest.mark.parametrize(
    "rows", [b"insert into u values (1, '%b');\n", b"COPY u (id, token) FROM stdin;\n1\t%b\n\\.\n"]
)
def test_a_table_between_a_definition_and_its_rows_far_below_is_found(rows: bytes) -> None:
    """The search for rows of a defined table goes to the end of the data, past what heads other tables."""
    filler = b"a line of words\n" * 6_000
    first, second, third = (f"Qz{token_hex(8)}7Xk".encode() for _ in range(3))
    data = b"".join(
        (
            b"create table u (id int, token text);\n\nuser,password\nada," + first + b"\n\n" + filler,
            b"user,api_token\nada," + second + b"\n\n" + filler,
            rows % third,
        )
    )
    for detector in (AUDIT, PUBLISHING):
        assert [data[m.start : m.end] for m in detector.scan(data)] == [first, second, third]


def test_heads_of_tables_are_told_from_other_lines_with_a_name() -> None:
    data = b"    return key, value\n    user, password, x\nuser,password\r\nada,\nf(id, password)\n"
    names = [n for n in range(len(data)) if data.startswith((b"key", b"password"), n)]
    assert [data.count(b"\n", 0, at) for at in in_heads(data, names)] == [2]
