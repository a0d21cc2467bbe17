"""The strict parser of age files, on files made here by hand; stock age and pyrage are compared in the integration tests."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from provision.keys.age_header import NotAgeError, parse_age_file


def b64(size: int, *, fill: int = 7) -> bytes:
    return base64.b64encode(bytes([fill]) * size).rstrip(b"=")


BODY = b"-> X25519 " + b64(32) + b"\n" + b64(32) + b"\n"
END = b"--- " + b64(32) + b"\n"
FILE = b"age-encryption.org/v1\n" + BODY + END + bytes(32)


def armored(data: bytes, width: int = 64) -> bytes:
    text = base64.b64encode(data)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return b"\n".join([b"-----BEGIN AGE ENCRYPTED FILE-----", *lines, b"-----END AGE ENCRYPTED FILE-----", b""])


def test_both_forms_give_the_binary_form_and_recipients_without_decoys() -> None:
    decoy = b"-> zz-grease x\n" + b64(9) + b"\n"
    data = FILE.replace(END, decoy + END)
    for form in (data, armored(data), armored(data).replace(b"\n", b"\r\n")):
        file = parse_age_file(form)
        assert file.data == data
        assert (file.stanzas, file.recipients) == (("X25519", "zz-grease"), 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: b"x" + d, "unknown first line"),
        (lambda d: d.replace(b"org/v1", b"org/v2"), "unknown format version"),
        (lambda d: d.replace(BODY, b""), "no recipient"),
        (lambda d: d.replace(END, b""), "neither a recipient nor its end|incomplete"),
        (lambda d: d[:-1], "content is incomplete"),
        (lambda d: d.replace(b"-> X25519", b"-> scrypt"), "passphrase"),
        (lambda d: d.replace(b"-> X25519 ", b"-> X25519 " + b64(32) + b" "), "2 arguments"),
        (lambda d: d.replace(b"X25519 " + b64(32), b"X25519 " + b64(31)), "argument of the wrong size"),
        (lambda d: d.replace(b"\n" + b64(32) + b"\n---", b"\n" + b64(31) + b"\n---"), "body of the wrong size"),
        (lambda d: d.replace(b"--- " + b64(32), b"--- " + b64(32) + b"="), "padded base64"),
        (lambda d: d.replace(b64(32), b64(32)[:-1] + b"d"), "canonical"),
        (lambda d: d.replace(BODY, BODY * 257), "more than 256 recipients"),
    ],
)
def test_a_malformed_file_is_refused_with_the_reason(change: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(NotAgeError, match=says):
        parse_age_file(change(FILE))


@pytest.mark.parametrize("width", [63, 65, 76])
def test_armor_of_another_width_is_refused(width: int) -> None:
    with pytest.raises(NotAgeError, match="64 characters"):
        parse_age_file(armored(FILE, width))


def test_a_header_cut_inside_a_stanza_is_refused_not_read_past() -> None:
    with pytest.raises(NotAgeError, match="incomplete"):
        parse_age_file(b"age-encryption.org/v1\n-> X25519 " + b64(32) + b"\n" + b64(48))
