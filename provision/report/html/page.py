"""HTML as an output format: a verdict, tiles, what needs attention, charts and tables, in a single file that loads nothing.

All text is escaped. The content security policy forbids loading; it allows the style sheet and the script by their hashes.
Without JavaScript everything is readable but the grid's further rows. All pages share the template `page.html.j2`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import jinja2

    from provision.report.html.charts import StackedBar, TrendLine
    from provision.report.html.grid import Grid
    from provision.report.html.when import When

_FOLDER = resources.files("provision.report.html") / "templates"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the chart. `tone` is good, bad, unsure or neutral."""

    label: str
    count: int
    tone: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its name, which leads to the part of the page with the id `target` and filters the grid by `state`.

    `spark`: the number by day, drawn small.
    """

    value: str
    label: str
    note: str
    tone: str
    target: str
    state: str = ""
    spark: TrendLine | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Equal things that need attention, in one line that opens. `lines` are the first, `more` the number of the others."""

    id: str
    count: int
    title: str
    pill: str
    tone: str
    command: str
    lines: Sequence[str]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a heading. `rows` may be an iterator; it is read once. A cell may be a `When`."""

    title: str
    note: str
    headers: Sequence[str]
    rows: Iterable[Sequence[object]]
    tone: str = "neutral"
    id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page. All text in it is untrusted and is escaped.

    `verdict_tone`: the tone of the subtitle, which is the page's first sentence. `reload_s`: a browser loads the page again
    after so many seconds, or never if 0.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str | When]]
    sections: Iterable[Section]
    chart_title: str = ""
    bars: Sequence[Bar] = ()
    verdict_tone: str = "neutral"
    tiles: Sequence[Tile] = ()
    groups: Sequence[Group] = ()
    progress: Sequence[StackedBar] = ()
    trend: TrendLine | None = None
    grid: Grid | None = None
    footer: str = ""
    reload_s: int = 0


def page(content: Page) -> Iterator[str]:
    """Write the page, in pieces."""
    template, style, script = _template(), _part("page.css"), _part("grid.js")
    script_hash = f"'sha256-{_digest(script)}'" if content.grid else "'none'"
    yield from template.generate(
        page=content,
        style=style,
        style_hash=f"'sha256-{_digest(style)}'",
        script=script,
        script_hash=script_hash,
        island=_Markup(content.grid.island()) if content.grid else "",
        most=max((bar.count for bar in content.bars), default=0) or 1,
    )


@functools.cache
def _template() -> jinja2.Template:
    """The template, compiled once: that takes longer than a page of 500 users."""
    import jinja2  # noqa: PLC0415  only the HTML report needs it

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    return environment.get_template("page.html.j2")


def _part(name: str) -> _Markup:
    return _Markup((_FOLDER / name).read_text("utf-8"))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _Markup(str):
    """The style sheet, the script and the grid's data, which must not be escaped: no text of a user is in them as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _finalized(value: object) -> object:
    return printable(value) if type(value) is str else value
