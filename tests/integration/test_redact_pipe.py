"""`redact` in a pipe: what can be passed on is passed on at once, and memory does not grow."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator

import pytest
from commandcraft import PROVISION
from redactcraft import aisa_key, pieces_left

KEY = aisa_key("pipe")
SOON_S = 10.0
"""Far more than it takes on a busy machine, far less than for ever."""


class Pipe:
    def __init__(self) -> None:
        command = [PROVISION, "redact"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout

    def send(self, data: bytes) -> None:
        self._in.write(data)
        self._in.flush()

    def take(self, ending: bytes) -> bytes:
        """What comes out until it ends like this."""
        got, end = b"", time.monotonic() + SOON_S
        while not got.endswith(ending):
            left = end - time.monotonic()
            assert left > 0, f"stalled with {got!r}, waiting for {ending!r}"
            if select.select([self._out], [], [], left)[0]:
                got += os.read(self._out.fileno(), 65_536)
        return got

    def nothing_for(self, seconds: float) -> bool:
        return not select.select([self._out], [], [], seconds)[0]

    def rest(self) -> bytes:
        self._in.close()
        return self._out.read()

    def close(self) -> None:
        if not self._in.closed:
            self._in.close()
        self._out.close()
        assert self.process.wait(timeout=20) == 0


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    opened = Pipe()
    yield opened
    opened.close()


def test_a_finished_line_never_waits(pipe: Pipe) -> None:
    for number in range(5):
        line = f"line {number} without anything\n".encode()
        pipe.send(line)
        assert pipe.take(b"\n") == line
    pipe.send(f"key {KEY}\n".encode())
    assert pipe.take(b"\n").startswith(b"key [REDACTED:aisa-key#")


def test_of_an_unfinished_line_only_its_end_waits(pipe: Pipe) -> None:
    pipe.send(b"progress 10% of the wor")
    assert pipe.take(b"the ") == b"progress 10% of the "
    assert pipe.nothing_for(0.3)
    pipe.send(b"k ")
    assert pipe.take(b"work ") == b"work "


def test_the_beginning_of_a_key_waits_for_the_rest(pipe: Pipe) -> None:
    pipe.send(f"first\nkey {KEY[:20]}".encode())
    assert pipe.take(b"key ") == b"first\nkey "
    assert pipe.nothing_for(0.3)
    pipe.send(f"{KEY[20:]} end\nnext\n".encode())
    result = pipe.take(b"next\n")
    assert result.startswith(b"[REDACTED:aisa-key#")
    assert not pieces_left(KEY, result)
    pipe.send(b"no line end")
    assert pipe.rest().endswith(b"no line end")


def test_a_line_that_ends_in_half_a_key_does_not_wait(pipe: Pipe) -> None:
    pipe.send(f"key {KEY[:40]}\n".encode())
    first = pipe.take(b"\n")
    assert not pieces_left(KEY, first)
    pipe.send(f"{KEY[40:]}\n".encode())
    assert not pieces_left(KEY, pipe.take(b"\n"))


def test_a_text_with_a_form_waits_for_its_end_and_says_so() -> None:
    command = [PROVISION, "redact"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"[db]\npassword = hunter\n")
        process.stdin.flush()
        assert b"waiting for the end of the input" in process.stderr.readline()
        out, _ = process.communicate(timeout=SOON_S)
    assert out.startswith(b"[db]\npassword = [REDACTED:secret-field#")
    done = subprocess.run([*command, "--as", "text"], input=b"[db]\nuser = ada\n", capture_output=True, check=True)
    assert done.stdout == b"[db]\nuser = ada\n"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    process = subprocess.Popen(
        f"yes | {PROVISION} redact | head -n 3",
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(timeout=30)
    assert (out, err) == (b"y\ny\ny\n", b"")
