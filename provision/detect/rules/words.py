"""Values beside a name in words: `API key: …`, `the token is …`, `mot de passe : …`, `密码: …`."""

from __future__ import annotations

from provision.detect.rules.beside import NAME, VALUE, beside, for_gate, utf8
from provision.detect.rules.pieces import ALNUM, example

_KINDS = (
    "api|secret|access|auth|private|subscription|encryption|signing|master|account|license|shared|deploy|service|session|security"
    "|client|app|application|consumer|bearer|refresh|webhook|recovery|storage|product|bot|admin|user|login|license"
)
_TWO_WORDS = tuple(
    f"{kind} {what}"
    for what, kinds in (
        (
            "key",
            "api secret access auth private subscription encryption signing master account license shared deploy service",
        ),
        ("key", "consumer recovery storage"),
        ("token", "api secret access auth deploy session security bearer refresh bot"),
        ("secret", "api signing shared client app application consumer webhook"),
        ("password", "master app application admin user login"),
    )
    for kind in kinds.split()
)
_COLON = "\uff1a"
"""The colon of Chinese and Japanese."""
_ONE_WORD = ("password", "passphrase", "passcode", "passwort", "token", "secret", "api_key", "api-key", "apikey")
_SIGNS = (" is", " for ", " (", "*", "`", " - ", " ->", " →", "\uff1a", " #")
_SAID = r"(?:[*_`\"']{1,4}|[ ](?:\([^()\r\n]{1,24}\)|#?\d{1,2}|for[ ][\w.@-]{1,24}))[ \t]{0,4}"
"""What may be between a name and its sign: `**`, ` (prod)`, ` for ada`."""
_BETWEEN = rf"(?:{_SAID})?[ \t]{{0,4}}"
_MARKS = r"[*_`\"'(\[]{0,4}"
_STRONG_SIGN = rf"(?:{utf8(_COLON)}|->|{utf8('→')}|-[ ]|is:?[ ]|was:?[ ]|{utf8('是')})"
_SIGN = rf"(?::=|:|=|{_STRONG_SIGN})"
_ENDS = "(?:key|secret|token|password|passphrase|passcode|passwort|passwd)"
_ONE = NAME.replace("?P<name>", "?:")
_BELOW = r"[ \t]{0,2}(?:[^:\r\n]{0,60}:)?[*_`]{0,3}(?:\r?\n){1,2}[ \t>]{0,8}[`\"']?"
"""From a name to a value on the next line or the one after it."""

_FOREIGN_VERB = rf"(?:lautet|ist|est|es|{utf8('è')}|{utf8('é')}|{utf8('är')}|er|on|to|jest|{utf8('это')}):?[ ]"
_FOREIGN = (
    "mot de passe", "clé api", "clé d'api", "clé secrète", "clef api", "jeton d'accès", "contraseña", "clave api",
    "clave de api", "clave secreta", "clave de acceso", "kennwort", "passwort", "api-schlüssel", "zugangsschlüssel",
    "geheimschlüssel", "zugangstoken", "senha", "chave de api", "chave api", "chave secreta", "chave de acesso",
    "chiave api", "chiave segreta", "parola d'ordine", "wachtwoord", "api-sleutel", "geheime sleutel", "lösenord",
    "api-nyckel", "adgangskode", "api-nøgle", "passord", "api-nøkkel", "salasana", "api-avain", "hasło", "klucz api",
    "heslo", "api klíč", "jelszó", "api kulcs", "parolă", "parola", "şifre", "api anahtar\u0131", "пароль",
    "ключ api", "api-ключ", "секретный ключ", "ключ доступа", "токен", "секретний ключ", "κωδικός", "密码", "密碼",
    "密钥", "密鑰", "口令", "令牌", "パスワード", "apiキー", "秘密鍵", "トークン", "シークレットキー", "비밀번호",
    "api 키", "암호", "비밀 키", "كلمة المرور", "كلمة السر", "סיסמה", "पासवर्ड", "mật khẩu", "khóa api", "kata sandi",
    "kunci api", "รหัสผ่าน",
)  # fmt: skip
"""What people call a password, a key or a token."""


def _any_case(name: str) -> str:
    """The pattern of a name; RE2 ignores the case of ASCII letters only."""
    made = (f"(?:{utf8(c)}|{utf8(c.upper())})" if c.upper() != c and not c.isascii() else utf8(c) for c in name)
    return "".join("[ -]?" if c in " -" else c for c in made)


def _keyword(name: str) -> str:
    """The part of a name that is written in one way: without a first letter whose capital is not ASCII."""
    return name if name[0].isascii() or name[0].upper() == name[0] else name[1:]


_VALUE = VALUE.replace(r"\\]", r"\\*]")
_LAST = VALUE.replace(r"\\]", r"\\*.:?]")
_ASCII_VALUE, _ASCII_LAST = (each.replace(r"\\*", r"\\*\x80-\xff") for each in (_VALUE, _LAST))
_FOREIGN_NAME = rf"(?P<name>{'|'.join(map(_any_case, sorted(_FOREIGN, key=len, reverse=True)))})"

RULES = (
    beside(
        "words",
        "Value after the name of a secret in words",
        rf"(?P<name>\b(?:{_KINDS})[ -](?:key|secret|token|password){_BETWEEN}{_SIGN}|{_ONE}(?:{_SAID}{_SIGN}"
        rf"|[ \t]{{0,4}}{_STRONG_SIGN}))"
        rf"{_MARKS}[ \t]{{0,4}}{_MARKS}",
        example("API key: ", ALNUM, 32),
        example("**API key:** `", ALNUM, 32, "`"),
        example("Here the token is ", ALNUM, 24, "."),
        example("Client secret (prod) - ", ALNUM, 30),
        keywords=(*_TWO_WORDS, *(word + sign for word in _ONE_WORD for sign in _SIGNS)),
        not_found=("API key: required", "the token is expired2", "**Password:** `<password>`", "API key: see page 12"),
        gate=rf"(?:[ -](?:key|secret|token|password){_BETWEEN}{_SIGN}"
        rf"|{for_gate(NAME)}(?:{_SAID}{_SIGN}|[ \t]{{0,4}}{_STRONG_SIGN})){_MARKS}[ \t]{{0,4}}{_MARKS}",
        value=_VALUE,
        last=_LAST,
        shortest=5,
        reach=420,
    ),
    beside(
        "words-in-other-languages",
        "Value after the name of a secret in another language",
        rf"{_FOREIGN_NAME}{_BETWEEN}(?:{_SIGN}|{_FOREIGN_VERB}){_MARKS}[ \t]{{0,4}}{_MARKS}",
        example("mot de passe : ", ALNUM, 24),
        example("Contraseña: ", ALNUM, 24),
        example("Der API-Schlüssel lautet ", ALNUM, 32, "."),
        example("密码\uff1a", ALNUM, 24),
        keywords=sorted({_keyword(name) for name in _FOREIGN}),
        not_found=("mot de passe : obligatoire", "пароль: ********", "Kennwort: <Kennwort>"),
        gate=None,
        value=_ASCII_VALUE,
        last=_ASCII_LAST,
        shortest=5,
        reach=420,
    ),
    beside(
        "words-on-the-line-above",
        "Value on the line below the name of a secret",
        rf"(?P<name>(?:{_KINDS})[ ](?:key|secret|token|password)){_BELOW}",
        example("API key\n", ALNUM, 32, "\n"),
        example("Your API key was created:\n\n    ", ALNUM, 32, "\n"),
        start=r"^[ \t>#*_`-]{0,8}(?:(?:here[ ]is[ ])?(?:your|the|a)[ ](?:new[ ])?|new[ ])?",
        after=r"[`\"']?[ \t]*\r?$",
        keywords=_TWO_WORDS,
        gate=rf"[ ](?:key|secret|token|password){_BELOW}",
        not_found=("API key\nThe key of the service2", "Access token\n\nrequired\n"),
        shortest=16,
        reach=340,
    ),
)
