"""Names whose values are secrets by their name alone, and values that are none: switches, references, placeholders."""

from __future__ import annotations

from functools import lru_cache

from provision.detect.shapes import is_placeholder
from provision.lazy_regex import lazy_regex

_WORDS = lazy_regex(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\x00-\x7f]+")
VENDORS = (
    "openai", "anthropic", "stripe", "mapbox", "sendgrid", "mailgun", "twilio", "datadog", "algolia", "cloudflare", "groq",
    "deepseek", "mistral", "cohere", "gemini", "openrouter", "pinecone", "replicate", "azure", "aws", "gcp", "google", "github",
    "gitlab", "slack", "aisa", "hermes",
)  # fmt: skip
"""Services whose key is a secret: `stripe_key`."""
_ALONE = frozenset(
    {"password", "passwd", "passphrase", "passcode", "passkey", "pwd", "pw", "psk", "secret", "secrets", "token", "apikey",
     "apitoken", "authorization", "credential", "credentials", "cookie", "bearer", "accesstoken", "refreshtoken", "authtoken",
     "secretkey", "privatekey", "clientsecret", "accesskey", "passwort", "jwt", "authtok"}
)  # fmt: skip
_ENDINGS = (
    "password", "passwd", "passphrase", "passwort", "apikey", "secretkey", "accesskey", "privatekey", "authtoken", "accesstoken",
    "apitoken", "clientsecret", "bindpw", "rootpw", "adminpw", "userpw",
)  # fmt: skip
"""How one word ends that names a secret: `PGPASSWORD`."""
FOREIGN = (
    "mot de passe", "clé api", "clé d'api", "clé secrète", "clef api", "jeton d'accès", "contraseña", "contrasena", "clave api",
    "clave de api", "clave secreta", "clave de acceso", "kennwort", "passwort", "api-schlüssel", "api-schluessel",
    "zugangsschlüssel", "geheimschlüssel", "zugangstoken", "senha", "chave de api", "chave api", "chave secreta",
    "chave de acesso", "chiave api", "chiave segreta", "parola d'ordine", "wachtwoord", "api-sleutel", "geheime sleutel",
    "lösenord", "losenord", "api-nyckel", "adgangskode", "api-nøgle", "passord", "api-nøkkel", "salasana", "api-avain", "hasło",
    "haslo", "klucz api", "heslo", "api klíč", "lozinka", "jelszó", "api kulcs", "parolă", "parola", "şifre", "sifre",
    "api anahtar\u0131", "пароль", "ключ api", "api-ключ", "секретный ключ", "ключ доступа", "токен", "секретний ключ",
    "κωδικός", "密码", "密碼", "密钥", "密鑰", "口令", "令牌", "パスワード", "apiキー", "秘密鍵", "トークン", "シークレットキー",
    "비밀번호", "api 키", "암호", "비밀 키", "كلمة المرور", "كلمة السر", "סיסמה", "पासवर्ड", "mật khẩu", "khóa api",
    "kata sandi", "kunci api", "รหัสผ่าน",
)  # fmt: skip
"""What people call a password, a key or a token in other languages."""
_JOINERS = dict.fromkeys(map(ord, " _.-"))
_FOREIGN_ENDINGS = tuple(name.translate(_JOINERS) for name in FOREIGN)
KEYS_OF = frozenset(
    {"api", "secret", "private", "access", "auth", "account", "encryption", "signing", "master", "license", "storage",
     "service", "session", "webhook", "x", "shared", "deploy", "ssh", "subscription", "client", "app", "hmac", "fernet", "jwt",
     "crypt", "wpa", "wifi", *VENDORS}
)  # fmt: skip
"""Words before `key` with which a key is a secret: `api_key`, `signing-key`."""
_PASS_OF = frozenset(
    {"user", "admin", "root", "login", "auth", "db", "database", "mysql", "pg", "postgres", "mongo", "redis", "smtp", "imap",
     "pop", "mail", "email", "ftp", "sftp", "ldap", "proxy", "http", "basic", "rabbitmq", "mqtt", "key", "store",
     "relay", "relayhost", "ssh", "become", "sudo", "default", "remote", "vpn", "wifi", "bind", "keystore", "cert", "zip",
     "backup", "service", "svc", "app", "client", "server", "web"}
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
_PLAIN_VALUE = lazy_regex(
    r"""(?ix) true|false|yes|no|on|off|null|none|nil|~|\d{1,5}(?:\.\d{1,4})? | \$\{[A-Z_][A-Z0-9_]*\} | \$[A-Z_][A-Z0-9_]* | op://\S+"""
)


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether a value with this name (`api_key`, `clientSecret`, `X-Api-Key`) is a secret by its name alone."""
    if name.lower().translate(_JOINERS).rstrip("0123456789").endswith(_FOREIGN_ENDINGS):
        return True
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
    return (words[-1] in {"key", "keys"} and before in KEYS_OF) or (words[-1] == "pass" and before in _PASS_OF)


def plain_value(value: str) -> bool:
    """Whether a value cannot be a secret: empty, a switch, a small number, a reference, a placeholder."""
    value = value.strip()
    return not value or bool(_PLAIN_VALUE.fullmatch(value)) or is_placeholder(value)
