"""JUnit XML as an output format, which every CI system shows: one case per item, written in pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import quoteattr  # escapes only, parses nothing

from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One item. `failure`: a finding. `error`: no result, such as an unreadable file. `skipped`: not checked."""

    name: str
    group: str
    outcome: Literal["passed", "failure", "error", "skipped"]
    kind: str = ""
    message: str = ""
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite's name, and the counts that JUnit has before the cases."""

    name: str
    tests: int
    failures: int
    errors: int
    skipped: int
    time_s: float


def junit(suite: Suite, cases: Iterable[Case]) -> Iterator[str]:
    """Write the document, in pieces."""
    counts = f'tests="{suite.tests}" failures="{suite.failures}" errors="{suite.errors}" skipped="{suite.skipped}"'
    head = f'name={_attribute(suite.name)} {counts} time="{suite.time_s:.3f}"'
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {head}>\n<testsuite {head}>\n'
    for case in cases:
        tag = f'<testcase name={_attribute(case.name)} classname={_attribute(case.group)} time="{case.time_s:.3f}"'
        if case.outcome == "passed":
            yield f"{tag}/>\n"
            continue
        detail = f"<{case.outcome} message={_attribute(case.message)}"
        kind = "" if case.outcome == "skipped" else f" type={_attribute(case.kind)}"
        yield f"{tag}>{detail}{kind}/></testcase>\n"
    yield "</testsuite>\n</testsuites>\n"


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", printable(text)))
