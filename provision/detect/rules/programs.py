"""Passwords that each program writes in its own way: tables of logins, servers, routers, VPNs, calls that connect."""

from __future__ import annotations

import re

from provision.detect.rules.beside import VALUE, beside, each
from provision.detect.rules.pieces import ALNUM, BLANK, HEX, example

_TO_LINE_END = r"[ \t]*\r?$"
_ANY = r"[^\s\"'`]"
_ARGUMENT = r"(?:[\"'][^\"'\r\n]{0,160}[\"']|\$?[\w.>()-]{1,60})"
_WORD = r"[ \t]+[\w.-]{1,40}"
_ROUTERS = ("snmp-server community", "pre-shared-key ", "tacacs-server ", "radius-server ", "key-string ")
_CONNECT = ("dbi->connect(", "getconnection(", "mysql_connect(", "mysqli_connect(", "new mysqli(", "new pdo(")

RULES = (
    beside(
        "given-mail-table",
        "Password in Postfix' table of logins",
        r"\[?[\w.-]{3,80}\]?:(?:25|465|587|2525)[ \t]{1,40}[\w.+-]{1,64}(?:@[\w.-]{1,80})?:",
        example("[smtp.mailprov.net]:587 ops@corp.net:", ALNUM, 14, "\n"),
        start="^",
        after=_TO_LINE_END,
        keywords=(":587 ", ":587\t", ":465 ", ":465\t", "]:25 ", ":2525 "),
        not_found=("[smtp.corp.net]:587 ada:${PASSWORD}\n", "listen 0.0.0.0:587 on eth0\n"),
        gate=None,
        value=_ANY,
    ),
    beside(
        "given-pgpass",
        "Password in a .pgpass",
        r"[\w.*-]{1,80}:(?:[0-9]{2,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:",
        example("db.corp.net:5432:app:ada:", ALNUM, 14, "\n"),
        start="^",
        after=_TO_LINE_END,
        keywords=(":5432:", ":*:", ":5433:", ":6432:"),
        not_found=("db:5432:app:ada:$PASSWORD\n", "db:5432:app:ada:\n"),
        gate=None,
        value=_ANY,
    ),
    beside(
        "given-setting",
        "Password in the settings of a server",
        r"(?:\binsecure-password[ \t]{1,8}|\bcache_peer[ \t][^\r\n]{1,200}login=[\w.-]{1,40}:"
        r"|\buser[ \t][\w.-]{1,40}[ \t][^\r\n]{0,60}?\bon[ \t]>)",
        example("  user ada insecure-password ", ALNUM, 14, "\n"),
        example("cache_peer p.corp.net parent 3128 0 login=ada:", ALNUM, 14, "\n"),
        example("user ada on >", ALNUM, 14, " ~jobs:* +@all\n"),
        keywords=("insecure-password", "cache_peer", " on >"),
        not_found=("user ada insecure-password <password>", "the light is on > off"),
        gate=None,
        value=_ANY,
    ),
    beside(
        "given-header",
        "Credentials in a header that a program or a proxy sets",
        r"authorization[\"']?,?[ \t]{1,20}[\"'](?:basic|bearer|token|apikey)[ ]",
        example('proxy_set_header Authorization "Basic ', ALNUM, 28, '";'),
        example("req.setHeader('Authorization', 'Bearer ", ALNUM, 32, "')"),
        keywords=each(("authorization",), (' "b', " 'b", '\t"b', '", "b', "', 'b", ' "t', " 't")),
        not_found=('proxy_set_header Authorization "Bearer $token";', "setHeader('Authorization', 'Basic ' + login)"),
        gate=None,
        value=r"[^\s\"'`\\]",
        after=r"[\"']",
        shortest=8,
    ),
    beside(
        "given-router",
        "Password in the configuration of a router or switch",
        rf"(?:\b(?:enable|username{_WORD}(?:[ \t]+privilege[ \t]+[0-9]{{1,2}})?)[ \t]+(?:password|secret)[ \t]+[0-9][ \t]+"
        r"|\bsnmp-server[ \t]+community[ \t]+|\bpre-shared-key[ \t]+(?:ascii-text[ \t]+|local[ \t]+|[0-9][ \t]+)?[\"']?"
        r"|\b(?:tacacs|radius)-server[ \t]+[^\r\n]{0,60}?key[ \t]+(?:[0-9][ \t]+)?|\bkey-string[ \t]+(?:[0-9][ \t]+)?)",
        example("enable secret 5 ", ALNUM, 16, "\n"),
        example("username admin password 0 ", ALNUM, 12, "\n"),
        example("snmp-server community ", ALNUM, 12, " RW\n"),
        keywords=(*each(("password ", "secret "), ("0 ", "4 ", "5 ", "7 ", "8 ", "9 ")), *_ROUTERS),
        not_found=("snmp-server community public RO", "enable secret 5 <removed>", "the password 0 is refused"),
        gate=None,
        value=_ANY,
    ),
    beside(
        "given-ipsec",
        "Secret of a VPN in ipsec.secrets",
        r":[ \t]{1,4}(?:PSK|EAP|XAUTH)[ \t]{1,4}\"?",
        example('%any %any : PSK "', ALNUM, 14, '"\n'),
        keywords=(": psk ", ": eap ", ": xauth "),
        not_found=(': PSK "${PSK}"\n', ": PSK is used for the group2\n"),
        gate=None,
        value=_ANY,
        after=r"\"?[ \t]*(?:#[^\r\n]{0,80})?\r?$",
    ),
    beside(
        "given-openvpn",
        "Password in the block of an OpenVPN profile",
        r"<auth-user-pass>\r?\n[^\r\n]{1,80}\r?\n",
        example("<auth-user-pass>\nada\n", ALNUM, 12, "\n</auth-user-pass>\n"),
        keywords=("<auth-user-pass>",),
        not_found=("<auth-user-pass>\nada\n</auth-user-pass>\n",),
        gate=None,
        value=r"[^\s<>]",
        after=r"\r?\n",
    ),
    beside(
        "given-go-address",
        "Password in the address of a database, as Go writes it",
        r"\b[\w.-]{1,40}:",
        example('dsn="ada:', ALNUM, 14, '@tcp(db:3306)/app"'),
        keywords=("@tcp(", "@unix("),
        not_found=('"ada:${PASSWORD}@tcp(db:3306)/app"', '"%s:%s@tcp(%s)/%s"', "user:password@tcp(localhost:3306)/db"),
        gate=None,
        value=r"[^\s\"'`/@]",
        after=r"@(?:tcp|unix)\(",
    ),
    beside(
        "given-connect",
        "Password as the argument of a call that connects to a database or service",
        rf"(?:(?:{'|'.join(map(re.escape, _CONNECT))})[ ]?(?:\$?\w{{1,30}},[ ]?)?{_ARGUMENT},\s{{0,8}}{_ARGUMENT},\s{{0,8}}[\"']"
        r"|\bclient\([ ]?[\"']AC[0-9a-f]{32}[\"'],\s{0,8}[\"'])",
        example('DriverManager.getConnection("jdbc:oracle:thin:@db:1521:x", "ada", "', ALNUM, 14, '");'),
        example('DBI->connect("dbi:mysql:app", "ada", "', ALNUM, 14, '");'),
        example(f'Client("AC{"0f1e2d3c" * 4}", "', HEX, 32, '")'),
        keywords=(*_CONNECT, *each(("client(",), ('"ac', "'ac"))),
        not_found=(
            'getConnection(url, "ada", password)',
            'DBI->connect($dsn, "ada", "$password")',
            'new PDO($dsn, "root", "")',
        ),
        gate=None,
        value=r"[^\s\"'`\\]",
        after=r"[\"']",
    ),
    beside(
        "given-open",
        "Password given to lftp's open",
        r"\bopen[ \t]{1,3}-u[ \t]{1,3}[\"']?[\w.@-]{1,60},",
        example("open -u ada,", ALNUM, 14, " sftp://h\n"),
        keywords=("open -u",),
        not_found=("open -u ada,$PASSWORD sftp://h", "open -u ada sftp://h"),
        gate=None,
        value=_ANY,
    ),
    beside(
        "directive",
        "Value behind the name of a password, as directives of servers have it",
        r"(?P<name>[\w.-]{0,40}?(?:[_.]password|[_.]passwd|passphrase|bindpw|rootpw|authtok|sharedsecret))[ \t]{1,20}[\"']?",
        example("remote_password ", ALNUM, 14, "\n"),
        example("bindpw ", ALNUM, 14, "\n"),
        start=r"^[ \t]{0,16}",
        after=r"[\"']?[ \t]{0,8};?[ \t]{0,8}\r?$",
        keywords=each(
            (
                "_password",
                ".password",
                "_passwd",
                ".passwd",
                "passphrase",
                "bindpw",
                "rootpw",
                "authtok",
                "sharedsecret",
            ),
            (" ", "\t"),
        ),
        not_found=("remote_password <password>\n", "user_password text\n", "reset_password now\n"),
        value=VALUE,
        gate=rf"(?:[_.]password|[_.]passwd|passphrase|bindpw|rootpw|authtok|sharedsecret)[ \t]{{1,20}}[\"']?[^{BLANK}\"']",
    ),
)
