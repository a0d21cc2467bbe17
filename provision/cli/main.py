"""The entry point, and the only place that catches: every failure becomes a line on stderr and an exit code."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import cast

import typer
from typer.main import get_command

from provision.cli.app import app
from provision.errors import Exit, InvalidFilesError, ProvisionError
from provision.report.terminal import printable

MOST_PROBLEMS = 100
"""How many are printed when a command stops at its input; `check --all` prints every one."""

# the base of what a wrong command line raises: click's own class, or in newer typer the one of the copy it carries
_WrongUsage = cast(
    "type[typer.BadParameter]", next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
)


def main() -> None:
    """Run the command line of this process and exit."""
    _settle_output()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. No exception but a programming error's leaves, and that one masked."""
    try:
        result = _tree()(arguments, prog_name="provision", standalone_mode=False)
    except typer.Exit as e:
        return e.exit_code
    except typer.Abort:
        _say("interrupted")
        return Exit.PARTIAL
    except _WrongUsage as e:
        _explain_usage(e)
        return Exit.USAGE
    except ProvisionError as e:
        _explain(e)
        return e.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR
    except Exception as e:
        _say(_refused(e) if isinstance(e, OSError) and e.filename else _crash(e))
        return Exit.ERROR
    return int(result or 0)


@functools.cache
def _tree() -> Callable[..., int | None]:
    """The commands; what runs many of them in one process builds each once."""
    return get_command(app)


def _settle_output() -> None:
    """Write UTF-8 into files and pipes, whatever the locale (JSON is nothing else), and to a terminal what it can show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def _explain(error: ProvisionError) -> None:
    """Say what went wrong: for people, or as one line of JSON for a program that set PROVISION_ERRORS=json."""
    if os.environ.get("PROVISION_ERRORS") == "json":
        import json

        fields = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
        _say(json.dumps({"schema": "provision/error/v1", **{k: printable(v) for k, v in fields.items()}}))
        return
    if isinstance(error, InvalidFilesError):
        for problem in error.problems[:MOST_PROBLEMS]:
            _say(printable(str(problem)))
        if len(error.problems) > MOST_PROBLEMS:
            _say(f"… and {len(error.problems) - MOST_PROBLEMS} more")
        _say(f"error: {error.message}")
        return
    _say(f"error: {printable(str(error))}")
    if error.hint:
        _say(f"hint: {printable(error.hint)}")


def _explain_usage(error: typer.BadParameter) -> None:
    """Print what is wrong with the command line, in the form of all other errors."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help of a group
        error.show()
        return
    message = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx else "provision"
    _say(f"error: {printable(message[:1].lower() + message[1:])}")
    _say(f"hint: {command} --help")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _refused(error: OSError) -> str:
    """What the system would not do with which file: no right to it, no space, a name too long."""
    return f"error: {printable(str(error.filename))}: {error.strerror}"


def _crash(error: BaseException) -> str:
    """Where a bug is, by file and line, without any value that was in a variable or a message."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append(f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}")  # noqa: PTH119
        step = step.tb_next
    return (
        f"error: this is a bug in provision ({type(error).__name__} at {' > '.join(frames[-6:])})\n"
        "  nothing secret is in this line; please report it with the command you ran"
    )
