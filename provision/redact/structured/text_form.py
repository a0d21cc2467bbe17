"""Recognise by its beginning whether a text is JSON, YAML, a `.env`, settings (INI, TOML, properties) or a table (CSV, a dump).

So standard input is read like a file with the right name, and a file with the wrong name too. A text is taken for a form only if
every line of its beginning has it; a table by its first line, its header. `may_have_form` answers early: a log is refuted by its
first line, so it never waits.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.detect.rules.columns import heads_secrets
from provision.detect.secret_names import names_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BEGINNING_BYTES = 4096
"""How much of a text `text_form` looks at."""


class TextForm(StrEnum):
    """A form of text whose structure shows which values are secret."""

    JSON = "JSON"
    YAML = "YAML"
    DOTENV = ".env"
    SETTINGS = "settings"
    TABLE = "a table"


_BLANKS = " \t\r\n"
_BLANK = re.compile(r"\s*(?:#.*)?", re.ASCII)
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_VARIABLE = re.compile(
    rf"\s*(?:#\s*)?(?:export\s+)?(?P<name>{_NAME})\s?=\s?(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?!\s*[\"'])(?:(?!\s{_NAME}=).)*)\s*(?:\s#.*)?"
)
_OPEN_QUOTE = re.compile(rf"\s*(?:export\s+)?(?P<name>{_NAME})=(?P<quote>[\"'])(?:(?!(?P=quote)).)*")
_SECTION = re.compile(r"\s*\[[^\]\[]{1,200}\]{1,2}\s*(?:[#;].*)?|\s*\[\[[^\]]{1,200}\]\]\s*(?:[#;].*)?")
_SETTING = re.compile(r"\s*(?:;.*|(?P<name>[\w./:@\"'-][\w./:@\"' -]*?)\s*(?P<sign>=|:(?=\s|$)).*)")
_NEXT_PAIR = re.compile(r"\s[\w.]+=")
_CONTINUED = re.compile(r"\s+\S.*|[\])}]+,?\s*")
_KEY = r"(?:[A-Za-z_$][\w./$@-]*(?: [\w./-]+){0,3}|\"[^\"]{1,200}\"|'[^']{1,200}')"
_YAML_KEY = re.compile(rf"(?P<indent>(?:- +)*)(?P<key>{_KEY})\s*:(?:\s.*)?")
_YAML_OTHER = re.compile(r"---(?:\s.*)?|\.\.\.|%[A-Z]+ .*|- .*|-|\s+.*", re.ASCII)
_RULE_OF_TABLE = re.compile(r"[\s|+=:\u2500-\u257f-]+")
_DUMP = re.compile(
    r"--(?:\s*$| (?:MySQL|MariaDB|PostgreSQL|SQLite|Dump|phpMyAdmin|Host:))|PRAGMA foreign_keys=|BEGIN TRANSACTION;"
)
_JSON_BEGINNING = re.compile(
    r'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:\[\s*)*(?:["{\]]|-?[0-9.eE+-]*\s*(?:[,\]]|$)|(?:true|false|null)\s*(?:[,\]]|$)|$))'
)
_PARTS = {
    TextForm.DOTENV: re.compile(rf"\s*(?:#.*|(?:export\s*)?(?:{_NAME}(?:\s?=.*)?)?)", re.ASCII),
    TextForm.SETTINGS: re.compile(r"\s*(?:[#;\[].*|[\w./:@\"'-]*\s*(?:[=:].*)?|\s+.*)", re.ASCII),
    TextForm.TABLE: re.compile(r"\W{0,8}[\w .#/\"'`-]{0,80}[,;\t|].*|\s*[+=-]{2}.*|--.*", re.ASCII),
    TextForm.YAML: re.compile(rf"(?:[-.#%].*|\s+.*|(?:- +)*(?:{_KEY}\s*(?::(?:\s.*)?)?|\"[^\"]*|'[^']*))?", re.ASCII),
}
"""What the beginning of a line in each form looks like, for a line that has not ended."""


def text_form(head: bytes, *, whole: bool) -> TextForm | None:
    """Return the form of a text that begins with `head` (`BEGINNING_BYTES`, or the `whole` text if it is shorter)."""
    lines = _lines(head[:BEGINNING_BYTES], whole=whole)
    if lines is None:
        return None
    text, complete, _ = lines
    if _may_be_json(text, whole=whole):
        return TextForm.JSON
    return next((form for form, has in _FORMS.items() if has(complete, True)), None)


def may_have_form(head: bytes) -> bool:
    """Return whether `text_form` may find a form when more follows. False stays False."""
    lines = _lines(head[:BEGINNING_BYTES], whole=False)
    if lines is None:
        return False
    text, complete, rest = lines
    if not text.strip(_BLANKS) or _may_be_json(text, whole=False):
        return True
    return any(
        has([*complete, rest], False) or (has(complete, False) and _PARTS[form].fullmatch(rest))
        for form, has in _FORMS.items()
    )


def _lines(head: bytes, *, whole: bool) -> tuple[str, list[str], str] | None:
    """Return the text, its complete lines, and the beginning of the next one."""
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        encoding = "utf-16-le" if head[:1] == b"\xff" else "utf-16-be"
        text = head.decode(encoding, "ignore")
    else:
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError as e:
            if whole or e.start < len(head) - 3:
                return None
            text = head[: e.start].decode("utf-8")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\0" in text:
        return None
    *complete, rest = text.split("\n")
    return (text, [*complete, rest], "") if whole else (text, complete, rest)


def _may_be_json(text: str, *, whole: bool) -> bool:
    """Return whether this is the beginning of one JSON document; lines of JSON are not one."""
    if not _JSON_BEGINNING.match(text):
        return False
    start = len(text) - len(text.lstrip())
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        return not whole
    return not text[end:].strip()


def _is_dotenv(lines: Sequence[str], ended: bool) -> bool:
    """Every line is a variable without blanks around its sign; one has the name of a variable or of a secret."""
    names: list[str] = []
    quote = ""
    for line in lines:
        if quote:
            quote = "" if quote in line else quote
            continue
        if _BLANK.fullmatch(line):
            continue
        found = _VARIABLE.fullmatch(line)
        if found is None:
            found = _OPEN_QUOTE.fullmatch(line)
            if found is None:
                return False
            quote = found["quote"]
        elif " =" in line[: found.start("value")] or line[found.start("value") - 1] == " ":
            return False
        names.append(found["name"])
    if not ended:
        return True
    plain = any(name == name.upper() for name in names)
    return plain or (any(map(names_secret, names)) and not any("." in name for name in names))


def _is_settings(lines: Sequence[str], ended: bool) -> bool:
    """It begins with a section, or every line is a name, an equals sign and a value."""
    sections = named = 0
    for line in lines:
        if _BLANK.fullmatch(line):
            continue
        if _SECTION.fullmatch(line):
            sections += 1
            continue
        found = _SETTING.fullmatch(line)
        if found is None or not (sections or found["sign"] is None or _is_one_pair(found)):
            if named and _CONTINUED.fullmatch(line):
                continue
            return False
        named += 1
    return not ended or named > 0


def _is_one_pair(found: re.Match[str]) -> bool:
    """Return whether a line has one name with an equals sign; a log's `level=info msg=x` has several."""
    return found["sign"] == "=" and not _NEXT_PAIR.search(found[0], found.end("sign"))


def _is_yaml(lines: Sequence[str], ended: bool) -> bool:
    """Every line at the left margin is a key, an item or a separator, and no key is there twice."""
    keys: set[str] = set()
    begun = False
    for line in lines:
        if line.startswith("---"):
            keys.clear()
        found = _YAML_KEY.fullmatch(line)
        if found:
            begun = True
            if not found["indent"]:
                if found["key"] in keys:
                    return False
                keys.add(found["key"])
        elif _BLANK.fullmatch(line):
            continue
        elif not _YAML_OTHER.fullmatch(line) or not (begun or line.startswith(("---", "%"))):
            return False
    return begun or not ended


def _is_table(lines: Sequence[str], ended: bool) -> bool:
    """The first line is a header with a column of secrets, or it is a dump of a database, which begins with a comment."""
    first = next((line for line in lines if line.strip() and not _RULE_OF_TABLE.fullmatch(line)), "")
    if not first:
        return not ended
    return bool(_DUMP.match(first)) or heads_secrets(first.encode())


_FORMS: dict[TextForm, Callable[[Sequence[str], bool], bool]] = {
    TextForm.DOTENV: _is_dotenv,
    TextForm.SETTINGS: _is_settings,
    TextForm.YAML: _is_yaml,
    TextForm.TABLE: _is_table,
}
