"""HTML as an output format: one page with facts, a chart and tables, in a single file that loads nothing.

All text is escaped. The content security policy forbids scripts and loading; it allows the one style sheet by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FOLDER = resources.files("provision.report.html") / "templates"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the chart. `tone` is good, bad, unsure or neutral."""

    label: str
    count: int
    tone: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a heading. `rows` may be an iterator; it is read once."""

    title: str
    note: str
    headers: Sequence[str]
    rows: Iterable[Sequence[object]]
    tone: str = "neutral"


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page. All text in it is untrusted and is escaped."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    chart_title: str
    bars: Sequence[Bar]
    sections: Iterable[Section]


def page(content: Page) -> Iterator[str]:
    """Write the page, in pieces."""
    import jinja2  # noqa: PLC0415  only the HTML report needs it

    style = (_FOLDER / "page.css").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.from_string((_FOLDER / "page.html.j2").read_text("utf-8"))
    most = max((bar.count for bar in content.bars), default=0) or 1
    yield from template.generate(page=content, style=_Markup(style), digest=digest, most=most)


class _Markup(str):
    """The style sheet, which must not be escaped: its hash is in the policy."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _finalized(value: object) -> object:
    return printable(value) if type(value) is str else value
