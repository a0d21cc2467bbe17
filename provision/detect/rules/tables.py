"""Values in a column whose header is the name of a secret (CSV, psql, INSERT, COPY, dumps), and cells beside a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.rules.beside import ENDS, NAME, beside, each, found_by
from provision.detect.rules.columns import columns_of_secrets
from provision.detect.rules.pieces import ALNUM, example

if TYPE_CHECKING:
    from collections.abc import Callable

_BAR = r"(?:\||\xe2\x94\x82|\xe2\x95\x91|\xe2\x94\x83)"
"""A bar, or one of the box characters │ ║ ┃ in UTF-8."""
_WORDS = r"(?:(?:api|secret|access|auth|client|private|subscription)[ ](?:key|secret|token)|password)"

_AFTER_HEADS = (",", "\t", " |", "`", '"', ")", "|", "\n", "\r", ";")
"""What follows the name in a header. A rule with fewer than 20 keywords has its gate checked in the first pass."""
_FORMS: tuple[Callable[[str], Callable[[], str]], ...] = (
    lambda end: example(f"user,{end}\nada,", ALNUM, 14, "\n"),
    lambda end: example(f"INSERT INTO users (id, name, {end}) VALUES (1, 'ada', '", ALNUM, 14, "');"),  # noqa: S608  an example, never run
    lambda end: example(f" id | name | {end}\n----+------+---------\n  1 | ada  | ", ALNUM, 32, "\n(1 row)\n"),
    lambda end: example(f"COPY public.users (id, {end}) FROM stdin;\n1\t", ALNUM, 32, "\n\\.\n"),
)

RULES = (
    beside(
        "cell",
        "Value in the cell beside the name of a secret",
        rf"[*`]{{0,3}}(?:{NAME}|{_WORDS})[*`]{{0,3}}[ \t]{{0,40}}{_BAR}[ \t]{{0,40}}[*`]{{0,3}}",
        example("| AISA_API_KEY | ", ALNUM, 32, " |"),
        example("│ AISA_API_KEY │ ", ALNUM, 32, " │"),
        example("| API key | `", ALNUM, 32, "` |"),
        gate=rf"(?:key|token|secrets?|password|passwd|passwort|passphrase|pwd|credentials?|authorization|cookie)"
        rf"(?:[_-]?\w{{1,10}})?[*`]{{0,3}}[ \t]{{0,40}}"
        rf"{_BAR}[ \t]{{0,40}}[*`]{{0,3}}",
        keywords=each(
            (*ENDS, "api key", "secret key", "access key"), (" |", "|", " │", "│", " ║", "║", " ┃", "`", "*", "  ")
        ),
        not_found=("| API_KEY | the key of the service2 |", "| password | `<password>` |", "| token | string2 | x |"),
        value=r"[^\s\"'`<>|,;(){}\\*\xe2]",
        after=rf"[*`]{{0,3}}[ \t]{{0,120}}(?:{_BAR}|\r?$)",
        reach=520,
    ),
    beside(
        "tab",
        "Value after the name of a secret and a tab, a comma or a gap",
        rf"[\"']?{NAME}[\"']?(?:\t|,|;|[ ]{{3,40}})[\"']?",
        example("AISA_API_KEY\t", ALNUM, 32, "\n"),
        example("AISA_API_KEY    ", ALNUM, 32, "\n"),
        start=r"^[ \t]{0,8}(?:\d{1,6}[\t,;])?",
        after=r"[\"']?[ \t]{0,8}(?:[\t,;][^\r\n]{0,120})?\r?$",
        keywords=each(
            ("_key", "apikey", "_token", "_secret", "password", "passwd", "passphrase"),
            ("\t", "   ", ",", ";", '",', '"\t'),
        ),
        not_found=("password\tthe password of the user2\n", "token,string2\n", "API_KEY,required"),
        value=r"[^\s\"'`<>|,;(){}\\]",
        shortest=8,
        reach=520,
    ),
    *(
        found_by(
            f"column-{what}",
            f"Value in a column with the name of a {what}",
            columns_of_secrets,
            rf"(?i)(?:{name}[\"'`*]{{0,3}}(?:[,;\t][\w\"'`]|[ \t]{{0,40}}(?:\||\xe2\x94|varchar|text|char))"
            rf"|[,;\t|][ ]{{0,4}}[\"'`]?[\w.-]{{0,20}}{name}[\"'`*]{{0,3}}(?:\r?\n|\))"
            rf"|\([ ]?[\"'`]?[\w.-]{{0,20}}{name}[\"'`]?[,)])",
            *(form(end) for form in _FORMS),
            keywords=(*each(ends[:1], _AFTER_HEADS), *each(ends[1:], _AFTER_HEADS[:6])),
            not_found=(
                f"user,{end}\nada,\n",
                f"def f(user, {end}):\n    return user, {end}\n",
                f"| user | {end} |\n|---|---|\n| ada | **** |\n",
            ),
            reach=48 << 10,
        )
        for what, end, name, ends in (
            ("password", "password", r"(?:passw(?:or)?d|passphrase|pwd)", ("password", "wd")),
            ("token", "token", r"(?:token|secret)", ("token", "secret")),
            ("key", "api_key", r"(?:api|access|secret|private)[ _-]?key", ("api_key", "access_key")),
        )
    ),
)
