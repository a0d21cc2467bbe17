"""`redact --exec` seen by an independent terminal (pyte) at every moment: a whole key is never readable, no part of it stays."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redactcraft import aisa_key, known, opaque, pieces_left
from viewercraft import Viewer

KEY = aisa_key("screen")
OPAQUE = opaque("screen", 36)


def _file(folder: Path, text: str) -> str:
    (folder / "text").write_text(text)
    return "text"


@contextlib.contextmanager
def _ended(folder: Path) -> Iterator[None]:
    """End the tmux of the test, which would go on without its terminal."""
    yield
    environ = {**os.environ, "TMUX_TMPDIR": str(folder)}
    subprocess.run(["tmux", "-L", "inner", "kill-server"], env=environ, capture_output=True, check=False, timeout=20)


def _readable(screen: str) -> list[str]:
    """The parts of the keys that can be read, also across rows and beside other panes."""
    joined = screen.replace("\n", "")
    return [*pieces_left(KEY, joined), *pieces_left(OPAQUE, joined)]


LESS = ["less", "-N", "text"]
SIDE = ["less", "-S", "text"]
VIM = ["vim", "-u", "NONE", "-N", "-c", "set nowrap"]
FOLDED = (
    "import sys; from rich.console import Console; from rich.table import Table; t = Table('user', 'key', 'note');"
    "t.add_column(overflow='fold'); t.columns[1].overflow = 'fold'; t.columns[1].max_width = 14;"
    "t.add_row('ada', sys.argv[1], 'hello'); Console(width=60, force_terminal=True).print(t); print('END'); input()"
)
SPLIT = [
    "tmux",
    "-L",
    "inner",
    "-f",
    "/dev/null",
    "new-session",
    "cat",
    ";",
    "split-window",
    "-h",
    "-l",
    "30",
    "sh run",
]


@pytest.mark.parametrize(
    ("command", "text", "ready", "keys"),
    [
        pytest.param(
            LESS, f"{'x' * 40} {KEY} more\nend\n", "end", "", id="less -N on a long line", marks=pytest.mark.slow
        ),
        pytest.param(
            SIDE,
            f"{'x' * 60} {KEY} more\nend\n",
            "end",
            "\x1b[C\x1b[D",
            id="less -S to the side",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            [*VIM, "-c", "normal $", "text"], f"{'x' * 50} {KEY}\nend\n", "text", "", id="vim past the prefix"
        ),
        pytest.param(
            [*VIM, "text"], f"{'x' * 50} {KEY} {'y ' * 50}\nend\n", "[REDACTED", "$0$", id="vim to the side and back"
        ),
        pytest.param(
            [sys.executable, "-c", FOLDED, KEY], "", "END", "", id="rich, folded in a cell", marks=pytest.mark.slow
        ),
        pytest.param(SPLIT, "", "mor", "", id="a narrow pane of tmux", marks=pytest.mark.slow),
    ],
)
@pytest.mark.programs("vim", "less", "tmux")
def test_no_part_of_a_key_can_be_read(tmp_path: Path, command: list[str], text: str, ready: str, keys: str) -> None:
    _file(tmp_path, text)
    (tmp_path / "run").write_text(f"echo 'word {KEY} more'; sleep 100\n")
    with Viewer(tmp_path, command) as viewer, _ended(tmp_path):
        viewer.wait(ready)
        for key in (keys[:1] == "\x1b" and keys.split("\x1b")[1:]) or keys:
            viewer.type("\x1b" + key if keys[:1] == "\x1b" else key)
            viewer.settle(0.15)
        viewer.settle(0.15)
        assert "*" * 8 in viewer.text() or keys
        assert not any(map(_readable, viewer.screens)), viewer.text()


PAINT = (
    "import sys, time\nkey, order = sys.argv[1:]\nhalf = len(key) // 2\n"
    "pieces = [(at, letter) for at, letter in enumerate(key)]\n"
    "pieces = {'right to left': pieces[::-1], 'second half first': [(half, key[half:]), (0, key[:half])]}.get(order, pieces)\n"
    "sys.stdout.write('\\x1b[2J')\n"
    "for at, text in pieces:\n"
    "    sys.stdout.write(f'\\x1b[3;{at + 4}H{text}')\n"
    "    if order == 'status line between': sys.stdout.write(f'\\x1b[20;1Hline 3, column {at}')\n"
    "    sys.stdout.flush(); time.sleep(0.02)\n"
    "sys.stdout.write('\\x1b[22;1HEND'); sys.stdout.flush(); input()"
)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["right to left", "second half first", "status line between"])
def test_a_key_painted_in_any_order_goes_when_it_is_complete(tmp_path: Path, order: str) -> None:
    with Viewer(tmp_path, [sys.executable, "-c", PAINT, KEY, order]) as viewer:
        viewer.wait("END")
        viewer.settle(0.15)
        assert "*" * 8 in viewer.screen.display[2]
        assert not _readable(viewer.text())
        assert not any(KEY in screen.replace("\n", "") for screen in viewer.screens)


@pytest.mark.slow
@pytest.mark.programs("tmux")
def test_what_tmux_copies_is_dropped_if_it_holds_a_key(tmp_path: Path) -> None:
    tmux = "tmux -L inner"
    (tmp_path / "run").write_text(
        f"{tmux} set -s set-clipboard on; {tmux} set-buffer -w 'only words'; {tmux} set-buffer -w {KEY}; echo END; cat\n"
    )
    with Viewer(tmp_path, [*tmux.split(), "-f", "/dev/null", "new-session", "sh run"]) as viewer, _ended(tmp_path):
        viewer.wait("END")
        viewer.settle(0.5)
        assert base64.b64encode(b"only words") in viewer.raw
        assert base64.b64encode(KEY.encode()) not in viewer.raw
        assert not any(map(_readable, viewer.screens))


PICTURES = {"sixel": ("\x1bPq", "#0;2;0;0;0#0~~@@vv$-"), "kitty": ("\x1b_Gf=100,a=T;", "iVBORw0KGgo=")}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_does_not_reach_the_terminal_and_this_is_said(tmp_path: Path, kind: str) -> None:
    head, data = PICTURES[kind]
    (tmp_path / "picture").write_text(f"before {head}{data}\x1b\\after\n")
    with Viewer(tmp_path, ["cat", "picture"]) as viewer:
        viewer.wait("left out")
        assert "before after" in viewer.text()
        assert "a picture is not read" in viewer.text()
        assert data.encode() not in viewer.raw


@pytest.mark.parametrize("row", [10, pytest.param(0, marks=pytest.mark.slow), pytest.param(23, marks=pytest.mark.slow)])
def test_a_key_typed_by_hand_goes_when_it_is_complete(tmp_path: Path, row: int) -> None:
    (tmp_path / "known.json").write_bytes(known(OPAQUE).dump())
    with Viewer(tmp_path, ["env", "PS1=in: ", "sh", "-i"], ["--known", "known.json"], first_row=row) as viewer:
        viewer.wait("in: ")
        viewer.type_slowly(f"echo ab {OPAQUE}")
        viewer.settle(0.1)
        line = viewer.screen.display[row].rstrip()
        assert line.startswith("in: echo ab [REDACTED:known-key#")
        assert len(line) == len(f"in: echo ab {OPAQUE}")
        assert (viewer.screen.cursor.x, viewer.screen.cursor.y) == (len(line), row)
        viewer.type(" x\n")
        viewer.wait(lambda text: text.count("in: ") > 1)
        assert not _readable(viewer.text())
        assert not any(OPAQUE in screen.replace("\n", "") for screen in viewer.screens)
