"""What we seal stock age opens, what it seals we open, and we accept no file that it refuses."""

import base64
import os
import subprocess
from pathlib import Path

import agecraft as craft
import pyrage
import pytest

from provision.keys import age

pytestmark = pytest.mark.programs("age", "ssh-keygen")

A64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _age(*arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["age", *arguments], input=data, capture_output=True, check=False)


def _key(tmp_path: Path, kind: str) -> tuple[Path, str]:
    path = tmp_path / kind
    if kind == "x25519":
        secret, recipient = age.generate_identity()
        path.write_bytes(age.identity_file(secret, recipient, "now"))
        path.chmod(0o600)
        return path, recipient
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-C", "ada mbp", "-f", str(path)], check=True)
    return path, Path(f"{path}.pub").read_text()


@pytest.mark.parametrize("kind", ["x25519", "ed25519", "rsa"])
@pytest.mark.parametrize("armored", [True, False])
def test_stock_age_opens_ours_and_we_open_its(tmp_path: Path, kind: str, armored: bool) -> None:
    path, recipient = _key(tmp_path, kind)
    plaintext = os.urandom(70_000)
    ours = age.seal(plaintext, [recipient, age.generate_identity()[1]], armored=armored)
    assert _age("-d", "-i", str(path), data=ours).stdout == plaintext
    theirs = _age("-r", recipient.strip(), *(["-a"] if armored else []), data=plaintext)
    assert theirs.returncode == 0, theirs.stderr
    assert age.unseal(theirs.stdout, age.load_identities(path)) == plaintext


@pytest.mark.hostile
def test_a_passphrase_file_is_refused_unopened() -> None:
    hostile = pyrage.passphrase.encrypt(b"x", "p")
    with pytest.raises(age.NotAgeError, match="passphrase"):
        age.unseal(hostile, [])


def test_the_wrong_identity_is_named_as_that(tmp_path: Path) -> None:
    path, _ = _key(tmp_path, "ed25519")
    sealed = age.seal(b"canary", [age.generate_identity()[1], age.generate_identity()[1]])
    with pytest.raises(age.NoIdentityError, match=r"none of your identities can open this file \(recipients: 2\)"):
        age.unseal(sealed, age.load_identities(path))


def test_an_encrypted_ssh_key_is_refused_with_a_cure(tmp_path: Path) -> None:
    for name, extra in {"new": [], "pem": ["-t", "rsa", "-b", "2048", "-m", "PEM"]}.items():
        path = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", *extra, "-N", "pass word", "-f", str(path)], check=True)
        with pytest.raises(age.IdentityFileError, match="passphrase") as e:
            age.load_identities(path)
        assert "provision enroll" in e.value.hint


def test_an_ecdsa_key_is_refused(tmp_path: Path) -> None:
    path, public = _key(tmp_path, "ecdsa")
    with pytest.raises(age.IdentityFileError, match="not an SSH key that age supports"):
        age.load_identities(path)
    with pytest.raises(age.BadRecipientError, match="not supported by age"):
        age.parse_recipient(public)


def _other_spelling(data: bytes) -> bytes:
    """Base64 of the same bytes that is not canonical: a bit that decoding drops is set."""
    text = craft.b64(data).decode()
    return (text[:-1] + A64[A64.index(text[-1]) | 1]).encode()


def _stanza(arguments: bytes, body: bytes) -> bytes:
    return b"-> " + arguments + b"\n" + body + b"\n"


def _headers(recipient: str, file_key: bytes) -> dict[str, bytes]:
    good = craft.x25519_stanza(recipient, file_key)
    share, body = craft.x25519_parts(recipient, file_key)
    s, b = craft.b64(share), craft.b64(body)
    return {
        "ok: plain": good,
        "ok: unknown before": _stanza(b"foo bar", b"") + good,
        "ok: unknown without arguments": _stanza(b"foo", b"") + good,
        "ok: unknown with a full line": b"-> foo\n" + b"A" * 64 + b"\n\n" + good,
        "ok: lower-case type is unknown": _stanza(b"x25519 " + s, b) + good,
        "ok: ssh of somebody else": _stanza(b"ssh-ed25519 AAAAAA " + s, b) + _stanza(b"ssh-rsa AAAAAA", b) + good,
        "body missing": b"-> foo\n" + good,
        "full last line": b"-> foo\n" + b"A" * 64 + b"\n" + good,
        "body not canonical": _stanza(b"X25519 " + s, _other_spelling(body)),
        "share not canonical": _stanza(b"X25519 " + _other_spelling(share), b),
        "padded": _stanza(b"X25519 " + s, b + b"="),
        "extra argument": _stanza(b"X25519 " + s + b" x", b),
        "trailing space": _stanza(b"X25519 " + s + b" ", b),
        "two spaces": _stanza(b"X25519  " + s, b),
        "tab": _stanza(b"X25519\t" + s, b) + good,
        "carriage returns": good.replace(b"\n", b"\r\n"),
        "one carriage return": good[:-1] + b"\r\n",
        "long line": _stanza(b"foo", b"A" * 68) + good,
        "two short lines": b"-> foo\nAAAA\nAAAA\n" + good,
        "not canonical in an unknown one": _stanza(b"foo", b"AB") + good,
        "one character": _stanza(b"foo", b"A") + good,
        "control character": _stanza(b"f\x01", b"") + good,
        "utf-8": _stanza("fö".encode(), b"") + good,
        "empty type": b"-> \n\n" + good,
        "no space": b"->foo\n\n" + good,
        "short share": _stanza(b"X25519 " + craft.b64(share[:31]), b) + good,
        "long body": _stanza(b"X25519 " + s, craft.b64(body + b"xx")) + good,
        "low order share": _stanza(b"X25519 " + craft.b64(bytes(32)), b) + good,
        "garbage after": good + b"-- \n",
    }


def _variants(recipient: str) -> dict[str, bytes]:
    file_key = os.urandom(16)
    files = {name: craft.sealed(header, file_key) for name, header in _headers(recipient, file_key).items()}
    good = craft.x25519_stanza(recipient, file_key)
    plain = craft.sealed(good, file_key)
    head, _, tail = plain.partition(b"--- ")
    mac = base64.b64decode(tail[:43] + b"=")
    files |= {
        "mac: space after": craft.sealed(good, file_key, end=b" \n"),
        "mac: carriage return": craft.sealed(good, file_key, end=b"\r\n"),
        "mac: two spaces": head + b"---  " + tail,
        "mac: not canonical": head + b"--- " + _other_spelling(mac) + tail[43:],
        "version: 2": craft.sealed(good, file_key, version=b"age-encryption.org/v2\n"),
        "version: carriage return": craft.sealed(good, file_key, version=b"age-encryption.org/v1\r\n"),
        "leading line feed": b"\n" + plain,
        "trailing byte": plain + b"x",
        "trailing line feed": plain + b"\n",
        "cut": plain[:-1],
        "empty": b"",
    }
    armored = age.seal(b"hello", [recipient])
    lines = armored.split(b"\n")
    files |= {
        "ok: armor": armored,
        "ok: armor, carriage returns": armored.replace(b"\n", b"\r\n"),
        "ok: armor, blank lines after": armored + b"\n  \n",
        "ok: armor, no last line feed": armored.rstrip(),
        "armor: garbage after": armored + b"x\n",
        "armor: garbage before": b"x\n" + armored,
        "armor: blank before": b"\n" + armored,
        "armor: long line": b"\n".join([lines[0], lines[1] + lines[2], *lines[3:]]),
        "armor: short line": b"\n".join([lines[0], lines[1][:32], lines[1][32:], *lines[2:]]),
        "armor: header": b"\n".join([lines[0], b"X: y", b"", *lines[1:]]),
        "armor: trailing space": b"\n".join([lines[0], lines[1] + b" ", *lines[2:]]),
        "armor: empty line": b"\n".join([lines[0], b"", *lines[1:]]),
        "armor: no end": b"\n".join(lines[:-2]),
        "armor: empty": b"-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n",
    }
    return files


def test_we_accept_exactly_what_stock_age_accepts(tmp_path: Path) -> None:
    path, recipient = _key(tmp_path, "x25519")
    identities = age.load_identities(path)
    wrong = []
    for name, data in _variants(recipient).items():
        theirs = _age("-d", "-i", str(path), data=data)
        try:
            ours = age.unseal(data, identities)
        except age.NotAgeError:
            ours = None
        if (theirs.stdout if theirs.returncode == 0 else None) != ours or name.startswith("ok:") != (ours is not None):
            wrong.append(f"{name}: age {theirs.returncode}, we {'open it' if ours is not None else 'refuse'}")
    assert not wrong


def test_pyrage_itself_is_laxer_which_is_why_we_check_first(tmp_path: Path) -> None:
    path, recipient = _key(tmp_path, "x25519")
    files = _variants(recipient)
    (identity,) = age.load_identities(path)
    for name in ("body missing", "full last line"):
        assert pyrage.decrypt(files[name], [identity.native]) == b"hello", (
            "pyrage is strict now: say so in ageheader.py"
        )


def test_limits_hold() -> None:
    many = b"age-encryption.org/v1\n" + b"-> a\n\n" * 300
    with pytest.raises(age.NotAgeError, match="more than 256 recipients"):
        age.parse_age_file(many)
    with pytest.raises(age.NotAgeError, match="larger than"):
        age.parse_age_file(b"a" * ((16 << 20) + 1))
    with pytest.raises(age.NotAgeError, match="incomplete"):
        age.parse_age_file(b"age-encryption.org/v1\n-> a\n" + (b"A" * 64 + b"\n") * 5000)
