"""A key in the forms in which text shows it: listings, tables, dumps, source code, escapes, encodings.

Each form is a function of the key, so one list serves known keys, keys without a prefix and keys that are not known.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class TextForm:
    """A text with a key in it. After masking no `least` characters in a row of one of the `pieces` may be left."""

    name: str
    data: bytes
    pieces: tuple[bytes, ...]
    least: int = 8

    def left(self, masked: bytes) -> bool:
        """Whether something readable of the key is left."""
        return any(
            piece[at : at + self.least] in masked for piece in self.pieces for at in range(len(piece) - self.least + 1)
        )


def _rows(key: str, *widths: int) -> list[str]:
    rows, at = [], 0
    for width in widths:
        rows.append(key[at : at + width])
        at += width
    return [*rows, key[at:]]


def _body(key: str) -> str:
    return key.removeprefix("sk-aisa-")


def prefixed(key: str) -> Iterator[tuple[str, str, list[str]]]:
    """The key over several lines that each begin with something else."""
    one, two, three = _rows(key, 20, 16)
    half, rest = key[: len(key) * 3 // 5], key[len(key) * 3 // 5 :]
    for name, before in {
        "github actions": "2026-06-12T10:00:01.1234567Z ",
        "compose": "web-1  | ",
        "compose v1": "web_1      | ",
        "kubectl prefix": "[pod/hermes-0/app] ",
        "brackets": "[2026-06-12 10:00:01] ",
        "log4j": "10:00:01.123 [main] INFO  c.e.App - ",
        "journal": "Jun 12 10:00:01 host hermes[12]: ",
        "syslog 5424": "<34>1 2026-06-12T10:00:01Z host app 12 ID1 - ",
        "gitlab": "00:01 ",
        "mail": "> ",
        "mail twice": "> > ",
        "mail without blanks": ">> ",
        "diff plus": "+",
        "diff minus": "-",
        "comment": "# ",
        "comment of C": "// ",
        "comment block": " * ",
        "comment of SQL": "-- ",
        "comment of rem": "REM ",
        "tree": "│   ",
        "systemd": "             ",
        "buildkit": "#12 3.456 ",
        "jenkins": "[Pipeline] ",
        "terraform": "  │ ",
        "azure": "2026-06-12T10:00:01.1234567Z ##[debug]",
        "windows": "12.06.2026 10:00:01 ",
        "epoch": "1781258401.123 ",
    }.items():
        yield (
            f"prefix: {name}",
            f"{before}before\n{before}AISA_API_KEY={half}\n{before}{rest}\n{before}ok\n",
            [half, rest],
        )
        yield (
            f"prefix, three rows: {name}",
            f"{before}AISA_API_KEY={one}\n{before}{two}\n{before}{three}\n{before}ok\n",
            [one, two, three],
        )
    for name, before in {
        "cat -n": "     {}\t",
        "grep -n": "log.txt:{}:",
        "grep -n, one file": "{}:",
        "less -N": "      {} ",
        "nl": "     {}  ",
        "bat": "   {}   │ ",
        "ripgrep": "{}-",
        "vim number": " {} ",
        "annotate": "^1a2b3c4 (Ada Byron 2026-06-12 10:00:01 +0000 {}) ",
        "changing time": "2026-06-12 10:00:0{},123 INFO hermes: ",
        "changing time, syslog": "Jun 12 10:00:0{} host hermes[12]: ",
        "changing epoch": "[  12.34560{}] ",
        "curl trace": "00{}0: ",
    }.items():
        lines = ["before", f"AISA_API_KEY={half}", rest, "ok"]
        yield (
            f"numbers: {name}",
            "".join(before.format(n) + line + "\n" for n, line in enumerate(lines, 3)),
            [half, rest],
        )
    yield "quoted-printable", f"Dear Ada, the new key is: {half}=\n{rest} thanks\n", [half, rest]
    yield "quoted-printable, crlf", f"Dear Ada, the new key is: {half}=\r\n{rest} thanks\r\n", [half, rest]


def columns(key: str) -> Iterator[tuple[str, str, list[str]]]:
    """The key folded inside one column of several."""
    rows = _rows(key, 18, 18)
    wide = max(map(len, rows))
    for name, left, bar, right in (
        ("ascii table", "| ", " | ", " |"),
        ("box table", "│ ", " │ ", " │"),
        ("heavy box table", "┃ ", " ┃ ", " ┃"),
        ("double box table", "║ ", " ║ ", " ║"),
        ("psql", " ", " | ", " +"),
        ("no borders", " ", "  ", "  "),
        ("box without edges", "", "│", ""),
        ("tight bars", "|", "|", "|"),
    ):
        lines = [f"{left}{'user':<5}{bar}{'key':<{wide}}{bar}{'age':<5}{right}"]
        for index, row in enumerate(rows):
            who, age = ("ada", "2 d") if not index else ("", "")
            lines.append(f"{left}{who:<5}{bar}{row:<{wide}}{bar}{age:<5}{right}")
        yield f"column: {name}", "\n".join(lines) + "\n", rows
        lines = [f"{left}{'user':<5}{bar}{'key':<{wide}}{right}".rstrip()]
        lines += [
            f"{left}{'ada' if not index else '':<5}{bar}{row:<{wide}}{right}".rstrip() for index, row in enumerate(rows)
        ]
        yield f"last column: {name}", "\n".join(lines) + "\n", rows
    panes = _rows(key, 24, 24)
    for name, bar in (("tmux", "│"), ("vim", "|"), ("screen", " | ")):
        yield (
            f"right pane: {name}",
            "".join(f"{'left pane stuff':<25}{bar}{row}\n" for row in panes),
            panes,
        )
        yield f"left pane: {name}", "".join(f"{row:<24}{bar}right pane\n" for row in panes), panes
    half, rest = key[: len(key) * 3 // 5], key[len(key) * 3 // 5 :]
    yield (
        "diff -y",
        f"{'AISA_API_KEY=' + half:<61}| AISA_API_KEY=new\n{rest:<61}<\n",
        [half, rest],
    )
    yield "sdiff, right", f"{'AISA_API_KEY=old':<61}| AISA_API_KEY={half}\n{'':<61}> {rest}\n", [half, rest]


def joined(key: str) -> Iterator[tuple[str, str, list[str]]]:
    """The key as several literals, or continued in the next line."""
    half, rest = key[: len(key) * 3 // 5], key[len(key) * 3 // 5 :]
    short, long = key[:3], key[3:]
    for name, between in {
        "plus": '" + "',
        "plus without blanks": '"+"',
        "adjacent": '""',
        "adjacent, blank": '" "',
        "dot": '" . "',
        "dots of lua": '" .. "',
        "ampersand": '" & "',
        "bars": '" || "',
        "tilde": '" ~ "',
        "haskell": '" ++ "',
        "comma in a list": '", "',
        "next line": '"\n    "',
        "plus, next line": '" +\n    "',
        "plus in the next line": '"\n    + "',
        "backslash, next line": '" \\\n    "',
        "vb": '" & _\n    "',
        "shell quote": "\"'",
        "backtick of powershell": "`\n",
        "caret of cmd": "^\n",
        "caret of cmd, crlf": "^\r\n",
        "backslash of shell": "\\\n",
        "backslash of shell, indented": "\\\n    ",
        "f-string": '" f"',
        "bytes": '" b"',
        "javascript array": '",\n  "',
        "sql": "' || '",
        "concat": '", "',
    }.items():
        end = between.strip()[-1] if between.strip()[-1] in "\"'" else '"'
        begin = between[0] if between[0] in "\"'" else '"'
        if name == "shell quote":
            begin, end = '"', "'"
        prefix = {"javascript array": "const k = [", "comma in a list": "k = ''.join([", "concat": "CONCAT("}.get(
            name, "key = "
        )
        after = {"javascript array": "].join('')", "comma in a list": "])", "concat": ")"}.get(name, "")
        yield f"literals: {name}", f"{prefix}{begin}{half}{between}{rest}{end}{after}\n", [half, rest]
        yield f"literals, short: {name}", f"{prefix}{begin}{short}{between}{long}{end}{after}\n", [long]
    yield "notebook source", json.dumps({"source": [f"k = ('{half}'\n", f"     '{rest}')\n"]}, indent=1), [half, rest]
    yield "string builder", f'b.append("{half}").append("{rest}");\n', [half, rest]
    yield "shell append", f'K="{half}"\nK+="{rest}"\n', [half, rest]
    yield "python append", f"key = '{half}'\nkey += '{rest}'\n", [half, rest]
    yield "javascript template", f"const k = `${{'{half}'}}{rest}`;\n", [half, rest]


def apart(key: str) -> Iterator[tuple[str, str, list[str]]]:
    """The key in two parts with something between them, on one line or in the next ones."""
    half, rest = key[: len(key) * 3 // 5], key[len(key) * 3 // 5 :]
    for name, form in {
        "cells": "| ada | {} | {} |\n",
        "cells of CSV": "name,first half,second half\nada,{},{}\n",
        "tags": "<text><tspan>{}</tspan><tspan x='0' dy='1em'>{}</tspan></text>\n",
        "runs of Word": "<w:r><w:t>{}</w:t></w:r><w:r><w:rPr/><w:t>{}</w:t></w:r>",
        "breaks": "<td>{}<br/>{}</td>\n",
        "CDATA": "<k><![CDATA[{}]]><![CDATA[{}]]></k>\n",
        "operators of PDF": "BT ({}) Tj ({}) Tj ET\n",
        "literals of Objective-C": 'NSString *k = @"{}" @"{}";\n',
        "literals of OCaml": 'let k = "{}" ^ "{}"\n',
        "literals of Fortran": "k = '{}' // '{}'\n",
        "interpolation of HCL": 'k = "${{"{}"}}${{"{}"}}"\n',
        "format": 'k = "%s%s" % ("{}", "{}")\n',
        "macros of Jira": "{{noformat}}{}{{noformat}}{{noformat}}{}{{noformat}}\n",
        "no-break space": "{}\u00a0{}\n",
        "bold in a chat": '{{"text": ["{}", {{"type": "bold", "text": "{}"}}]}}\n',
        "variables": "A={}; B={}; export K=$A$B\n",
        "caret sequences": "^[[32m {}^[[0m{}\n",
        "cursor sequences": "\x1b[?25l {}\x1b[K\x1b[?25h{}\n",
    }.items():
        yield f"apart: {name}", form.format(half, rest), [half, rest]
    for name, form in {
        "server-sent events": 'data: {{"delta":"{}"}}\n\ndata: {{"delta":"{}"}}\n\n',
        "lines of JSON": '{{"t":"{}"}}\n{{"t":"{}"}}\n',
        "arrow": "{}↩\n{}\n",
        "arrow in the next line": "{}\n↳{}\n",
        "break of vim": "{}\n+++ {}\n",
        "runner's plus": "2026-06-12T10:00:01.1Z 00O k={}\n2026-06-12T10:00:01.1Z 00O+{}\n",
        "diff of pytest": "E         '{}'\nE         '{}'\n",
        "blame": 'a1b2c3d4 (Ada 2026-06-12 2)   "{}"\na1b2c3d4 (Ada 2026-06-12 3)   "{}")\n',
        "format=flowed": "> the key is {} \n> {} thanks\n",
        "chunks": '6\r\n{{"k":"{}\r\n17\r\n{}"}}\r\n0\r\n',
        "word break": "<td>{}<wbr>\n{}</td>\n",
        "chat": "12.06.26, 10:00 - Ada: {}\n12.06.26, 10:01 - Ada: and {}\n",
    }.items():
        yield f"apart, in lines: {name}", form.format(half, rest), [half, rest]


def apart_thrice(key: str) -> Iterator[tuple[str, str, list[str]]]:
    """The key in three parts with something between them."""
    parts = [key[:20], key[20:37], key[37:]]
    for name, form in {
        "cells": "| ada | {} | {} | {} |\n",
        "tags": "<p>{}</p>\n<p>{}</p>\n<p>{}</p>\n",
        "variables": "A={}; B={}; C={}; export K=$A$B$C\n",
        "server-sent events": 'data: {{"delta":"{}"}}\n\ndata: {{"delta":"{}"}}\n\ndata: {{"delta":"{}"}}\n\n',
        "sentence": "first {} then {} and at last {} ok\n",
    }.items():
        yield f"apart, thrice: {name}", form.format(*parts), parts


def _spaced(data: bytes, form: str, between: str) -> str:
    return between.join(form.format(byte) for byte in data)


def dumps(key: str) -> Iterator[tuple[str, str, list[str], int]]:
    """The key as bytes or characters."""
    raw = key.encode()
    text = b"hello world this is AISA_API_KEY=" + raw + b" and the rest of it"
    for name, form, between, brackets in (
        ("go", "{}", " ", "[]"),
        ("json", "{}", ",", "[]"),
        ("python", "{}", ", ", "[]"),
        ("c", "0x{:02x}", ", ", "{}"),
        ("c upper", "0x{:02X}", ",", "{}"),
        ("rust", "{}u8", ", ", "[]"),
        ("java", "(byte) {}", ", ", "{}"),
        ("java hex", "(byte) 0x{:02x}", ", ", "{}"),
        ("java hex, close", "(byte)0x{:02x}", ", ", "{}"),
        ("powershell chars", "[char]{}", "+", "  "),
        ("powershell", "0x{:02X}", ",", "  "),
        ("colons", "{:02x}", ":", "  "),
        ("colons upper", "{:02X}", ":", "  "),
        ("dashes", "{:02X}", "-", "  "),
        ("blanks", "{:02x}", " ", "  "),
        ("reg", "{:02x}", ",", "  "),
        ("octal escapes", "\\{:03o}", "", "''"),
        ("hex escapes", "\\x{:02x}", "", "''"),
        ("octal", "{:03o}", " ", "  "),
        ("octal of c", "0{:o}", ", ", "{}"),
        ("octal of c, padded", "0{:03o}", ",", "{}"),
        ("decimal of perl", "{}", ".", "v "),
        ("decimal of html", "&#{};", "", "  "),
        ("padded decimal", "{:03d}", " ", "  "),
        ("fixed decimal", "{:3d}", " ", "  "),
        ("binary", "{:08b}", " ", "  "),
        ("erlang", "{}", ",", "<>"),
        ("vb chars", "Chr({})", " & ", "  "),
        ("sql chars", "CHAR({})", "+", "  "),
        ("sql chr", "CHR({})", "||", "  "),
        ("css escapes", "\\{:06x}", "", "''"),
        ("unicode braces", "\\u{{{:x}}}", "", "''"),
        ("python unicode", "U+{:04X}", " ", "  "),
    ):
        shown = brackets[0] + _spaced(raw, form, between) + brackets[1]
        piece = _spaced(_body(key).encode(), form, between)
        yield f"bytes: {name}", shown, [piece], 8 * (len(form.format(115)) + len(between)) - len(between)
        around = _spaced(b"key=" + raw + b" ok", form, between)
        yield (
            f"bytes, in a log: {name}",
            f"INFO got {brackets[0]}{around}{brackets[1]} end\n",
            [piece],
            8 * (len(form.format(115)) + len(between)) - len(between),
        )
    yield (
        "bytes: journal",
        json.dumps({"MESSAGE": list(b"key " + raw + b" \x1b[0m")}),
        [", ".join(map(str, _body(key).encode()))],
        38,
    )
    for name, quote in (("python", "'"), ("json", '"')):
        shown = ", ".join(f"{quote}{each}{quote}" for each in key)
        piece = ", ".join(f"{quote}{each}{quote}" for each in _body(key))
        yield f"characters: {name}", f"[{shown}]", [piece], 38
        yield (
            f"characters, in lines: {name}",
            "[\n" + shown.replace(", ", ",\n  ") + "\n]\n",
            [piece.replace(", ", ",\n  ")],
            46,
        )
    shown = "".join(f"{'  ' + _spaced(text[at : at + 12], '0x{:02x}', ', ')},\n" for at in range(0, len(text), 12))
    yield (
        "bytes: xxd -i",
        f"unsigned char x[] = {{\n{shown}}};\n",
        [_spaced(raw[13:25], "0x{:02x}", ", "), _spaced(raw[27:38], "0x{:02x}", ", ")],
        46,
    )
    for name, width, offset, form, between, gap, bars in (
        ("hexdump -C", 16, "{:08x}  ", "{:02x}", " ", "  ", "||"),
        ("wireshark", 16, "{:04x}  ", "{:02x}", " ", "   ", ""),
        ("curl --trace", 16, "{:04x}: ", "{:02x}", " ", " ", ""),
        ("od", 16, "{:07o} ", "{:02x}", " ", "  ", "><"),
        ("od -c", 16, "{:07o}   ", "{}", "   ", "", None),
        ("od octal", 16, "{:07o} ", "{:03o}", " ", "", None),
        ("od -An -tx1", 16, " ", "{:02x}", " ", "", None),
        ("gdb x/16xb", 8, "0x7ffe{:04x}:\t", "0x{:02x}", "\t", "", None),
        ("python hexdump", 16, "{:08X}: ", "{:02X}", " ", "  ", ""),
        ("format-hex", 16, "{:08X}   ", "{:02X}", " ", "  ", ""),
        ("xxd -c 8", 8, "{:08x}: ", "{:02x}", " ", "  ", ""),
        ("tcpdump -X", 16, "\t0x{:04x}:  ", "xx", "", "  ", ""),
        ("xxd", 16, "{:08x}: ", "xx", "", "  ", ""),
        ("hexdump", 16, "{:07x} ", "swapped", "", "", None),
        ("windows certutil", 16, "\t{:04x}\t", "{:02x}", " ", "  ", ""),
    ):
        lines, pieces = [], []
        for at in range(0, len(text), width):
            row = text[at : at + width]
            if form == "xx":
                shown = " ".join(row[n : n + 2].hex() for n in range(0, len(row), 2))
            elif form == "swapped":
                shown = " ".join(row[n : n + 2][::-1].hex().rjust(4, "0") for n in range(0, len(row), 2))
            elif form == "{}":
                shown = between.join(map(chr, row))
            else:
                shown = _spaced(row, form, between)
            wide = len(_spaced(b"m" * width, form, between)) if "x" in form and form != "xx" else 40
            letters = "".join(chr(byte) if 32 < byte < 127 or byte == 32 else "." for byte in row)
            column = "" if bars is None else gap + bars[:1] + letters + bars[1:]
            lines.append(offset.format(at) + (f"{shown:<{wide}}{column}" if column else shown))
            low, high = max(at, text.index(_body(key).encode())), min(at + width, text.index(raw) + len(raw))
            if high - low >= 8:
                pieces.append(letters[low - at : high - at])
                pieces += [shown] if high - low == width else []
        yield f"dump: {name}", "\n".join(lines) + "\n", pieces, 8 if bars is not None else 20
    yield (
        "dump: .reg",
        '"k"=hex:' + ",\\\n  ".join(_spaced(raw[at : at + 20], "{:02x}", ",") for at in range(0, len(raw), 20)) + "\n",
        [_spaced(raw[20:38], "{:02x}", ",")],
        24,
    )
    yield (
        "dump: certificate",
        "    " + ":\n    ".join(_spaced(raw[at : at + 15], "{:02x}", ":") for at in range(0, len(raw), 15)) + "\n",
        [_spaced(raw[15:30], "{:02x}", ":")],
        24,
    )


def escapes(key: str) -> Iterator[tuple[str, str, list[str], int]]:
    """The key with signs inside that a reader does not see, or that look the same."""
    fifth = [key[at : at + 10] for at in range(0, len(key), 10)]
    pieces = [piece for piece in [_body(key)[:2], *fifth[1:]] if len(piece) >= 8]
    for name, sign in {
        "wbr": "<wbr>", "wbr closed": "<wbr/>", "shy": "&shy;", "zwsp": "\u200b", "zwj": "\u200d", "bom": "\ufeff",
        "soft hyphen": "\u00ad", "word joiner": "\u2060", "zwnj entity": "&zwnj;", "shy number": "&#173;",
        "zwsp entity": "&#8203;", "zwsp hex": "&#x200b;", "span": '</span><span class="x">', "mark": "<mark>",
        "bold": "<b></b>", "font": '<font color="red">', "left mark": "\u200e", "comment": "<!-- -->",
        "zwsp in json": "\\u200b", "italic": "</i><i>", "combining joiner": "\u034f", "variation": "\ufe0f",
        "latex": "\\allowbreak ", "latex discretionary": "\\-", "zero width in html": "&ZeroWidthSpace;", "em": "</em><em>",
    }.items():  # fmt: skip
        yield f"inside: {name}", f"the key {sign.join(fifth)} ok\n", pieces, 8
        yield f"beside: {name}", f"<td>{sign.join(fifth)}</td>", pieces, 8
    yield "joiner, every character", "\u200d".join(key), ["\u200d".join(_body(key))], 15
    yield (
        "span, every character",
        "".join(f"<span>{each}</span>" for each in key),
        ["".join(f"<span>{each}</span>" for each in _body(key))],
        110,
    )
    for name, sign in {
        "non-breaking hyphen": "\u2011", "minus": "\u2212", "fullwidth": "\uff0d", "en dash": "\u2013", "hyphen": "\u2010",
        "em dash": "\u2014", "figure dash": "\u2012", "small hyphen": "\ufe63", "hyphen entity": "&hyphen;",
        "dash entity": "&dash;", "number": "&#45;", "hex": "&#x2d;", "markdown": "\\-", "rtf": "\\_", "percent": "%2D",
        "percent twice": "%252D", "latex braces": "{-}", "nobreak entity": "&#8209;", "macron": "\u02d7",
    }.items():  # fmt: skip
        yield (
            f"hyphen: {name}",
            f"see {key.replace('-', sign)} there\n",
            [part for part in _body(key).replace("-", sign).split(sign) if len(part) >= 8],
            8,
        )
    yield (
        "hyphen: markdown table",
        f"| ada | {key.replace('-', chr(92) + '-').replace('_', chr(92) + '_')} |\n",
        [part for part in _body(key).replace("_", "-").split("-") if len(part) >= 8],
        8,
    )
    for name, form in (
        ("hex", "&#x{:x};"),
        ("decimal", "&#{};"),
        ("padded", "&#0000{};"),
        ("upper", "&#X{:X};"),
        ("percent twice", "%25{:02X}"),
        ("percent three times", "%2525{:02X}"),
    ):
        yield f"entities: {name}", _spaced(key.encode(), form, ""), [_spaced(_body(key).encode(), form, "")], 40
    full = "".join(chr(ord(each) + 0xFEE0) for each in key)
    yield "fullwidth", full, [full[8:]], 8
    for name, upper, lower, digit in (("bold", 0x1D400, 0x1D41A, 0x1D7CE), ("monospace", 0x1D670, 0x1D68A, 0x1D7F6)):
        shown = "".join(_in_alphabet(each, upper, lower, digit) for each in key)
        yield (
            f"mathematical {name}",
            shown,
            [part for part in shown[8:].replace("_", "-").split("-") if len(part) >= 8],
            8,
        )
    for name, swap in (
        ("s and a", {"s": "\u0455", "a": "\u0430"}),
        ("i", {"i": "\u0456"}),
        ("k", {"k": "\u043a"}),
        ("greek", {"a": "\u03b1", "i": "\u03b9"}),
    ):
        yield (
            f"look-alikes: {name}",
            "".join(swap.get(each, each) if n < 8 else each for n, each in enumerate(key)),
            [_body(key)],
            8,
        )
    yield "upper-case prefix", f"see {key[:8].upper() + key[8:]} there\n", [_body(key)], 8
    yield "title-case prefix", f"see {key[:8].title() + key[8:]} there\n", [_body(key)], 8
    yield "backspaces", f"x {key[:20]}zz\b\b{key[20:]}\n", [key[8:20], key[20:]], 8
    yield (
        "overstrike",
        "".join(f"{each}\b{each}" for each in key),
        ["".join(f"{each}\b{each}" for each in _body(key))],
        24,
    )
    yield "underlined", "".join(f"_\b{each}" for each in key), ["".join(f"_\b{each}" for each in _body(key))], 24
    yield "delete", f"{key[:20]}zz\x7f\x7f{key[20:]}\n", [key[8:20], key[20:]], 8
    yield "slack", f"<http://{key[:12]}.{key[12:]}|x>", [key[12:]], 8
    yield "json in json in json", json.dumps(json.dumps(json.dumps({"k": f"\n{key}"}))), [_body(key)], 8
    yield (
        "rtf hex",
        "{\\rtf1 " + "".join(f"\\'{byte:02x}" for byte in key.encode()) + "}",
        ["".join(f"\\'{byte:02x}" for byte in _body(key).encode())],
        32,
    )
    yield (
        "rtf unicode",
        "{\\rtf1 " + "".join(f"\\u{byte}?" for byte in key.encode()) + "}",
        ["".join(f"\\u{byte}?" for byte in _body(key).encode())],
        40,
    )
    yield (
        "xml in xml",
        f"&lt;key&gt;{key.replace('-', '&amp;#45;')}&lt;/key&gt;",
        [part for part in _body(key).split("-") if len(part) >= 8],
        8,
    )


def encodings(key: str) -> Iterator[tuple[str, bytes, list[str], int]]:
    """The key inside other encodings."""
    raw = b"key " + key.encode() + b" ok\n"
    twice = base64.b64encode(base64.b64encode(raw))
    yield "base64 twice", twice, [twice.decode()[16:-12]], 14
    thrice = base64.b64encode(twice)
    yield "base64 three times", thrice, [thrice.decode()[24:-16]], 20
    for name, packed in (
        ("gzip", gzip.compress(raw, mtime=0)),
        ("zlib", zlib.compress(raw)),
        ("zlib, best", zlib.compress(raw, 9)),
    ):
        shown = base64.b64encode(packed)
        yield f"base64 of {name}", b"x " + shown + b"\n", [shown.decode()], 16
        yield f"base64 of {name}, in quotes", b'{"d": "' + shown + b'"}\n', [shown.decode()], 16
        lines = base64.encodebytes(gzip.compress(raw * 2 + bytes(range(256)), mtime=0)) if name == "gzip" else shown
        yield f"base64 of {name}, in lines", lines, [lines.decode()[:60]], 16
    shown = base64.b32encode(raw)
    yield "base32", b"k " + shown + b"\n", [shown.decode()[20:-16]], 13
    yield "base32, lower", b"k " + shown.lower() + b"\n", [shown.decode().lower()[20:-16]], 13
    yield "base32, no padding", b"k=" + shown.rstrip(b"=") + b"\n", [shown.decode()[20:-16]], 13
    shown = base64.b32hexencode(raw)
    yield "base32hex", b"k " + shown + b"\n", [shown.decode()[20:-16]], 13
    shown = base64.a85encode(raw, adobe=True)
    yield "ascii85", shown + b"\n", [shown.decode()[16:-12]], 10
    body = b"".join(binascii.b2a_uu(raw[at : at + 45]) for at in range(0, len(raw), 45))
    yield "uuencode", b"begin 644 x\n" + body + b"`\nend\n", [body.decode()[20:58]], 12
    body = b"".join(binascii.b2a_uu(raw[at : at + 45], backtick=True) for at in range(0, len(raw), 45))
    yield "uuencode, backticks", b"begin 644 x\n" + body + b"`\nend\n", [body.decode()[20:58]], 12
    for order in ("le", "be"):
        shown = raw.decode().encode(f"utf-32-{order}")
        yield f"utf-32 {order}", shown, [key[8:].encode(f"utf-32-{order}").decode("latin-1")], 32
        shown = raw.decode().encode(f"utf-16-{order}")
        yield f"utf-16 {order}", shown, [key[8:].encode(f"utf-16-{order}").decode("latin-1")], 16
    shown = base64.b64encode(f"$env:AISA='{key}'; hermes".encode("utf-16-le"))
    yield "powershell", b"powershell -nop -enc " + shown + b"\n", [shown.decode()[48:-32]], 22
    shown = (b"Some words before " + raw * 2 + b"and some behind").hex()
    yield "hex of a text", b"d=" + shown.encode() + b"\n", [key.encode().hex()[16:]], 16
    shown = base64.b64encode(b"Some words before, " + raw + b"and some behind")
    yield "base64 of a text", b"d=" + shown + b"\n", [shown.decode()[44:88]], 11
    shown = base64.b64encode(urllib.parse.quote(key, safe="").encode())
    yield "base64 of percent", shown, [shown.decode()[16:-8]], 11
    shown = base64.b64encode(key.encode().hex().encode())
    yield "base64 of hex", shown, [shown.decode()[24:-8]], 22
    yield (
        "hex of base64",
        base64.b64encode(key.encode()).hex().encode(),
        [base64.b64encode(key.encode()).hex()[24:-8]],
        22,
    )


def text_forms(key: str) -> Iterator[TextForm]:
    """Every form."""
    for family in (prefixed, columns, joined, apart, apart_thrice):
        for name, text, pieces in family(key):
            parts = tuple(piece.removeprefix("sk-aisa-").encode() for piece in pieces)
            yield TextForm(name, text.encode(), parts)
    for family in (dumps, escapes):
        for name, text, pieces, least in family(key):
            yield TextForm(name, text.encode(), tuple(piece.encode() for piece in pieces), least)
    for name, data, pieces, least in encodings(key):
        yield TextForm(name, data, tuple(piece.encode("latin-1") for piece in pieces), least)


def _in_alphabet(letter: str, upper: int, lower: int, digit: int) -> str:
    """The letter or digit in an alphabet of Unicode that begins at these code points; another sign as it is."""
    for first, start in (("A", upper), ("a", lower), ("0", digit)):
        if ord(first) <= ord(letter) < ord(first) + (10 if first == "0" else 26):
            return chr(start + ord(letter) - ord(first))
    return letter
