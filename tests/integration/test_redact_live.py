"""`redact --exec`: commands on a terminal of their own, seen through tmux as a person sees them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandcraft import PROVISION
from redactcraft import aisa_key, pieces_left
from tmuxcraft import Terminal

KEY = aisa_key("live")
EXEC = [str(PROVISION), "redact", "--exec", "--"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path) as opened:
        opened.wait(">")
        yield opened


def _exec(*command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*EXEC, *command], input=stdin, capture_output=True, check=False, timeout=60)


# without a terminal


def test_output_is_masked_and_the_exit_code_is_the_commands() -> None:
    done = _exec("sh", "-c", f"echo one {KEY} two; exit 7")
    assert done.returncode == 7
    assert re.fullmatch(rb"one \[REDACTED:aisa-key#\w{4}\]\*+ two\n", done.stdout)
    assert len(done.stdout) == len(f"one {KEY} two\n")


def test_a_signal_that_ends_the_command_is_told() -> None:
    assert _exec("sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


def test_standard_input_reaches_the_command_to_its_end() -> None:
    data = b"".join(b"line %d\n" % i for i in range(20_000))
    assert _exec("cat", stdin=data).stdout == data
    assert _exec("wc", "-c", stdin=b"no line end").stdout.strip() == b"11"


def test_a_missing_command_is_said() -> None:
    done = _exec("no-such-command-here")
    assert done.returncode == 1
    assert b"command not found: no-such-command-here" in done.stderr


def test_bytes_that_are_no_text_pass_unchanged() -> None:
    done = _exec("sh", "-c", r"printf '\377\376 \342\202 \200 x\n'")
    assert done.stdout == b"\xff\xfe \xe2\x82 \x80 x\n"


def test_a_key_in_two_writes_is_masked() -> None:
    half = len(KEY) // 2
    for pause in ("0", "0.002", "0.3"):
        done = _exec("sh", "-c", f"printf 'a %s' {KEY[:half]}; sleep {pause}; printf '%s b\\n' {KEY[half:]}")
        assert not pieces_left(KEY, done.stdout), pause
        assert done.stdout.endswith(b" b\n")


def test_what_was_printed_comes_at_once() -> None:
    process = subprocess.Popen(
        [*EXEC, "sh", "-c", "printf 'a question? '; read x; echo $x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    shown = b""
    while not shown.endswith(b"question? "):
        chunk = os.read(process.stdout.fileno(), 100)
        assert chunk, "the command ended before it asked"
        shown += chunk
    process.stdin.write(b"answer\n")
    process.stdin.flush()
    assert process.stdout.read() == b"answer\n"
    process.stdin.close()
    process.stdout.close()
    assert process.wait(timeout=20) == 0


def test_a_signal_to_us_reaches_the_command() -> None:
    process = subprocess.Popen(
        [*EXEC, "sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.1; done"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    said = (
        process.stdout.read().splitlines()
    )  # the whole group gets it, as from a terminal: the shell may mourn its `sleep`
    process.stdout.close()
    assert said[-1] == b"got it"
    assert process.wait(timeout=20) == 3


def test_a_command_whose_redact_is_killed_ends_too() -> None:
    process = subprocess.Popen(
        [*EXEC, "sh", "-c", "echo $$; exec sleep 1000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    command = int(process.stdout.readline())
    leader = int(Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[1])
    process.kill()
    process.wait(timeout=20)
    process.stdout.close()
    until = time.monotonic() + 10
    while (left := [pid for pid in (command, leader) if _runs(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "the terminal is held open by the process that waits for the command"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# on a terminal


@pytest.mark.programs("tmux")
def test_a_shell_with_a_typed_key(terminal: Terminal) -> None:
    terminal.run([*EXEC, "env", "PS1=in:", "sh", "-i"])
    terminal.wait(lambda screen: screen.rstrip().endswith("in:"))
    terminal.type(f"export AISA_API_KEY={KEY[:25]}x", slowly=True)
    terminal.keys("BSpace")
    terminal.type(KEY[25:], slowly=True)
    terminal.keys("Enter")
    terminal.run("echo ${#AISA_API_KEY} $((6*7))")
    screen = terminal.wait("51 42")
    assert not pieces_left(KEY, screen)
    terminal.run("echo $AISA_API_KEY")
    screen = terminal.wait("[REDACTED:aisa-key#")
    terminal.run("exit 9")
    terminal.wait(lambda screen: screen.rstrip().endswith("\n>"))
    terminal.run("echo ended $?; stty -a | grep -o ' icanon'")
    terminal.wait("ended 9\n icanon")
    assert not pieces_left(KEY, terminal.screen())
    assert not pieces_left(KEY, re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.raw.read_bytes()))


def _both(terminal: Terminal, tmp_path: Path, command: list[str], keys: list[str], ready: str) -> tuple[str, str]:
    """The settled screen of a command without and with `redact --exec`, after the same keys."""
    screens = []
    for prefix in ([], EXEC):
        terminal.run(["clear;", *prefix, *command])
        terminal.wait(lambda screen: ready in screen and "provision" not in screen)
        for key in keys:
            terminal.keys(key)
            terminal.settled()
        screens.append(terminal.settled())
        terminal.keys("Escape", ":", "q", "!", "Enter")
        terminal.keys("q")
        terminal.wait(lambda screen: screen.rstrip().endswith(">") or screen.rstrip().endswith("> q"))
        terminal.keys("C-c")
        terminal.keys("Enter")
    return screens[0], screens[1]


def _text(tmp_path: Path, key: str) -> Path:
    file = tmp_path / "text.py"
    lines = [f"def function_{i}(x):\n    return x + {i}  # ünïcode 漢字" for i in range(60)]
    lines[3] = f'API = "{key}"'
    file.write_text("\n".join(lines))
    return file


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("command", "keys", "ready"),
    [
        (["less", "-R"], ["Space", "b", "/", "function_4", "Enter", "g"], "function_1("),
        (
            ["vim", "-u", "NONE", "-N", "--cmd", "'syntax on'", "--cmd", "'set number'"],
            ["C-d", "C-u", "j", "dd", "p"],
            "function_1(",
        ),
    ],
    ids=["less", "vim"],
)
@pytest.mark.programs("tmux", "less", "vim")
def test_a_full_screen_program_looks_the_same(
    terminal: Terminal, tmp_path: Path, command: list[str], keys: list[str], ready: str
) -> None:
    file = _text(tmp_path, KEY)
    bare, masked = _both(terminal, tmp_path, [*command, str(file)], keys, ready)
    assert KEY in bare
    assert re.sub(r"\[REDACTED:aisa-key#\w{4}\]\*+", KEY, masked) == bare
    assert not pieces_left(KEY, masked)


@pytest.mark.programs("tmux", "vim")
def test_a_key_typed_in_vim_is_masked_and_the_file_is_right(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    terminal.run([*EXEC, "vim", "-u", "NONE", "-N", str(file)])
    terminal.wait(lambda screen: "~" in screen and "provision" not in screen)
    terminal.keys("i")
    terminal.type("first\nkey ")
    terminal.type(KEY, slowly=True)
    terminal.settled()
    assert not pieces_left(KEY, terminal.screen())
    terminal.keys("Escape")
    terminal.run(":wq")
    terminal.wait(lambda screen: screen.rstrip().endswith(">"))
    assert file.read_text() == f"first\nkey {KEY}\n"
    raw = terminal.raw.read_bytes().partition(b"notes.txt")[2]
    assert not pieces_left(KEY, re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", raw))


@pytest.mark.acceptance
@pytest.mark.programs("tmux", "top")
def test_top_runs_resizes_and_ends(terminal: Terminal) -> None:
    terminal.run([*EXEC, "top", "-d", "0.3"])
    screen = terminal.wait("PID")
    assert screen.splitlines()[0].startswith("top - ")
    assert len(terminal.screen().splitlines()) >= 20
    terminal.resize(70, 15)
    terminal.wait(
        lambda screen: (
            "PID" in screen and max(map(len, screen.splitlines())) <= 70 and len(screen.rstrip().splitlines()) <= 15
        )
    )
    terminal.keys("q")
    terminal.wait(lambda screen: screen.rstrip().endswith(">"))
    terminal.run("echo ended $?")
    terminal.wait("ended 0")


@pytest.mark.programs("tmux")
def test_colours_width_and_resizing_reach_the_command(terminal: Terminal) -> None:
    terminal.run(
        [
            *EXEC,
            "sh",
            "-c",
            '\'trap "stty size" WINCH; stty size; printf "\\033[31mred\\033[0m\\n"; while :; do sleep 0.1; done\'',
        ]
    )
    terminal.wait("\nred")
    assert "\n30 100\n" in terminal.screen()
    assert "\x1b[31mred" in terminal.screen(colours=True)
    terminal.resize(90, 20)
    terminal.wait("\n20 90")
    terminal.keys("C-c")
    terminal.wait(lambda screen: screen.rstrip().endswith(">"))
    terminal.run("echo ended $?")
    terminal.wait("ended 130")


@pytest.mark.parametrize(
    ("end", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -QUIT $$", 131)]
)
def test_the_command_ends_redact_as_it_ended(end: str, code: int) -> None:
    done = _exec("sh", "-c", end)
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.programs("tmux")
def test_stopping_and_going_on(terminal: Terminal) -> None:
    terminal.run([*EXEC, "sh", "-c", "'echo started; read x; echo got $x'"])
    terminal.wait("\nstarted")  # the command's own line, not the one that was typed
    terminal.keys("C-z")
    terminal.wait(lambda screen: "Stopped" in screen or "suspended" in screen)
    terminal.run("echo between")
    terminal.wait("\nbetween")
    terminal.run("fg")
    time.sleep(0.5)
    terminal.run("word")
    terminal.wait("got word")
