"""WELCOME.html: the user's page for a browser, made from WELCOME.md. It opens with a double click and loads nothing. Pure.

It understands the Markdown that the shipped templates use: headings, paragraphs, lists, tables, code, bold, backslash escapes.
Everything else is text, and all text is escaped, so a name or description is never markup. There are no links and no scripts.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "pre,code{font-family:ui-monospace,Consolas,monospace;background:color-mix(in srgb,currentColor 9%,transparent);"
    "border-radius:4px}code{padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.7em 1em;overflow-x:auto}"
    "pre code{padding:0;background:none}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.4em .6em;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent);overflow-wrap:anywhere}"
    "@media print{body{margin:0;max-width:none}pre{white-space:pre-wrap}}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
_CONTACT = re.compile(rb'<meta name="it-contact" content="([^"<>]{1,1200})">')
_MARKS = re.compile(r"`([^`]+)`|\*\*(?=\S)(.+?)(?<=\S)\*\*|\\([!-/:-@\[-`{-~])")


def welcome_html(markdown: bytes, language: str, contact: str) -> bytes:
    """Make the page. `language` is its BCP 47 tag; `contact` says where IT is reached, and may be empty."""
    lines = markdown.decode("utf-8").splitlines()
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), "Welcome")
    return "".join([_head(language, contact, title), *_blocks(lines), "</main>\n</body>\n</html>\n"]).encode("utf-8")


def _head(language: str, contact: str, title: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{_escaped(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="it-contact" content="{_escaped(contact)}">\n<title>{_escaped(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    )


def contact_in(page: bytes) -> str:
    """IT's contact that a page names; empty if there is none."""
    found = _CONTACT.search(page[:8192])
    text = html.unescape(found.group(1).decode("utf-8", "replace")) if found else ""
    return text if text.isprintable() and len(text) <= 200 else ""


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        begin = at
        if line.startswith("```"):
            at = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("```")), len(lines))
            code = "\n".join(lines[begin + 1 : at])
            yield f"<pre><code>{_escaped(code)}</code></pre>\n"
            at += 1
        elif line.startswith("#"):
            level = min(6, len(line) - len(line.lstrip("#")))
            yield f"<h{level}>{_inline(line.lstrip('#').strip())}</h{level}>\n"
            at += 1
        elif line.startswith("|"):
            at = _while(lines, at, "|")
            yield from _table(lines[begin:at])
        elif line.startswith("- "):
            at = _while(lines, at, "- ", "  ")
            yield from _list(lines[begin:at])
        elif not line.strip():
            at += 1
        else:
            at = _paragraph_end(lines, at)
            yield f"<p>{_inline(' '.join(lines[begin:at]))}</p>\n"


def _while(lines: list[str], at: int, *starts: str) -> int:
    while at < len(lines) and lines[at].startswith(starts):
        at += 1
    return at


def _paragraph_end(lines: list[str], at: int) -> int:
    at += 1
    while at < len(lines) and lines[at].strip() and not lines[at].startswith(("#", "|", "- ", "```")):
        at += 1
    return at


def _list(lines: list[str]) -> Iterator[str]:
    items: list[str] = []
    for line in lines:
        if line.startswith("- "):
            items.append(line[2:])
        else:
            items[-1] += " " + line.strip()
    yield "<ul>\n" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>\n"


def _table(lines: list[str]) -> Iterator[str]:
    rows = [_cells(line) for line in lines if not re.fullmatch(r"[|\-: ]+", line) or "-" not in line]
    yield "<table>\n"
    for number, row in enumerate(rows):
        tag = "th" if number == 0 and any(row) else "td"
        if any(row):
            yield "<tr>" + "".join(f"<{tag}>{_inline(cell)}</{tag}>" for cell in row) + "</tr>\n"
    yield "</table>\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))]


@functools.lru_cache(4096)
def _inline(text: str) -> str:
    """Escaped text with code, bold and backslash escapes. Most lines are the same for all users, so they are remembered."""
    found, end = [], 0
    for mark in _MARKS.finditer(text):
        found.append(_escaped(text[end : mark.start()]))
        code, bold, sign = mark.groups()
        found.append(
            f"<code>{_escaped(code)}</code>" if code else f"<b>{_inline(bold)}</b>" if bold else _escaped(sign)
        )
        end = mark.end()
    return "".join([*found, _escaped(text[end:])])


def _escaped(text: str) -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    return html.escape(text)
