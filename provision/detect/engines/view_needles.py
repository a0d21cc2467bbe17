"""The needles of the views: signs in the bytes without which a view cannot matter, cheap to search for.

They are for the prefixes of keys and a few names, written in the ways that a view reads; the views then look at the lines around.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from provision.detect.engines.needles import ATOM, Needle, NeedleKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = rb"[A-Za-z0-9_-]"
_TAGS = "a b bdi big code del em font i ins kbd mark nobr s small span strong sub sup tspan tt u var wbr"
_ENTITIES = "shy; zwnj; zwj; hyphen; dash; lowbar; minus; ndash; mdash; NoBreak; ZeroWidthSpace; amp;#"
_LISTED = ("sk-", "aisa", "ghp_", "akia", "xoxb", "eyj", "glpat", "aiza", "key=", "token", "secret", "passw")
_LONGEST_WORD = 4
_UNSEEN = (
    rb"\xe2\x80[\x8b-\x95\xaa-\xaf]", rb"\xe2\x81[\xa0-\xa4\xa6-\xaf]", rb"\xe2\x88\x92", rb"\xc2\xad",
    rb"\xcd\x8f", rb"\xcb\x97", rb"\xef\xb8[\x80-\x8f]", rb"\xef\xbb\xbf", rb"\xef\xb9[\x58-\xa3]",
    rb"\xef\xbc[\x81-\xbf]", rb"[\xce\xcf\xd0\xd1][\x80-\xbf]",
)  # fmt: skip
"""Characters that a reader does not see, typographic hyphens, full-width, Cyrillic and Greek letters."""
_AISA = "sk-aisa-"
_BASE64_OF_TOKEN = rb"[K-OQ-Za-e][C-HS-Xi-nyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/]"
"""Four characters that encode three letters, digits or signs of a key: base64 of a key, or of base64."""
_BASE64_OF_WIDE = rb"[L-Za-e][AQgw][AB][A-Za-z0-9+/]A[C-H][AEIMQUYcgkosw048]A"
"""Eight characters that encode three of a key in UTF-16, as the arguments of `powershell -enc`."""
_HEX_OF_TOKEN = rb"[2-7][0-9a-fA-F]"
_BASE32, _BASE32HEX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_HEX_SEPARATORS = (rb"[ :,\t-]", rb", ", rb" - ", rb", 0[xX]", rb"[ ,\t]0[xX]", rb", \(byte\) 0x", rb", \(byte\)0x")
_HEX_ESCAPES = (rb"\}\\u\{", rb"\\0000", rb"\\'", rb" U\+00")
_OCTAL_SEPARATORS = (rb",0", rb", 0")
_DECIMAL_SEPARATORS = (
    rb"[ ,.;\t]", rb", ", rb"  ", rb"u8, ", rb", \(byte\) ", rb"\) [&+.] [Cc][Hh][Rr]\(", rb"\)[&+.,][Cc][Hh][Rr]\(",
    rb"\), [Cc][Hh][Rr]\(", rb"\)[+.,|]CHAR\(", rb"\) \+ CHAR\(", rb"\)\|\|CHR\(", rb"\?\\u",
    rb"[+,]\[char\]", rb", \[char\]", rb" \+ \[char\]",
)  # fmt: skip


def view_needles(prefixes: tuple[str, ...], *, bare: bool) -> Iterator[Needle]:
    """Yield them; `prefixes` begin the keys that must be found in every form.

    With `bare`, for known keys without a prefix, also those that need no prefix: they make a scan take half as long again.
    """
    yield from (_needle(NeedleKind.SIGN, pattern) for pattern in _signs())
    for word in dict.fromkeys(word[:_LONGEST_WORD] for word in (*prefixes, *_LISTED)):
        yield from (_needle(NeedleKind.LIST, pattern) for pattern in dict.fromkeys(_listed(word)))
        yield _needle(NeedleKind.WIDE, rb"\x00\x00\x00".join(map(_either_case, word)))
    for word in dict.fromkeys((_AISA, *(each for each in prefixes if len(each) >= len(_AISA) - 1))):
        yield from (_needle(NeedleKind.PACKED, pattern) for pattern in _in_base32(word.encode()))
    yield from (_needle(NeedleKind.ROW, pattern) for pattern in _rows({word[0] for word in prefixes}))
    for mark in (rb"H4sI", rb"eJ[w-z][A-Za-z0-9+/]", rb"eN[o-r][A-Za-z0-9+/]", rb"eAE[A-Za-z0-9+/]"):
        yield _needle(NeedleKind.PACKED, mark + rb"[A-Za-z0-9+/_-]{20}")
    yield _needle(NeedleKind.PACKED, rb"<~[!-u]{20}")
    if bare:
        yield _needle(NeedleKind.BASE64_0, _BASE64_OF_TOKEN * 6)
        yield _needle(NeedleKind.BASE64_0, _BASE64_OF_WIDE * 4)
        yield _needle(NeedleKind.HEX, _HEX_OF_TOKEN * 12)
        yield _needle(NeedleKind.UTF16, rb"\x00".join([_KEY] * 12))
        yield from (_needle(NeedleKind.LIST, pattern) for pattern in _any_list())
        yield _needle(NeedleKind.WIDE, rb"\x00\x00\x00".join([_KEY] * 4))
        yield _needle(NeedleKind.PACKED, rb"[A-Z2-7]{32}")
        yield from (
            _needle(NeedleKind.SIGN, _KEY * 3 + pattern + _KEY * 3) for pattern in (rb"\\[_-]", rb"\\\\u200[b-f]")
        )


def _needle(kind: NeedleKind, pattern: bytes) -> Needle:
    """A needle; its length is that of the pattern, which has neither groups nor choices."""
    return Needle(kind, pattern, sum(int(atom[1] or 1) for atom in ATOM.finditer(pattern)))


def _signs() -> Iterator[bytes]:
    for tag in _TAGS.encode().split():
        yield _KEY + rb"<" + tag + rb"[ />]"
        yield _KEY + rb"</" + tag + rb">"
    yield _KEY + rb"<!--"
    for entity in _ENTITIES.encode().split():
        yield _KEY + rb"&" + entity
    yield rb"&#[0-9]{2}"
    yield rb"&#[xX][0-9a-fA-F]{2}"
    for mark in (rb"\x08", rb"\x7f"):
        for count in (1, 2, 3):
            yield _KEY * 3 + mark * count + _KEY * 3
        yield rb"[!-~]" + mark + rb"[!-~]{2}" + mark + rb"[!-~]"
        yield rb"_" + mark + rb"[!-~]_" + mark
    yield rb"sk\\[_-]" + _KEY
    yield from _unusual()
    yield rb"sk\{-\}"
    yield _KEY * 2 + rb"\\allowbreak"


def _unusual() -> Iterator[bytes]:
    """Characters that a reader does not see, and look-alikes, beside letters of a key."""
    for unseen in _UNSEEN:
        yield _KEY + unseen + rb"[A-Za-z0-9_\xc2-\xf0-]"
    yield rb"[\xce\xcf\xd0\xd1][\x80-\xbf][A-Za-z]-"
    yield rb"[\xd0\xd1][\x80-\xbf]" + _KEY * 3
    yield rb"\xef[\xbc\xbd][\x80-\xbf]" * 3
    yield rb"\xf0\x9d[\x90-\x9f][\x80-\xbf]" * 2


def _listed(word: str) -> Iterator[bytes]:
    """The word in the ways in which lists and dumps of bytes and characters are written."""
    digits = [_hex(letter) for letter in word]
    for separator in (*_HEX_SEPARATORS, *_HEX_ESCAPES):
        yield separator.join(digits)
    for first in (0, 1):  # xxd shows two bytes together
        yield b"".join(each + (b" " if (n + first) % 2 and n + 1 < len(word) else b"") for n, each in enumerate(digits))
    yield digits[1] + digits[0] + rb" [0-9a-f]{2}" + digits[2]  # and od in the machine's order
    yield digits[0] + rb"[0-9a-f]{2} " + digits[2] + digits[1]
    decimals = [b"%d" % ord(letter) for letter in word]
    for separator in _DECIMAL_SEPARATORS:
        yield separator.join(decimals)
    yield rb" ".join(b"%3d" % ord(letter) for letter in word)
    yield rb" ".join(b"%03d" % ord(letter) for letter in word)
    for separator in (rb" ", rb"\\", *_OCTAL_SEPARATORS):
        yield separator.join(b"%03o" % ord(letter) for letter in word)
    for separator in _OCTAL_SEPARATORS:
        yield separator.join(b"%o" % ord(letter) for letter in word)
    yield rb" ".join(f"{ord(letter):08b}".encode() for letter in word)
    yield rb"   ".join(re.escape(letter.encode()) for letter in word)
    for quote in (rb"'", rb'"'):
        for between in (rb",", rb", "):
            yield (quote + between + quote).join(re.escape(letter.encode()) for letter in word)


def _any_list() -> Iterator[bytes]:
    """Lists and dumps of letters, digits and signs, whatever they say."""
    for separator in (*_HEX_SEPARATORS, *_HEX_ESCAPES):
        yield separator.join([_HEX_OF_TOKEN] * 6)
    yield rb" ".join([_HEX_OF_TOKEN * 2] * 4)
    for separator in (rb"   ", *_DECIMAL_SEPARATORS):
        for items in itertools.product((rb"[4-9][0-9]", rb"1[0-2][0-9]"), repeat=3):
            yield separator.join(items)
    for separator in (rb" ", rb"\\", *_OCTAL_SEPARATORS):
        yield separator.join([rb"[01][0-7][0-7]"] * 6)
    for separator in _OCTAL_SEPARATORS:
        for items in itertools.product((rb"[4-7][0-7]", rb"1[0-7][0-7]"), repeat=4):
            yield separator.join(items)
    yield rb" ".join([rb"0[01]{7}"] * 4)
    for quote in (rb"'", rb'"'):
        for between in (rb",", rb", "):
            yield (quote + between + quote).join([_KEY] * 5)


def _in_base32(word: bytes) -> Iterator[bytes]:
    """The characters of base32 (and base32hex) that depend on the word only, for each place in its group of five bytes."""
    for alphabet in (_BASE32, _BASE32HEX):
        for shift in range(5):
            bits = "".join(f"{byte:08b}" for byte in word)
            skipped = -8 * shift % 5
            whole = bits[skipped : skipped + (len(bits) - skipped) // 5 * 5]
            letters = [alphabet[int(whole[at : at + 5], 2)] for at in range(0, len(whole), 5)]
            yield b"".join(map(_either_case, letters))


def _rows(letters: set[str]) -> Iterator[bytes]:
    """Line ends before a row with an offset, or with the first of the `letters` of a list; other beginnings of a dump."""
    yield rb"\n0[0-9a-fx][0-9a-f]{2}"
    yield rb"\n\t0x[0-9a-f]{4}:"
    for blanks in (rb"", rb"\t", rb" ", rb"  ", rb"    "):
        for letter in sorted(letters):
            yield rb"\n" + blanks + rb"[\"']" + re.escape(letter.encode()) + rb"[\"'],"
    yield rb"=hex:[0-9a-f]{2},"
    yield rb"begin [0-7]{3} "


def _either_case(letter: str) -> bytes:
    return f"[{letter.lower()}{letter.upper()}]".encode() if letter.isalpha() else re.escape(letter.encode())


def _hex(letter: str) -> bytes:
    """The two digits of a letter in either case, in digits of either case."""
    forms = sorted({f"{ord(each):02x}" for each in (letter.lower(), letter.upper())})
    first, last = "".join(sorted({form[0] for form in forms})), forms[0][1]
    return f"[{first}][{last}{last.upper() if last.isalpha() else ''}]".encode()
