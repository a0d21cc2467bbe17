"""Reject false positives: placeholders, references to variables, masked values, public keys, hashes, UUIDs.

Detecting and rejecting are separate: a rule reports a value, this module rejects it. A value of a rule with a prefix of its
own is rejected only as a placeholder or example. A value that was found because of its name or its randomness is also
rejected as a hash, a UUID, a path, an address or plain words.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

from provision.detect.entropy import run_share, shannon, word_share
from provision.detect.shapes import aisa_shaped, is_placeholder
from provision.lazy_regex import lazy_regex

GUESSES = frozenset({"high-entropy"})
"""Rules that find values without a prefix of their own, besides those whose id begins with `assigned-`."""
_MASKED = lazy_regex(r"\.{3}|…|\*{3,}|•{2,}|[xX]{6,}|#{4,}|_{6,}|\[REDACTED|<redacted|\(hidden\)|0{12,}", re.IGNORECASE)
_REFERENCE = lazy_regex(
    r"""(?ix) ^ \$ | \$\{ | \$\( | \{\{ | ^%[a-z_0-9]+%$ | ^<[^>]+>$ | ^\{[^{}]*\}$ | ^@[a-z] | %\([a-z_]+\)s
      | ^%[sdrv]$ | \#\{ | ^/[a-z]+(?::[a-z]+)?$
      | ^(?:env|file|vault|op|keyring|secret|ssm|aws-sm|gcp-sm|azure-kv|doppler|bws|arn|urn|data|ref|cmd|exec):
      | process\.env | os\.environ | getenv | \bENV\[ | ^!(?:ref|sub|env|vault) """,
)
_EXAMPLE = lazy_regex(
    r"""(?ix) example | sample | dummy | placeholder | change[-_]?me | replace[-_]?(?:me|this|with)
      | your[-_]?(?:own|api|key|token|secret|password) | (?:insert|enter|paste|put)[-_ ]?(?:your|here|the)
      | (?:api|the|some)[-_]?key[-_]?here | \bfake
      | (?:^|[-_])(?:fake|test|mock|demo|foo|foobar|bogus|invalid|redacted|notreal|not-a-real)(?:[-_]|$)
      | ^test | deadbeef | c0ffee | 0123456789 | 1234567 | 00010203 | abcdefgh | qwerty | lorem | (?:foo|bar){2,} """,
)
_TEST_MODE = lazy_regex(r"(?i)^(?:[a-z]{2,16}[-_])?(?:live|test|sandbox)[-_](?:pub[-_])?(?=[0-9A-Za-z_=-]{24})")
"""How tokens of many services say their mode: the rest is as random as that of others."""
_FEW_CHARACTERS = 8
"""Long hex has sixteen different characters."""
_ADVICE = lazy_regex(r"(?i)your|my[-_]|here|goes|insert|paste|replace")
_PAIR = lazy_regex(r"(?<!\.)\.\.(?!\.)|(?<!\*)\*\*(?!\*)")
_BASE64 = lazy_regex(r"[0-9A-Za-z_-]{16,}={0,2}")
_UUID = lazy_regex(r"(?i)\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?")
_TYPE = lazy_regex(r"[A-Z][A-Za-z0-9]*(?:Key|Token|Secret|Password|Credentials?|Cookie|Auth)")
"""A class of a program: `signing_key: Ed25519PrivateKey`."""
_SOME_WORDS = 0.3
_FINGERPRINT = lazy_regex(r"fp_[a-z2-7]{16}|pf_[0-9a-f]{16}")  # fingerprints of keys and findings
_HASH = lazy_regex(r"(?i)(?:md5|sha-?\d{1,3}|blake2[bs]?|blake3|crc32)[-:=_/$]\S+|(?:[0-9a-f]{2}:){5,}[0-9a-f]{2}")
_CRYPT = lazy_regex(
    r"\$(?:[0-9]|[0-9][abxy]|argon2(?:id|i|d)|scrypt|pbkdf2[-a-z0-9]*|y|gy|apr1)\$|pbkdf2_|\{S?SHA\d*\}"
)
_PUBLIC = lazy_regex(
    r"ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-|sk-ssh-|AAAA[BCE]3Nza|AAAAE2VjZHNh|age1[0-9a-z]{10}|npub1|0x[0-9a-fA-F]{40}$"
    r"|MI[GI]fMA0G|MIIBIjAN|MFkwEwYH|MCowBQYDK2V"  # how public keys of each kind begin in base64
)
_NUMBER = lazy_regex(r"[-+]?[0-9][0-9_.,:eE+/-]*[a-zA-Z%]{0,3}|0x[0-9a-fA-F]{1,16}|\d{4}-\d\d-\d\d[T ].*")
_PLACE = lazy_regex(
    r"""(?ix) [a-z][a-z0-9+.-]*:// | ^(?:\.{0,2}|~)/ | ^[a-z]:[\\/] | ^[\w.+-]+@[\w-]+\.[\w.-]+$ | ^[\w-]+(?:\.[\w-]+)+:\d+$
      | \.(?:py|js|ts|json|ya?ml|toml|md|txt|html?|css|png|svg|pem|key|crt|sh|so|go|rs|java|c|h)$ """,
)
_PATH = lazy_regex(r"[\w-]+(?:/[\w.-]+)+/?")
_CODE = lazy_regex(
    r"\w\(|\)$|^\[|\]$|=>|->|::|\|\||&&|^[=!<>]=|^lambda\b|\w\[[\"'\w]"
    r"|^(?:self|this|cls|req|request|config|cfg|settings|opts?|options|args|params|ctx|data|event|state|props)[.\[]"
)
_NAME_BEFORE = lazy_regex(
    r"([\w.-]+)[\"'`\])]{0,2}\s{0,4}(?::=|=>|[:=])\s{0,4}(?:[brfu]{0,2}\\{0,2}[\"'`])?$", re.IGNORECASE
)
_ASSIGNMENT = lazy_regex(r"[A-Za-z_][\w.-]*=[^=]")
_HARMLESS_NAME = lazy_regex(
    r"""(?ix) (?:^|[_.-]) (?:
          public|publishable|pub|public_?key|encrypted|wrapped|primary|foreign|sort|partition|cache|lookup|host|map|row|column|dict|json|object
        | index|hash|integrity|digest|checksum|sha\d*|md5|etag|commit|rev(?:ision)?|fingerprint|thumbprint|signature|csrf|xsrf
        | nonce|next|page|pagination|continuation|cursor|sync(?:ed)?|delta|resume|trace|batch
        | cancel(?:lation)?|idempotency|stop|eos|bos|pad|unk|mask|sep|cls
        | special|design|color|syntax|lex(?:er)?|parse[rd]?|last|prev|current|start|end|open|close|left|right
        | i18n|translation|locale|message|site
        ) [_.-]? (?:key|token)s? $
      | (?:integrity|digest|checksum|sha\d+|md5|etag|commit|revision|fingerprint|uuid|guid|hash|version|resolved)$ """,
)
_MANUALS_PASSWORD = lazy_regex(
    r"(?i)(?:(?:my|your|a|the|some)[-_ ]?)?(?:super[-_ ]?)?(?:pass(?:word|wd|phrase)?|secret)\d*"
    r"|pwd\d*|user(?:name)?\d*|root|admin|test|token|postgres|guest|public|private|anonymous@?|mysql|foo|bar|baz|x+|\*+|[a-z]"
)
_DEMO_KEY = lazy_regex(
    r"(?i)^sk-(?:ssh|ecdsa)-|AKIA[A-Z0-9]{9}EXAMPLE|sk-(?:aisa-|ant-|proj-|or-v1-)?(?:x+|\.+|0+|a+)$"
)


def is_not_secret(value: str, rule_id: str, context: bytes = b"") -> bool:
    """Return whether a value that `rule_id` found is a false positive. `context` are the bytes around it, with its name."""
    if aisa_shaped(value):
        return is_placeholder(value)
    if rule_id.startswith(("private-key", "putty", "password-hash")):
        return False
    if _CRYPT.match(value):
        return True
    if rule_id.startswith(("dsn-", "assigned-password")):
        return is_reference_or_mask(value) or is_manuals_password(value)
    if rule_id == "basic-login" and is_manuals_password(_password_of(value)):
        return True
    if rule_id == "assigned-uuid":
        return _has_other_name(value, context)
    guessed = rule_id.startswith("assigned-") or rule_id in GUESSES
    if is_reference_or_mask(value) or _is_example(value, guessed=guessed):
        return True
    return guessed and (_is_other_data(value) or _has_other_name(value, context) or _is_next_assignment(value, context))


def _password_of(login: str) -> str:
    """Return the password of a login in base64."""
    try:
        return base64.b64decode(login + "=" * (-len(login) % 4)).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""


def is_reference_or_mask(value: str) -> bool:
    """Return whether this is a reference to a value elsewhere, or a value that is already masked."""
    # long random passwords may contain two dots or stars; a mask has more
    plain = _PAIR.sub("", value) if len(value) >= 12 else value
    refers = _REFERENCE.search(value) and not _CRYPT.match(value)
    return bool(is_placeholder(plain) or _MASKED.search(value) or refers or _DEMO_KEY.search(value))


def is_manuals_password(value: str) -> bool:
    """Return whether this is one of the passwords that manuals use as examples. Short real passwords are still found."""
    return bool(_MANUALS_PASSWORD.fullmatch(unquote(value)) or _EXAMPLE.search(value))


def _is_example(value: str, *, guessed: bool) -> bool:
    body = re.sub(
        r"^(?:A(?:KI|SI|BI|CC)A|AGE-SECRET-KEY-1)|^(?:sk|pk|rk|gh[a-z]|glpat|xox[a-z]|hf|npm|pypi|xai|gsk)[-_](?:live|test|proj|ant|or|v1|api03|aisa)?[-_]?",
        "",
        value,
    )
    if len(body) >= 12 and len(set(body)) <= max(3, min(len(body) // 8, _FEW_CHARACTERS)):
        return True
    if run_share(body) >= 0.5:
        return True
    share = word_share(body)
    if _EXAMPLE.search(_TEST_MODE.sub("", value)) and (
        guessed or share > 0.2 or run_share(body) > 0.15 or len(body) < 24
    ):
        return True
    much = 0.55 if guessed or _ADVICE.search(value) else 0.7
    return share > much or (len(body) >= 16 and shannon(body) < 2.3)


def _is_other_data(value: str) -> bool:
    return bool(
        (_TYPE.fullmatch(value) and word_share(value) > _SOME_WORDS)
        or _UUID.fullmatch(value)
        or _FINGERPRINT.fullmatch(value)
        or _HASH.fullmatch(value)
        or _CRYPT.match(value)
        or _PUBLIC.match(value)
        or _NUMBER.fullmatch(value)
        or _PLACE.search(value)
        or (_PATH.fullmatch(value) and word_share(value) > 0.2)
        or _decodes_to_words(value)
        or _CODE.search(value)
    )


def _decodes_to_words(value: str) -> bool:
    """Return whether it decodes (base64, percent signs) to a sentence or words."""
    if "%" in value and word_share(unquote(value)) > 0.5:
        return True
    return _BASE64.fullmatch(value) is not None and word_share(text_in_base64(value)) > 0.5


def text_in_base64(value: str) -> str:
    """Return the printable text that a value is in base64; empty if it is none."""
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        return ""
    return text if text.strip().isprintable() else ""


def _is_next_assignment(value: str, context: bytes) -> bool:
    """Return whether this is the assignment in the next line: the name that was found has no value."""
    before = context.partition(value.encode("utf-8", "surrogateescape"))[0].rstrip(b" \t")
    return before.endswith(b"\n") and bool(_ASSIGNMENT.match(value))


def _has_other_name(value: str, context: bytes) -> bool:
    text = context.decode("utf-8", "surrogateescape")
    at = text.find(value)
    named = _NAME_BEFORE.search(text[:at]) if at > 0 else None
    return bool(named and is_harmless_name(named[1]))


def is_harmless_name(name: str) -> bool:
    """Return whether a name says that its key or token is not a secret: `next_token`, `publicKey`, `Last Synced Token`."""
    return _HARMLESS_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])| ", "_", name)) is not None
