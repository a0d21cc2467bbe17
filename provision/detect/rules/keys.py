"""Private keys: age, SSH, TLS, PGP, PuTTY, WireGuard."""

from __future__ import annotations

from provision.detect.entropy import shannon
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.private_key import FIRST_CHARACTERS, is_one_key
from provision.detect.rule import Rule
from provision.detect.rules.pieces import ALNUM, LEFT, filler
from provision.lazy_regex import lazy_regex

_BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_BASE64 = ALNUM + "+/"
_BASE64_RUN = lazy_regex(rb"[A-Za-z0-9+/]{24,}")


def _holds_key_material(value: bytes) -> bool:
    """Return whether there is base64 between the lines, and not the source code of a program that parses keys."""
    runs = [run for run in _BASE64_RUN.findall(value) if len(set(run)) >= 8]
    return sum(map(len, runs)) >= 48 and shannon(b"".join(runs)) >= 4.0


def _is_private_key(value: bytes) -> bool:
    """Return the same for PEM; no line may be other text: a BEGIN line in prose does not reach to a key's END far below."""
    return _holds_key_material(value) and is_one_key(value)


def _pem(kind: str, length: int = 400, newline: str = "\n") -> str:
    body = filler(kind, _BASE64, length)
    lines = newline.join(body[at : at + 64] for at in range(0, length, 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----{newline}{lines}{newline}-----END {kind}PRIVATE KEY-----{newline}"


def _putty() -> str:
    lines = "\n".join(filler(f"ppk{n}", _BASE64, 64) for n in range(3))
    return f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 3\n{lines}\n"


KEY_BODY_RULE = "private-key-body"
PRIVATE_KEY_RULES = frozenset({"private-key", "putty-private-key", KEY_BODY_RULE})
"""Rules for keys of many lines. In a stream `private_key` follows their lines."""

RULES: tuple[Rule, ...] = (
    Rule(
        id="private-key",
        description="Private key (PEM: SSH, TLS, PGP)",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("private key-----", "private key block-----"),
        # the second form is a key without its end: only base64 may follow then
        pattern=r"(?P<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^\x00-\x08(){};$-]|-{1,4}[^\x00-\x08(){};$-])+?"
        r"-{5,9}END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?:[A-Za-z0-9+/=\s]|\\[nr]){40,}))",
        examples=(
            lambda: _pem("OPENSSH "),
            lambda: _pem("RSA ", 1600),
            lambda: _pem("", 160, "\\n"),
            lambda: _pem("EC ")[:300],
        ),
        counter_examples=(
            'if "-----BEGIN PRIVATE KEY-----" in text and text.endswith("-----END PRIVATE KEY-----"):',
            "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        ),
        accept=_is_private_key,
        reach=16384,
    ),
    Rule(
        id=KEY_BODY_RULE,
        description="Private key without its BEGIN line (the base64 of PKCS #1, PKCS #8, SEC 1 or OpenSSH)",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=(
            "b3blbnnzac1rzxktdje",
            "ibadanbgkqhkig9w0b",
            "ibaakb",
            "ibaakc",
            "byqgsm49",
            "caqawewyhkozizj0",
            "bqydk2v",
            "mhccaqeei",
            "migkagebbd",
            "mihcagebbei",
            "bgkqhkig9w0bbq0w",
            "bgoqhkig9w0bdae",
            "csqgsib3dqefdt",
            "ciqgsib3dqemaq",
            "jkozihvcnaqunm",
            "kkozihvcnaqwb",
        ),
        pattern=rf"(?:^|[^A-Za-z0-9/])(?P<secret>{FIRST_CHARACTERS}[A-Za-z0-9+/]{{20}}[A-Za-z0-9+/]*={{0,2}})",
        gate=FIRST_CHARACTERS + "[A-Za-z0-9+/]{20}",
        examples=(
            lambda: "b3Blbn" + "NzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW" + "\n",
            lambda: "log: " + "MIIEpAIBAAKCAQEA" + filler("pkcs1", _BASE64, 48),
            lambda: "> " + "MIIEvQ" + "IBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + filler("pkcs8", _BASE64, 14),
            lambda: "MC4CAQAwBQYDK2VwBCIEI" + filler("ed25519", _BASE64, 43),
            lambda: "MHcCAQEEI" + filler("sec1", _BASE64, 55),
            lambda: "MIGHAg" + "EAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" + filler("ec8", _BASE64, 16),
            lambda: "MIIFLT" + "BXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI" + filler("enc8", _BASE64, 16),
            lambda: "MIGbMF" + "cGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjB" + filler("enc25519", _BASE64, 16),
            lambda: "MIIE6j" + "AcBgoqhkiG9w0BDAEDMA4ECHj9zQMifUxTAgIIAASC" + filler("pbes1", _BASE64, 16),
            lambda: "MFgwHA" + "YKKoZIhvcNAQwBAzAOBAiaS0eedZrP5AICCAAEOBQS" + filler("pbes1ed", _BASE64, 16),
        ),
        counter_examples=(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "q7Vh2LmZp0XcT9bRk4wY",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8dNyOjmaQ2UYVkbGZD",
            "MCowBQYDK2VwAyEA" + "q7Vh2LmZp0XcT9bRk4wYs8NdJf3GuEa6",
        ),
        reach=8400,
    ),
    Rule(
        id="age-secret-key",
        description="age identity",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("age-secret-key-", "age-plugin-"),
        pattern=LEFT
        + r"(?P<secret>(?i:AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]{40,90}|AGE-PLUGIN-[A-Z0-9]{2,20}-1[02-9AC-HJ-NP-Z]{20,200}))",
        examples=(
            lambda: "AGE-SECRET-" + "KEY-1" + filler("age", _BECH32, 58),
            lambda: "AGE-PLUGIN-" + "YUBIKEY-1" + filler("agep", _BECH32, 40),
        ),
        counter_examples=("AGE-SECRET-KEY-1" + "Q" * 58, "age1" + "q" * 58, "AGE-SECRET-KEY-1..."),
    ),
    Rule(
        id="putty-private-key",
        description="PuTTY private key",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("putty-user-key-file-",),
        pattern=r"PuTTY-User-Key-File-\d: [^\x00]{1,1000}?Private-Lines: \d{1,3}\s{1,2}"
        r"(?P<secret>(?:[A-Za-z0-9+/=]+\s{1,2}){1,60})",
        examples=(_putty,),
        counter_examples=("PuTTY-User-Key-File-2: ssh-rsa\nPublic-Lines: 4\n",),
        accept=_holds_key_material,
        reach=8192,
    ),
    Rule(
        id="wireguard-key",
        description="WireGuard private or preshared key",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("privatekey", "presharedkey"),
        pattern=r"(?i)(?P<name>PrivateKey|PresharedKey)\s{0,4}=\s{0,4}(?P<secret>[A-Za-z0-9+/]{43}=)",
        gate=r"(?i)(?:PrivateKey|PresharedKey)\s{0,4}=\s{0,4}[A-Za-z0-9+/]{43}=",
        entropy=3.5,
        examples=(lambda: "PrivateKey = " + filler("wg", _BASE64, 43) + "=",),
        counter_examples=("PrivateKey = (hidden)", "PrivateKey = " + "A" * 43 + "="),
    ),
)
