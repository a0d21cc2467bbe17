"""Reports for people and machines: foreign text stays text in every one of them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import stat
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from provision.aisa.batch import BatchOutcome
from provision.aisa.results import FailingRoute, ValidationResult
from provision.aisa.verdicts import Verdict
from provision.fleet.desired import ApiMode
from provision.report import validation
from provision.report.html.grid import STATIC_ROWS
from provision.report.html.page import Bar, Page, Section, page
from provision.report.junit import Case, Suite, junit
from provision.report.output import write_output
from provision.report.progress import Progress

EVIL = "<script>alert(1)</script>\x1b[31m\u202e\"'&\x00\ud800]]>"


def html(title: str, cell: str) -> str:
    bars = [Bar(cell, 3, "good"), Bar("none", 0, "bad")]
    return "".join(
        page(Page(title, cell, [(cell, cell)], iter([Section(cell, cell, [cell], iter([[cell]]))]), cell, bars))
    )


def test_html_escapes_everything() -> None:
    text = html(EVIL, EVIL)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text
    text.encode()


def test_html_names_its_style_sheet_by_hash() -> None:
    import base64
    import hashlib
    import re

    text = html("t", "c")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"sha256-{digest}" in text.replace("&#43;", "+")


def test_junit_is_xml_whatever_the_text() -> None:
    cases = [Case(EVIL, EVIL, "failure", EVIL, EVIL, 1.0), Case("b", "", "skipped", "", EVIL), Case("c", "", "passed")]
    root = ET.fromstring("".join(junit(Suite(EVIL, 3, 1, 0, 1, 2.0), cases)))  # our own output
    assert [case.get("name") for case in root.iter("testcase")][1:] == ["b", "c"]
    assert "<script>" in str(root.get("name"))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_and_in_a_pipe() -> None:
    now = [100.0]
    for stream in (_Terminal(), io.StringIO()):
        progress = Progress("validate", 4000, stream, lambda: now[0])
        for i in range(4000):
            now[0] += 0.01
            progress.step("ok" if i % 4 else EVIL)
        progress.say(EVIL)
        progress.close()
        text = stream.getvalue()
        assert "validate 4,000/4,000 · 100/s" in text
        assert "3,000 ok" in text
        assert "<script>alert(1)</script>\\x1b[31m" in text
        if isinstance(stream, _Terminal):
            assert text.count("\r") > 100
            assert "\x1b[31m" not in text
        else:
            assert "\r" not in text
            assert text.count("\n") == 5  # three in forty seconds, the remark, the last word


def test_time_left() -> None:
    now = [0.0]
    progress = Progress("x", 7200, io.StringIO(), lambda: now[0])
    now[0] = 10.0
    progress.step()
    assert "19:59:50 left" in progress.line(10.0)


def result(user: str, verdict: Verdict, **more: object) -> ValidationResult:
    fields: dict[str, object] = {"advice": f"do {verdict}", **more}
    return ValidationResult(
        user, "team", "gpt-5.2", ApiMode.CHAT_COMPLETIONS, "https://x/v1", "fp_x", verdict, **fields
    )  # type: ignore[arg-type]


RESULTS = [
    result("ada", Verdict.OK),
    result(EVIL, Verdict.KEY_INVALID, code=EVIL, request_id=EVIL, advice=EVIL, suggestions=(EVIL,)),
    *(result(f"u{i}", Verdict.UNFUNDED) for i in range(80)),
    result("eve", Verdict.UNREACHABLE),
]


def report() -> validation.ValidationReport:
    route = FailingRoute("m", ApiMode.CHAT_COMPLETIONS, "https://x/v1", Verdict.UPSTREAM_ERROR, 2, None)
    outcome = BatchOutcome(83, 1, 90, 2, (route,), 1.5, network_at_fault=True)
    counts = Counter(r.verdict for r in RESULTS)
    return validation.ValidationReport(
        outcome, lambda: iter(RESULTS), lambda: iter(["zoe"]), "now", ("key",), counts, "2026-09-30"
    )


def test_table() -> None:
    text = "".join(validation.as_table(report()))
    assert "… and 30 more" in text
    assert "nearly all requests failed to connect: check the network, not the keys" in text
    assert "FAILING ROUTE" in text
    assert "\x1b" not in text
    assert "".join(validation.as_table(report(), everything=True)).count("\n  u") == 80


def test_json_and_junit_and_html() -> None:
    found = json.loads("".join(validation.as_json(report())))
    assert len(found["users"]) == 83
    assert found["not_asked"] == ["zoe"]
    assert found["routes"][0]["working_model"] is None
    assert found["summary"]["verdicts"] == {"ok": 1, "key_invalid": 1, "unfunded": 80, "unreachable": 1}
    root = ET.fromstring("".join(validation.as_junit(report())))  # our own output
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == ("84", "81", "1", "1")
    page_text = "".join(validation.as_html(report()))
    assert EVIL not in page_text
    assert page_text.count("<tr><td ") == 1 + STATIC_ROWS, "the failing route, and the first users"
    rows = page_text.split('<script id="rows" type="application/gzip">')[1].split("<")[0]
    grid = json.loads(gzip.decompress(base64.b64decode(rows)))
    assert len(grid["columns"][0]["cells"]) == 84, "all users, asked or not"
    assert [page_text.count(f'data-state="{word}"') for word in ("unfunded", "ok", "not asked", "rejected")] == [
        1,
        1,
        1,
        0,
    ]
    assert "do unfunded</span>" in page_text
    assert "… and 30 more" in page_text


def test_empty_report() -> None:
    empty = validation.ValidationReport(
        BatchOutcome(0, 0, 0, 0, (), 0.0), lambda: iter(()), lambda: iter(()), "now", (), Counter(), ""
    )
    assert json.loads("".join(validation.as_json(empty)))["users"] == []
    assert "no user asked" in "".join(validation.as_table(empty))
    assert "<svg" not in "".join(validation.as_html(empty))


def test_pour_writes_whole_files_or_none(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    write_output(iter(["a", "b"]), target)
    assert target.read_text() == "ab"

    def broken():
        yield "c"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_output(broken(), target)
    assert target.read_text() == "ab"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_a_device_or_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"  # as /dev/null is: renaming a file to its name would take it away from the whole system
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_output(iter(["a", "b"]), pipe)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    reader.join()
    assert read == ["ab"]
