"""Names whose values are secrets by their name alone, and values that are none: switches, references, placeholders."""

from __future__ import annotations

import re

from provision.detect.shapes import is_placeholder

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\x00-\x7f]+")
_ALONE = frozenset(
    {"password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "apikey", "apitoken",
     "authorization", "credential", "credentials", "cookie", "bearer", "accesstoken", "refreshtoken", "authtoken",
     "secretkey", "privatekey", "clientsecret", "accesskey", "passwort", "kennwort", "contrasena", "contraseña", "senha",
     "wachtwoord", "jwt", "motdepasse", "пароль", "密码", "密碼", "口令", "パスワード", "비밀번호"}
)  # fmt: skip
_ENDINGS = (
    "password", "passwd", "passphrase", "passwort", "apikey", "secretkey", "accesskey", "privatekey", "authtoken", "accesstoken",
    "apitoken", "clientsecret",
)  # fmt: skip
"""How one word ends that names a secret: `PGPASSWORD`."""
_KEYS_OF = frozenset(
    {"api", "secret", "private", "access", "auth", "account", "encryption", "signing", "master", "license", "storage",
     "service", "session", "webhook", "x", "shared", "deploy", "ssh", "subscription", "client", "app"}
)  # fmt: skip
_PASS_OF = frozenset(
    {"user", "admin", "root", "login", "auth", "db", "database", "mysql", "pg", "postgres", "mongo", "redis", "smtp", "imap",
     "pop", "mail", "email", "ftp", "sftp", "ldap", "proxy", "http", "basic", "rabbitmq", "mqtt"}
)  # fmt: skip
_WHICH = frozenset(
    {"value", "prod", "production", "dev", "test", "staging", "live", "current", "old", "new", "primary", "secondary",
     "backup", "main", "default", "v"}
)  # fmt: skip
"""Words after the name of a secret that say which one: `DB_PASSWORD_PROD`, `api_key_2`."""
_NAMES_A_SECRET = frozenset(
    {"env", "name", "file", "path", "url", "uri", "type", "count", "counts", "limit", "limits", "max", "min", "id",
     "fingerprint", "length", "usage", "budget", "expires", "expiry", "ttl", "policy", "prefix", "hint", "rotation",
     "source", "command", "cmd", "enabled", "required", "mode", "window", "total", "used", "ref", "mgr", "manager",
     "endpoint", "scheme", "format", "algorithm", "version", "created", "at", "age", "days", "seconds", "timeout"}
)  # fmt: skip
"""`key_env`, `token_url`, `max_tokens`, `secret_name`: properties of a secret, not the secret itself."""
_PLAIN_VALUE = re.compile(
    r"""(?ix) true|false|yes|no|on|off|null|none|nil|~|\d{1,5}(?:\.\d{1,4})? | \$\{[A-Z_][A-Z0-9_]*\} | \$[A-Z_][A-Z0-9_]* | op://\S+"""
)


def names_secret(name: str) -> bool:
    """Whether a value with this name (`api_key`, `clientSecret`, `X-Api-Key`) is a secret by its name alone."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1] in _WHICH or words[-1].isdigit()):
        words.pop()
    if not words or words[-1] in _NAMES_A_SECRET or (words[-1] in {"key", "token"} and "public" in words):
        return False
    if (
        words[-1].endswith(_ENDINGS)
        or words[-1] in _ALONE
        or "".join(words[-2:]) in _ALONE
        or "".join(words[-3:]) in _ALONE
    ):
        return True
    before = words[-2] if len(words) > 1 else ""
    return (words[-1] in {"key", "keys"} and before in _KEYS_OF) or (words[-1] == "pass" and before in _PASS_OF)


def plain_value(value: str) -> bool:
    """Whether a value cannot be a secret: empty, a switch, a small number, a reference, a placeholder."""
    value = value.strip()
    return not value or bool(_PLAIN_VALUE.fullmatch(value)) or is_placeholder(value)
