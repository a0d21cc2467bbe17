"""Run a command on its own pseudo-terminal and show its output with secrets covered.

The command gets a terminal of the same size. Keys, signals, job control and resizing reach it, and its exit code is
returned. Output is shown immediately, except the last word of an unfinished line, which is held back a few milliseconds
because it may continue. Covers have the length of the covered text, so full-screen programs stay in shape.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import select
import signal
import termios
from typing import TYPE_CHECKING

from provision.detect.known import shape_of
from provision.errors import ProvisionError
from provision.programs import find_program
from provision.redact.terminal import outer_terminal
from provision.redact.terminal.canvas import NOWHERE
from provision.redact.terminal.control_strings import ControlStrings
from provision.redact.terminal.job import end_like, own_group
from provision.redact.terminal.output_scanner import TAIL_CHARACTERS, OutputMatch, OutputScanner, lay_covers
from provision.redact.terminal.repaint import paint_over
from provision.redact.terminal.screen import unfinished_escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.redact.session import Session

QUIET_S = 0.012
"""How long the last word of an unfinished line is held back."""
HOLD_CHARACTERS = 4096
READ_BYTES = 1 << 16
MOST_COVERS = 1 << 16
PLACE_S = 0.3
"""How long the terminal may take to say where its cursor is."""
END_OF_INPUT = b"\x04"
_NOT_EXECUTABLE = 126


class NoSuchCommandError(ProvisionError):
    """The command cannot be started."""


class _Covering:
    """Covers secrets in the output of the command: before it is shown, or over what is shown already if `on_terminal`."""

    def __init__(self, watch: OutputScanner, session: Session, name: str, *, on_terminal: bool = False) -> None:
        self._watch, self._session, self._name = watch, session, name
        self._on_terminal, self._placed = on_terminal, False
        self._noted: set[int] = set()
        self._covers: dict[int, str] = {}
        self._late: set[int] = set()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._strings = ControlStrings(session, name)
        self._held = self._sequence = ""

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        self._watch.screen.resize(columns, rows)

    def place(self, x: int, y: int) -> None:
        """Take the place of the cursor as the terminal says it."""
        if not self._watch.screen.on_alternate:
            self._watch.screen.place(x, y)
        self._placed = True

    @property
    def waiting(self) -> bool:
        """Whether output is held back that `flush` releases."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Take output and return what can be shown of it now."""
        new = "".join(part.text for part in self._strings.take(self._decoder.decode(data)) if not part.covered)
        text = self._held + self._sequence + new
        end = unfinished_escape(text)
        text, self._sequence = text[:end], text[end:]
        cut = len(text)
        while cut > len(text) - HOLD_CHARACTERS and cut and text[cut - 1] > " ":
            cut -= 1
        self._held = text[cut:] if len(text) - cut < HOLD_CHARACTERS else ""
        return self._shown(text[: len(text) - len(self._held)])

    def flush(self) -> bytes:
        """Return what was held back, because nothing followed in time."""
        held, self._held = self._held, ""
        return self._shown(held)

    def end(self) -> bytes:
        """Return the rest, after the last output."""
        last = self._strings.take(self._decoder.decode(b"", final=True), last=True)
        text = self._held + self._sequence + "".join(part.text for part in last if not part.covered)
        self._held = self._sequence = ""
        return self._shown(text)

    def _shown(self, text: str) -> bytes:
        if not text:
            return b""
        base = self._watch.origin
        new: dict[int, str] = {}
        for found in (*self._watch.take(text), *self._watch.matches_in_text()):
            new = {**self._covers_of(found, base), **new}
            if found.first_origin not in self._noted and not self._covers.keys() >= set(found.origins):
                found.note(self._session, self._name, "output")
            self._noted.add(found.first_origin)
        new = {**dict.fromkeys(self._watch.unfinished(), "*"), **new}
        self._late |= {origin for origin in new if origin < base and origin not in self._covers}
        self._covers = {**new, **self._covers}
        shown = lay_covers(text, base, new) + self._painted()
        if len(self._covers) > MOST_COVERS:
            kept = self._watch.screen.origins_kept()
            oldest = self._watch.origin - TAIL_CHARACTERS
            self._covers = {o: c for o, c in self._covers.items() if o >= oldest or o in kept}
        return shown.encode("utf-8", "surrogateescape")

    def _covers_of(self, found: OutputMatch, base: int) -> dict[int, str]:
        """Return the covers of a match: its mask, or stars if a part of it is covered by others already."""
        if self._covers.keys().isdisjoint(found.origins):
            whole = self._on_terminal or found.first_origin >= base
            return {o: c if whole else "*" for o, c in found.covers(self._session).items()}
        public = len(shape_of(found.match.secret.reveal())[0])
        return dict.fromkeys(set(found.origins[public:]) - {NOWHERE}, "*")

    def _painted(self) -> str:
        """Return what covers letters that are on the terminal already; those of the hidden screen wait until it is shown."""
        if not self._late or not self._on_terminal:
            self._late.clear()
            return ""
        out, painted = paint_over(self._watch.screen, self._late, self._covers, placed=self._placed)
        self._late = (self._late - painted) & self._watch.screen.origins_kept()
        return out


def run_masked(command: Sequence[str], session: Session, environ: Mapping[str, str]) -> int:
    """Run a command on a pseudo-terminal; return its exit code, or 128 plus the signal that ended it.

    Standard input and output are this process's own. Raises NoSuchCommandError.
    """
    program = find_program(command[0], environ)
    if program is None:
        hint = "provision redact --exec -- COMMAND [ARGUMENTS]"
        raise NoSuchCommandError(f"command not found: {command[0]}", hint=hint)
    columns, rows = outer_terminal.terminal_size(environ)
    master, inner = os.openpty()
    _prepare(inner, columns, rows)
    child = os.fork()
    if child == 0:
        os.close(master)  # the leader of the session lives on: with it the terminal would outlive this process
        _become(program, command, environ, inner)
    os.close(inner)
    watch = OutputScanner(session, columns, rows)
    covering = _Covering(watch, session, command[0], on_terminal=os.isatty(1))
    with outer_terminal.forwarded_signals() as wakeup, outer_terminal.raw_mode() as modes:
        status = _Copying(child, master, covering, modes, environ).until_the_end(wakeup)
    os.close(master)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _prepare(inner: int, columns: int, rows: int) -> None:
    """Set size and modes of the command's terminal: no echo if stdin is not a terminal, plain line ends if stdout is not."""
    outer_terminal.set_size(inner, columns, rows)
    modes = termios.tcgetattr(inner)
    if not os.isatty(1):
        modes[1] &= ~termios.ONLCR
    if not os.isatty(0):
        modes[3] &= ~termios.ECHO
    termios.tcsetattr(inner, termios.TCSANOW, modes)


def _become(program: str, command: Sequence[str], environ: Mapping[str, str], inner: int) -> None:
    """In the child: execute the command with the terminal as its controlling terminal, and end as it ends."""
    try:
        os.login_tty(inner)
        group = own_group()
        if group:
            end_like(group)
        os.execve(program, list(command), dict(environ))  # noqa: S606  running a command is what this is for
    except OSError as e:
        os.write(2, f"{command[0]}: {e.strerror}\n".encode())
    finally:
        os._exit(_NOT_EXECUTABLE)


class _Copying:
    """Copies keys to the command and covered output to the screen, until the command has ended and all output is shown."""

    def __init__(
        self,
        child: int,
        master: int,
        covering: _Covering,
        modes: outer_terminal.TerminalModes,
        environ: Mapping[str, str],
    ) -> None:
        self._child, self._master, self._covering = child, master, covering
        self._modes, self._environ = modes, environ
        self._keys = b""
        self._listening = True
        self._status: int | None = None
        self._place = outer_terminal.CursorQuestion()
        os.set_blocking(master, False)

    def until_the_end(self, wakeup: int) -> int:
        """Copy, and return the wait status of the command."""
        going = True
        self._ask_place()
        try:
            while going and self._status is None:
                going = self._step(wakeup)
            while self._pass_on():
                pass
            _write(self._covering.end())
        except BrokenPipeError:
            os.kill(self._child, signal.SIGHUP)
            raise
        return self._status if self._status is not None else os.waitpid(self._child, 0)[1]

    def _step(self, wakeup: int) -> bool:
        output = () if self._place.open else (self._master,)
        readers = [*output, wakeup, *((0,) if self._listening and len(self._keys) < READ_BYTES else ())]
        writers = [self._master] if self._keys else []
        wait = PLACE_S if self._place.open else QUIET_S if self._covering.waiting else None
        ready, writable, _ = select.select(readers, writers, [], wait)
        if self._place.open and not ready and not writable:
            self._keys += self._place.give_up()
            return True
        if not ready and not writable:
            _write(self._covering.flush())
            return True
        if wakeup in ready:
            for number in os.read(wakeup, 512):
                self._signalled(number)
        if 0 in ready:
            self._listen()
        if writable:
            with contextlib.suppress(BlockingIOError):
                self._keys = self._keys[os.write(self._master, self._keys) :]
        return self._pass_on() if self._master in ready else True

    def _pass_on(self) -> bool:
        """Show available output. False if there is none now, or if there will be none."""
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return self._status is None
        except OSError as e:
            if e.errno != errno.EIO:  # Linux: the other end is closed
                raise
            return False
        _write(self._covering.feed(data))
        return bool(data)

    def _ask_place(self) -> None:
        """Ask the terminal where its cursor is: what was on it before this program is not known otherwise."""
        if os.isatty(0) and os.isatty(1):
            _write(self._place.ask())

    def _listen(self) -> None:
        data = os.read(0, READ_BYTES)
        if data:
            keys, place = self._place.answered(data)
            self._keys += keys
            if place:
                self._covering.place(*place)
            return
        self._listening = False
        self._keys += END_OF_INPUT if self._keys.endswith(b"\n") or not self._keys else END_OF_INPUT * 2

    def _signalled(self, number: int) -> None:
        if number == signal.SIGWINCH:
            columns, rows = outer_terminal.terminal_size(self._environ)
            outer_terminal.set_size(self._master, columns, rows)
            self._covering.resize(columns, rows)
            self._ask_place()
        elif number == signal.SIGCHLD:
            pid, status = os.waitpid(self._child, os.WNOHANG | os.WUNTRACED)
            if not pid:
                return
            if os.WIFSTOPPED(status):
                self._modes.suspend()
                os.killpg(self._child, signal.SIGCONT)
            else:
                self._status = status
        else:
            with contextlib.suppress(ProcessLookupError, OSError):
                os.killpg(os.tcgetpgrp(self._master), number)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
