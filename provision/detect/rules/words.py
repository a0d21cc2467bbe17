"""Values beside a name in words: `API key: …`, `the token is …`."""

from __future__ import annotations

from provision.detect.rules.beside import NAME, VALUE, beside, for_gate, utf8
from provision.detect.rules.pieces import ALNUM, example
from provision.detect.secret_names import VENDORS

_KINDS = (
    "api|secret|access|auth|private|subscription|encryption|signing|master|account|license|shared|deploy|service|session|security"
    "|client|app|application|consumer|bearer|refresh|webhook|recovery|storage|product|bot|admin|user|login|license"
    f"|{'|'.join(VENDORS)}"
)
_TWO_WORDS = tuple(
    f"{kind} {what}"
    for what, kinds in (
        (
            "key",
            "api secret access auth private subscription encryption signing master account license shared deploy service",
        ),
        ("key", "consumer recovery storage"),
        ("key", " ".join(VENDORS)),
        ("token", "api secret access auth deploy session security bearer refresh bot"),
        ("secret", "api signing shared client app application consumer webhook"),
        ("password", "master app application admin user login"),
    )
    for kind in kinds.split()
)
_COLON = "\uff1a"
"""The colon of Chinese and Japanese."""
_ONE_WORD = ("password", "passphrase", "passcode", "passwort", " pw", "token", "secret", "api_key", "api-key", "apikey")
_SIGNS = (" is", "'s ", " for ", " on ", " (", "*", "`", " - ", " ->", " →", "\uff1a", " #")
_SAID = r"(?:[*_`\"']{1,4}|[ ](?:\([^()\r\n]{1,24}\)|#?\d{1,2}|(?:for|on|of)[ ][\w.@-]{1,24}))[ \t]{0,4}"
"""What may be between a name and its sign: `**`, ` (prod)`, ` for ada`."""
BETWEEN = rf"(?:{_SAID})?[ \t]{{0,4}}"
MARKS = r"[*_`\"'(\[]{0,4}"
_STRONG_SIGN = rf"(?:{utf8(_COLON)}|->|{utf8('→')}|-[ ]|(?:'s|is|was):?[ ]|{utf8('是')})"
SIGN = rf"(?::=|:|=|{_STRONG_SIGN})"
_ENDS = "(?:key|secret|token|password|passphrase|passcode|passwort|passwd)"
_ONE = NAME.replace("?P<name>", "?:")
_BELOW = r"[ \t]{0,2}(?:[^:\r\n]{0,60}:)?[*_`]{0,3}(?:\r?\n){1,2}[ \t>]{0,8}[`\"']?"
"""From a name to a value on the next line or the one after it."""

_VALUE = VALUE.replace(r"\\]", r"\\*]")
_LAST = VALUE.replace(r"\\]", r"\\*.:?]")

RULES = (
    beside(
        "words",
        "Value after the name of a secret in words",
        rf"(?P<name>\b(?:{_KINDS})[ -](?:key|secret|token|password){BETWEEN}{SIGN}|{_ONE}(?:{_SAID}{SIGN}"
        rf"|[ \t]{{0,4}}{_STRONG_SIGN}))"
        rf"{MARKS}[ \t]{{0,4}}{MARKS}",
        example("API key: ", ALNUM, 32),
        example("OpenAI key: ", ALNUM, 32),
        example("**API key:** `", ALNUM, 32, "`"),
        example("Here the token is ", ALNUM, 24, "."),
        example("Client secret (prod) - ", ALNUM, 30),
        keywords=(*_TWO_WORDS, *(word + sign for word in _ONE_WORD for sign in _SIGNS)),
        not_found=("API key: required", "the token is expired2", "**Password:** `<password>`", "API key: see page 12"),
        gate=rf"(?:[ -](?:key|secret|token|password){BETWEEN}{SIGN}"
        rf"|{for_gate(NAME)}(?:{_SAID}{SIGN}|[ \t]{{0,4}}{_STRONG_SIGN})){MARKS}[ \t]{{0,4}}{MARKS}",
        value=_VALUE,
        last=_LAST,
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
