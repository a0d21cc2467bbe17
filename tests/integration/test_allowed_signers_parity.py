"""One table of `allowed_signers` texts, asked of both: provision and the real ssh-keygen.

Whom provision trusts, ssh-keygen trusts too. What ssh-keygen trusts and provision does not is refused with an error, never read
in another way; the table says which lines these are.
"""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.signing.allowed_signers import (
    AllowedSigner,
    BadAllowedSignersError,
    find_trusted_signer,
    parse_allowed_signers,
)
from provision.signing.sshsig import NAMESPACE, public_blob, public_line, sign_bytes

pytestmark = pytest.mark.programs("ssh-keygen")
KEYGEN = shutil.which("ssh-keygen") or "ssh-keygen"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
K, STRANGER = public_line(KEY.public_key()), public_line(OTHER.public_key())
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DATA = b"what was signed"
TRUSTED, NOT_TRUSTED, REFUSED = "trusted", "not trusted", "refused"


def ours(text: str) -> str:
    try:
        found = find_trusted_signer(parse_allowed_signers(text), public_blob(KEY.public_key()), NOW)
    except BadAllowedSignersError:
        return REFUSED
    return TRUSTED if isinstance(found, AllowedSigner) else NOT_TRUSTED


def theirs(folder: Path, text: str) -> bool:
    """Whether ssh-keygen verifies a signature for any of these principals, at the same time."""
    (folder / "allowed").write_bytes(text.encode())
    (folder / "sig").write_bytes(sign_bytes(DATA, KEY))
    for principal in ("operator", "ada@corp", "a b", "nobody"):
        options = [*("-f", folder / "allowed"), *("-s", folder / "sig"), *("-n", NAMESPACE), *("-I", principal)]
        when = f"-Overify-time={NOW:%Y%m%d%H%M%SZ}"
        done = subprocess.run([KEYGEN, "-Y", "verify", *options, when], input=DATA, capture_output=True, check=False)
        if done.returncode == 0:
            return True
    return False


TABLE = [
    (f"operator {K}", TRUSTED),
    (f'operator {K} with a comment, "quoted"', TRUSTED),
    (f"  \toperator\t \t{K}", TRUSTED),
    (f"operator {K}\r\n", TRUSTED),
    (f"# text\n\n   # text\noperator {K}", TRUSTED),
    (f"ada@corp,operator {K}", TRUSTED),
    (f"*@corp {K}", TRUSTED),
    (f"op?rator {K}", TRUSTED),
    (f'"a b" {K}', TRUSTED),
    (f'operator namespaces="{NAMESPACE}" {K}', TRUSTED),
    (f'operator NameSpaces="git,hermes-*" {K}', TRUSTED),
    (f'operator namespaces="git",valid-after="20260101Z",valid-before="20270101Z" {STRANGER}\noperator {K}', TRUSTED),
    (f'operator valid-after="202606011200Z" {K}', TRUSTED),
    (f'operator valid-before="20260601120000Z" {K}', TRUSTED),
    (f"operator {STRANGER}", NOT_TRUSTED),
    (f'operator namespaces="git" {K}', NOT_TRUSTED),
    (f'operator namespaces="!{NAMESPACE},*" {K}', NOT_TRUSTED),
    (f'operator namespaces="git, {NAMESPACE}" {K}', NOT_TRUSTED),
    (f'operator namespaces="{NAMESPACE.upper()}" {K}', NOT_TRUSTED),
    (f'operator valid-before="20260601115959Z" {K}', NOT_TRUSTED),
    (f'operator valid-after="20260601120001Z" {K}', NOT_TRUSTED),
    (f"operator cert-authority {K}", NOT_TRUSTED),
    ("", NOT_TRUSTED),
    (f"#operator {K}", NOT_TRUSTED),
    (K, REFUSED),
    (f"operator,!ada@corp {K}", REFUSED),
    (f"!operator,* {K}", REFUSED),
    (f"operator namespaces={NAMESPACE} {K}", REFUSED),
    (f'operator namespaces="git\\",{NAMESPACE}" {K}', REFUSED),
    (f'operator namespaces="{NAMESPACE}", {K}', REFUSED),
    (f'operator namespaces="git",namespaces="{NAMESPACE}" {K}', REFUSED),
    (f'operator namespaces="git", valid-after="20200101Z" {K}', REFUSED),
    (f"operator no-touch-required {K}", REFUSED),
    (f'operator valid-after="2026-01-01" {K}', REFUSED),
    (f'operator valid-after="20261340" {K}', REFUSED),
    (f'operator valid-after="20270101Z",valid-before="20260101Z" {K}', REFUSED),
    (f"operator {K}\0 {STRANGER}", REFUSED),
    (f"operator\u00a0x {K}", REFUSED),
    (f"operator\v{K}", REFUSED),
    (f"operator ssh-ed25519 {STRANGER.split()[1][:-4]}AAA= {K}", REFUSED),
    (f"operator ssh-ed25519\n{K}", REFUSED),
    (f"operator {K.split()[0]} {K.split()[1].rstrip('=')}xx", REFUSED),
    ("operator ssh-ed25519", REFUSED),
    (f'"operator {K}', REFUSED),
    (f'operator"" {K}', REFUSED),
    (f"\ufeffoperator {K}", REFUSED),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_both_say_the_same_or_the_line_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert ours(text) == expected
    if expected is not REFUSED:
        assert theirs(tmp_path, text) == (expected is TRUSTED)


def test_no_generated_line_is_trusted_here_alone(tmp_path: Path) -> None:
    """Every principal, option and layout of lines with every other, a sample of them."""
    principals = ("operator", "*", "ada@corp,operator", '"a b"', "a?b", "nobody", '"operator"', "o*,x", "operator,")
    spaces = (
        "",
        f'namespaces="{NAMESPACE}"',
        'namespaces="*,!git"',
        'namespaces="git"',
        'namespaces=""',
        'namespaces=","',
    )
    times = (
        "",
        'valid-after="20260601Z"',
        'valid-before="20260601Z"',
        'valid-before="202606011200"',
        'VALID-AFTER="2026"',
    )
    layouts = ("{} {} {}", " {}\t{}  {}\r", "{} {}\t{} c", "{}  {} {}\n# end", "{} {}, {}")
    lines = list(itertools.product(principals, spaces, times, layouts))
    disagree, agree = [], 0
    for principal, space, time, layout in random.sample(lines, 60):
        text = layout.format(principal, ",".join(filter(None, (space, time))), K)
        mine, stock = ours(text), theirs(tmp_path, text)
        disagree += [(text, mine, stock)] * (mine is not REFUSED and (mine is TRUSTED) != stock)
        agree += mine is TRUSTED
    assert disagree == []
    assert agree > 3
