"""The entry point. The only place that catches exceptions: each becomes lines on stderr and an exit code."""

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
from provision.errors import Exit, InvalidFilesError, ProvisionError, UsageError
from provision.report.operand_mask import masked_output
from provision.report.terminal import printable

MAX_PROBLEMS = 100
"""How many problems are printed when a command stops at invalid files; `check --all` prints all of them."""

# the base class of errors in the command line: click's, or that of the copy of click inside newer typer
_WrongUsage = cast(
    "type[typer.BadParameter]", next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
)


def main() -> None:
    """Run the command line of this process and exit."""
    _settle_output()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. A key among the arguments is masked in all text that is printed."""
    with masked_output(arguments):
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    """Run one command line. A bug is reported by file and line, without any value."""
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
        _explain(_os_error(e) if isinstance(e, OSError) and e.filename else _crash(e))
        return Exit.ERROR
    return int(result or 0)


@functools.cache
def _tree() -> Callable[..., int | None]:
    """The command tree, built once per process."""
    return get_command(app)


def _settle_output() -> None:
    """Write UTF-8 to files and pipes in any locale (JSON requires it); escape what a terminal cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")


def _explain(error: ProvisionError) -> None:
    """Print an error: as text, or with PROVISION_ERRORS=json as one line of JSON."""
    if os.environ.get("PROVISION_ERRORS") == "json":
        import json

        fields = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
        _say(json.dumps({"schema": "provision/error/v1", **{k: printable(v) for k, v in fields.items()}}))
        return
    if isinstance(error, InvalidFilesError):
        for problem in error.problems[:MAX_PROBLEMS]:
            _say(printable(str(problem)))
        if len(error.problems) > MAX_PROBLEMS:
            _say(f"… and {len(error.problems) - MAX_PROBLEMS} more")
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
    _explain(UsageError(message[:1].lower() + message[1:], hint=f"{command} --help"))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _os_error(error: OSError) -> ProvisionError:
    """The file and the reason of an error of the operating system: no permission, no space, name too long."""
    return ProvisionError(f"{error.filename}: {error.strerror}")


class UnexpectedError(ProvisionError):
    """A bug in provision, named by place."""


def _crash(error: BaseException) -> UnexpectedError:
    """The place of a bug by file and line, without any value of a variable or message."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append(f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}")  # noqa: PTH119
        step = step.tb_next
    return UnexpectedError(
        f"this is a bug in provision ({type(error).__name__} at {' > '.join(frames[-6:])})",
        hint="report this line and the command that you ran; the line contains no secret",
    )
