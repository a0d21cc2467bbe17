"""The entry point. The only place that catches exceptions: each becomes lines on stderr and an exit code."""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import sys
import sysconfig
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import typer
from typer.main import get_command

from provision.cli.app import app
from provision.cli.console import understand_escapes
from provision.errors import Exit, InvalidFilesError, ProvisionError, UsageError
from provision.keys.process_memory import protect_process
from provision.programs import is_store_python, python_with_wheels
from provision.report.operand_mask import masked_output
from provision.report.terminal import printable, register_fallbacks, remark, results_are_prose
from provision.shell import install_command

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OTHER_PYTHON = (
    "use Hermes' own Python (%LOCALAPPDATA%\\hermes\\hermes-agent\\venv\\Scripts\\python.exe), or one from python.org"
)
STANDARD_OUTPUT = "standard output"
MAX_PROBLEMS = 100
"""How many problems are printed when a command stops at invalid files; `check --all` prints all of them."""

# the base class of errors in the command line: click's, or that of the copy of click inside newer typer
_WrongUsage = cast(
    "type[typer.BadParameter]", next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
)


def main() -> None:
    """Run the command line of this process and exit."""
    _settle_output()
    understand_escapes()
    platform: str = sys.platform  # or mypy checks the branch of this system only
    if platform == "win32" and is_store_python(sys.executable, sys.base_prefix):
        _explain(
            ProvisionError(
                "this Python is from the Microsoft Store, which redirects %LOCALAPPDATA%", hint=_OTHER_PYTHON
            )
        )
        sys.exit(Exit.ERROR)
    for warning in protect_process():
        _say(f"warning: {warning}")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as e:
        code = _refused_output(e)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. A key among the arguments is masked in all text that is printed."""
    results_are_prose()
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
        _drop_output()
        return Exit.ERROR
    except Exception as e:
        _explain(refusal_of(e) or _crash(e))
        return Exit.ERROR
    return int(result or 0)


@functools.cache
def _tree() -> Callable[..., int | None]:
    """The command tree, built once per process."""
    return get_command(app)


def _settle_output() -> None:
    """Write UTF-8 to files and pipes in any locale (JSON requires it); escape what a terminal cannot show.

    A stream that was closed (`>&-`) gets a descriptor of its own, so that no file that is opened later takes its place.
    Writing a result to it fails, as it does in other programs. Without a console (`pythonw`, a scheduled task of Windows)
    all three are missing: nothing reads the output then, and it is dropped.
    """
    platform: str = sys.platform  # or mypy checks the branch of this system only
    no_console = platform == "win32" and sys.stdin is sys.stdout is sys.stderr is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_WRONLY if number == 2 or (number and no_console) else os.O_RDONLY) < number:
                pass  # only a lower stream can be missing too
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        terminal, encoding = sys.stdout.isatty(), sys.stdout.encoding
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_StandardOutput(sys.stdout.fileno(), "w", closefd=False)),
            encoding=encoding if terminal else "utf-8",
            errors=register_fallbacks(),
            line_buffering=terminal,
        )
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=register_fallbacks())


class _StandardOutput(io.FileIO):
    """Standard output whose errors say that it was standard output."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as e:
            platform: str = sys.platform  # or mypy checks the branch of this system only
            if platform == "win32" and e.errno == errno.EINVAL:  # what Windows says of a pipe whose reader has gone
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from e
            e.filename = STANDARD_OUTPUT
            raise


def _explain(error: ProvisionError) -> None:
    """Print an error: as text, or with PROVISION_ERRORS=json as one line of JSON. A hint that names IT says where IT is."""
    if re.search(r"\bIT\b", error.hint):
        from provision.cli.endpoint.contact import it_contact

        error.hint += f" (IT: {contact})" if (contact := it_contact()) else ""
    if os.environ.get("PROVISION_ERRORS") == "json":
        import json

        fields = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
        shown = {key: printable(value) for key, value in fields.items()}
        print(json.dumps({"schema": "provision/error/v1", **shown}), file=sys.stderr)
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
    print(remark(line, sys.stderr), file=sys.stderr)


def _drop_output() -> None:
    """Send what is still buffered for standard output to nowhere; Python would fail on it once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused_output(error: OSError) -> Exit:
    _drop_output()
    if not isinstance(error, BrokenPipeError):
        _explain(ProvisionError(f"cannot write standard output: {error.strerror}"))
    return Exit.ERROR


def refusal_of(error: BaseException) -> ProvisionError | None:
    """What the system refused, with its reason: no permission, no space, a folder that is gone. None for a bug."""
    if isinstance(error, MemoryError):
        return ProvisionError("not enough memory", hint="close other programs, or work on fewer files at once")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return ProvisionError(
            "the system refused to start another thread", hint="raise the limit of processes: ulimit -u"
        )
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("provision"):
        return _missing_package(error)
    if not isinstance(error, OSError):
        return None
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename == STANDARD_OUTPUT:
        _drop_output()
        return ProvisionError(f"cannot write {STANDARD_OUTPUT}: {reason}")
    if error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename)
        return ProvisionError(f"{name}: {reason}")
    try:
        os.getcwd()  # noqa: PTH109  Path.cwd() does the same
    except OSError:
        return ProvisionError("the current folder no longer exists", hint="change to another folder: cd")
    return ProvisionError(f"the system refused an operation: {reason}", hint=_SYSTEM_HINTS.get(error.errno or 0, ""))


def _missing_package(error: ModuleNotFoundError) -> ProvisionError:
    """A package that provision depends on is not installed; some systems have no wheel of it."""
    built_for = f"{sysconfig.get_platform()} {sysconfig.get_config_var('HOST_GNU_TYPE') or ''}".strip()
    return ProvisionError(
        f"the package {error.name} is not installed for this Python ({built_for})",
        hint=next(filter(None, map(python_with_wheels, built_for.split())), install_command()),
    )


_SYSTEM_HINTS = {
    errno.ENOSPC: "free disk space, then run the command again",
    errno.EDQUOT: "free disk space, then run the command again",
    errno.EIO: "check the disk: the system log names it",
    errno.EPERM: "run the command as a user who may do this",
    errno.EACCES: "run the command as a user who may do this",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.EROFS: "mount the disk writable",
}
"""By error number; files are named where the error has one."""


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
