"""Secrets in web addresses, headers and tokens: JWT, passwords in DSNs, `Authorization`."""

from __future__ import annotations

import base64
import binascii
import json

from provision.detect.entropy import looks_random, word_share
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.detect.rules.pieces import ALNUM, BLANK, LEFT, URLSAFE, example, filler, in_base64
from provision.lazy_regex import lazy_regex

_SCHEMES = (
    "postgres", "postgresql", "mysql", "mariadb", "mssql", "sqlserver", "oracle", "mongodb", "redis", "rediss", "valkey",
    "amqp", "amqps", "nats", "mqtt", "mqtts", "kafka", "clickhouse", "cassandra", "cockroachdb", "couchdb", "couchbase",
    "neo4j", "bolt", "ldap", "ldaps", "smtp", "smtps", "imap", "imaps", "ftp", "ftps", "sftp", "ssh", "smb",
    "elasticsearch", "memcached", "rabbitmq", "snowflake", "redshift", "influxdb", "vertica", "db2", "mymysql", "pgx",
    "pgsql", "hdb", "saphana", "presto", "trino", "hive", "hive2", "impala", "exasol", "firebird", "firebirdsql", "voltdb",
    "ignite", "databricks", "teradata", "teradatasql", "sybase", "odbc", "stomp", "nats-route", "nats-leaf", "zookeeper",
    "etcd", "consul", "rtsp", "rtsps", "vnc", "webdav", "webdavs", "svn", "http", "https", "socks5", "socks5h", "git",
    "wss", "ws",
)  # fmt: skip
_WEB = ("http", "https", "ws", "wss", "git", "socks5", "socks5h")
_DATABASES = tuple(scheme for scheme in _SCHEMES if scheme not in _WEB)


def _jwt() -> str:
    head, body = json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": filler("jwt", ALNUM, 12)})
    return f"Cookie: t={in_base64(head)}.{in_base64(body)}.{filler('sig', URLSAFE, 43)}; x"


def _has_json_header(value: bytes) -> bool:
    """Return whether the header is base64 of a JSON object."""
    head = value.split(b".", 1)[0]
    try:
        return b'"' in base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False


_BASIC = lazy_regex(rb"[ -~\x80-\xff]{1,200}?:([ -~\x80-\xff]{3,200})")


def _is_login(value: bytes) -> bool:
    """Return whether the value is base64 of `user:password`, where the password is not a word."""
    try:
        login = _BASIC.fullmatch(base64.b64decode(value + b"=" * (-len(value) % 4), validate=True))
    except (binascii.Error, ValueError):
        return False
    return login is not None and word_share(login[1].decode("latin-1")) < 0.8


def _opaque(value: bytes) -> bool:
    text = value.decode("latin-1")
    return looks_random(text) or (len(text) >= 20 and word_share(text) < 0.2 and any(map(str.isdigit, text)))


def _login() -> str:
    return "Authorization: Basic " + base64.b64encode(f"svc:{filler('basic', ALNUM, 16)}".encode()).decode()


RULES: tuple[Rule, ...] = (
    Rule(
        id="jwt",
        description="JSON Web Token",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH,
        keywords=("eyj",),
        pattern=LEFT + r"(?P<secret>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{20,})",
        gate=r"eyJ[A-Za-z0-9_-]{14}",
        entropy=4.0,
        examples=(_jwt,),
        counter_examples=("eyJhbGciOi...", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        accept=_has_json_header,
        reach=4096,
    ),
    Rule(
        id="dsn-password",
        description="Password in a database or service address",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH,
        keywords=(
            *(f"{scheme}://" for scheme in _DATABASES),
            "mongodb+srv://",
            "+asyncpg://",
            "+psycopg",
            "+pymysql://",
            "+ssh://",
            "jdbc:",
        ),
        pattern=r"(?i)\b(?:"
        + "|".join(_DATABASES)
        + r")(?:\+[a-z0-9_]{2,20})?://[^\s:/@\"'`<>\\]{0,80}:(?P<secret>[^\s/@\"'`<>\\]{3,250}(?:@[^\s/@\"'`<>\\.]{1,60})?)"
        r"@(?:[0-9A-Za-z_.-]{1,120}|\[[0-9a-f:.]{2,50}\])",
        gate=rf"(?i)(?:{'|'.join(_DATABASES)})(?:\+[a-z0-9_]{{2,20}})?://[^{BLANK}:/@\"'`<>\\]{{0,80}}:[^{BLANK}/@\"'`<>\\]{{3,311}}@",
        examples=(
            example("DATABASE_URL=postgresql://app:", ALNUM + "!*-_", 18, "@db.internal:5432/app"),
            example('"redis://:', ALNUM, 24, '@10.0.0.5:6379/0"'),
            example("mongodb+srv://u:", ALNUM, 12, "@cluster0.mongodb.net/x"),
        ),
        counter_examples=(
            "postgres://user:password@localhost/db",
            "postgres://user:${PASSWORD}@localhost/db",
            "mysql://localhost:3306/db",
            "redis://user:<password>@host",
            "amqp://guest:guest@localhost",
        ),
        reach=640,
    ),
    Rule(
        id="dsn-url-password",
        description="Password in a web address",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=tuple(f"{scheme}://" for scheme in _WEB),
        pattern=r"(?i)\b(?:"
        + "|".join(_WEB)
        + r")://[^\s:/@\"'`<>\\?#&]{1,80}:(?P<secret>[^\s/@\"'`<>\\?#,]{6,255})@(?:[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63}){1,5}|localhost)",
        examples=(
            example("https://deploy:", ALNUM, 20, "@git.corp.net/x.git"),
            example("HTTPS_PROXY=http://me:", ALNUM, 14, "@proxy.corp.net:8080"),
        ),
        counter_examples=(
            "https://user:password@github.com/x",
            "http://user:pass@proxy.corp.net:3128",
            "https://host:8443/a@b",
        ),
        reach=768,
        gate=r"(?i)(?:" + "|".join(_WEB) + rf")://[^{BLANK}:/@\"'`<>\\?#&]{{1,80}}:[^{BLANK}/@\"'`<>\\?#,]{{6,255}}@",
    ),
    Rule(
        id="dsn-url-token",
        description="Token in a web address",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("https://", "http://"),
        pattern=r"(?i)\bhttps?://(?P<secret>[0-9A-Za-z_.-]{20,200})(?::x-oauth-basic)?@[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63}){1,5}",
        examples=(example("https://", ALNUM, 40, "@github.com/o/r.git"),),
        counter_examples=("https://a-user-with-a-long-name-indeed@github.com/o/r.git",),
        accept=_opaque,
        reach=640,
        gate="(?i)https?://[0-9A-Za-z_.-]{20,200}(?::x-oauth-basic)?@",
    ),
    Rule(
        id="assigned-authorization",
        description="Bearer or token header",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.MEDIUM,
        keywords=("bearer", "authorization"),
        pattern=r"(?i)\b(?:bearer|(?P<name>(?:proxy-)?authorization)[\"'\\]{0,4}\s{0,4}[:=,]\s{0,4}[\"'\\]{0,4}(?:bearer|token|apikey|key|api-key)?)(?:\s|%20|\+|:){1,3}"
        r"(?P<secret>[0-9A-Za-z_.~+/=-]{16,600})",
        examples=(
            example("Authorization: Bearer ", ALNUM, 40),
            example("-H 'authorization: token ", ALNUM, 36, "'"),
            example('"Authorization": "Bearer ', URLSAFE, 51, '"'),
        ),
        counter_examples=(
            "Authorization: Bearer YOUR_ACCESS_TOKEN_HERE",
            "Authorization: Bearer $TOKEN",
            "the bearer authentication_scheme_used",
        ),
        accept=_opaque,
        reach=768,
        gate=r"(?i)(?:bearer|authorization[\"'\\]{0,4}\s{0,4}[:=,]\s{0,4}[\"'\\]{0,4}"
        r"(?:bearer|token|apikey|key|api-key)?)(?:\s|%20|\+|:){1,3}[0-9A-Za-z_.~+/=-]{16}",
    ),
    Rule(
        id="basic-login",
        description="User and password in a header",
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        keywords=("basic ",),
        pattern=r"(?i)\bbasic[ ]{1,2}(?P<secret>[0-9A-Za-z+/]{8,300}={0,2})",
        examples=(_login,),
        counter_examples=("Authorization: Basic authentication", "basic training"),
        accept=_is_login,
        gate="(?i)basic[ ]{1,2}[0-9A-Za-z+/]{8}",
    ),
)
