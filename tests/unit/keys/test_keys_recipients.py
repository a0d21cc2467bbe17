import os
from pathlib import Path

import pytest

from provision.keys import age
from provision.keys.recipients import BadRecipientError, Recipient, parse_recipient


def test_a_recipient_has_one_spelling_and_a_comment() -> None:
    _, text = age.generate_identity()
    assert parse_recipient(f"  {text}  ada's laptop\n") == Recipient("x25519", text, "ada's laptop")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("ada", "unknown kind"),
        ("age1qqqq", "damaged"),
        ("age1pq1qqqq", "plugin"),
        ("age1yubikey1qqqq", "plugin"),
        ("AGE-SECRET-KEY-1QQQQ", "private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("ecdsa-sha2-nistp256 AAAA", "not supported"),
        ("sk-ssh-ed25519@openssh.com AAAA", "not supported"),
        ("ssh-ed25519", "the key is missing"),
        ("ssh-ed25519 AAAA ada", "damaged"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA!!!! ada", "damaged"),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQE= ada", "bits"),
    ],
)
def test_an_invalid_recipient_is_named_without_being_quoted(text: str, says: str) -> None:
    with pytest.raises(BadRecipientError, match=says) as e:
        parse_recipient(text)
    assert e.value.hint
    assert len(text) < 20 or text not in str(e.value) + e.value.hint


def test_an_upper_case_recipient_is_refused_as_age_does() -> None:
    with pytest.raises(BadRecipientError):
        parse_recipient(age.generate_identity()[1].upper())


def test_sealing_without_a_recipient_is_refused() -> None:
    with pytest.raises(BadRecipientError, match="no recipient"):
        age.seal(b"x", [])


def _identity(tmp_path: Path, content: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "identity.txt"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_an_identity_file_may_hold_several_and_comments(tmp_path: Path) -> None:
    pairs = [age.generate_identity() for _ in range(3)]
    body = b"# mine\n\n" + b"\r\n".join(secret.reveal().encode() for secret, _ in pairs)
    found = age.load_identities(_identity(tmp_path, body))
    assert [i.recipient for i in found] == [recipient for _, recipient in pairs]
    assert age.unseal(age.seal(b"x", [pairs[2][1]]), found) == b"x"
    assert all(secret.reveal() not in repr(found) for secret, _ in pairs)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no identity"),
        (b"# only\n", "has no identity"),
        (b"AGE-SECRET-KEY-1CANARY\n", r"identity.txt:1: invalid age identity"),
        (b"\xff\xfe\n", "invalid age identity"),
        (b"#\nage1abc\n", r"identity.txt:2: .*a public key"),
        (b"AGE-PLUGIN-YUBIKEY-1CANARY\n", "plugin"),
        (b"age-encryption.org/v1\n-> scrypt x 18\n", "passphrase"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n-----END OPENSSH PRIVATE KEY-----\n", "not an SSH key"),
    ],
)
def test_a_bad_identity_file_is_named_without_being_quoted(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(age.IdentityFileError, match=says) as e:
        age.load_identities(_identity(tmp_path, content))
    assert e.value.hint
    assert "CANARY" not in str(e.value) + e.value.hint


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_an_identity_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret, recipient = age.generate_identity()
    with pytest.raises(age.IdentityFileError, match="readable by other") as e:
        age.load_identities(_identity(tmp_path, age.identity_file(secret, recipient, "now"), mode))
    assert "chmod 600" in e.value.hint


def test_a_missing_identity_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(age.IdentityFileError, match="no identity file") as e:
        age.load_identities(tmp_path / "none")
    assert "provision" in e.value.hint


def test_an_own_key_may_begin_like_a_plugins_name() -> None:
    """One X25519 recipient in 32,768 begins with `age1tag`; a plugin's has a second 1 after its name."""
    text = "age1tagx6lzpul7jl8d4w9gqkaz0qqu5gxlfg7a6l4pettm6nz9w6q3sxcqxws"
    assert parse_recipient(text).text == text
    with pytest.raises(BadRecipientError, match="plugin"):
        parse_recipient("age1tag1" + text[8:])
