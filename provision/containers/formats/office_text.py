"""Join text that office documents (docx, xlsx, pptx) divide into runs: a key in two formats is in pieces.

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

_PARAGRAPH = re.compile(rb"<((?:[wa]:)?(?:p|si|comment|text))\b[^>]*>.*?</\1>", re.DOTALL)
_RUN = re.compile(rb"(<((?:[wa]:)?(?:t|instrText|delText))(?:\s[^>]*)?>)([^<]*)(</\2>)")


def office_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the text of every paragraph that has several runs."""
    data = source.held() or b""
    pieces: list[bytes] = []
    at = 0
    for number, paragraph in enumerate(_PARAGRAPH.finditer(data), 1):
        runs = list(_RUN.finditer(data, paragraph.start(), paragraph.end()))
        if len(runs) < 2:
            continue
        joined = html.unescape(b"".join(run[3] for run in runs).decode("utf-8", "replace"))
        label = Label(f"paragraph {number}", joined.encode(), PartKind.BODY)
        yield label
        if label.changed:
            new = html.escape(label.now.decode("utf-8", "replace"), quote=False).encode()
            for run in runs:
                pieces += [data[at : run.start(3)], new]
                at, new = run.end(3), b""
    pieces.append(data[at:])
    if out is not None:
        rest = Label("its text", b"".join(pieces), PartKind.BODY)
        yield rest
        out.write(rest.now)
