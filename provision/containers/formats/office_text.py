"""Join text that office documents (docx, xlsx, pptx, odt, ods, odp) divide into runs: a key in two formats is in pieces.

A paragraph that changes is written into its first run; its other runs become empty.
"""

from __future__ import annotations

import html
import re
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.steps import FormatInput, Label

if TYPE_CHECKING:
    from provision.containers.steps import Steps

_PARAGRAPH = re.compile(rb"<((?:[wa]:)?(?:p|si|is|comment|text)|text:(?:p|h))(?=[\s>])[^>]*>.*?</\1>", re.DOTALL)
_RUN = re.compile(rb"<((?:[wa]:)?(?:t|instrText|delText))(?:\s[^>]*)?>(?P<text>[^<]*)</\1>")
_OPEN_RUN = re.compile(rb">(?P<text>[^<]+)(?=<)")
"""In OpenDocument all text of a paragraph belongs to it, between whatever tags."""


def office_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the text of every paragraph that has several runs."""
    data = source.held() or b""
    pieces: list[bytes] = []
    at = 0
    for number, paragraph in enumerate(_PARAGRAPH.finditer(data), 1):
        run_form = _OPEN_RUN if paragraph[1].startswith(b"text:") else _RUN
        runs = list(run_form.finditer(data, paragraph.start(), paragraph.end()))
        if len(runs) < 2:
            continue
        joined = html.unescape(b"".join(run["text"] for run in runs).decode("utf-8", "replace"))
        label = Label(f"paragraph {number}", joined.encode(), PartKind.BODY)
        yield label
        if label.changed:
            new = html.escape(label.now.decode("utf-8", "replace"), quote=False).encode()
            for run in runs:
                pieces += [data[at : run.start("text")], new]
                at, new = run.end("text"), b""
    pieces.append(data[at:])
    if out is not None:
        rest = Label("its text", b"".join(pieces), PartKind.BODY)
        yield rest
        out.write(rest.now)
