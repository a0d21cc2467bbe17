"""`provision redact`: mask secrets in files, in a stream, or in what a command prints."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.errors import Exit, ProvisionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provision.fleet.workspace import Workspace
    from provision.redact.file_kinds import FileKind
    from provision.redact.masks import MaskStyle
    from provision.redact.session import RedactionOptions, Session


_PATIENCE_S = 3.0
"""After this time a user is told why nothing is written yet."""


class MaskOption(StrEnum):
    TAG = "tag"
    STARS = "stars"
    FIXED = "fixed"
    LENGTH = "length"


class ReadAs(StrEnum):
    AUTO = "auto"
    TEXT = "text"


@app.command("redact")
def redact(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Files, with -i also folders, or - for standard input (default). After --exec: a command.",
        ),
    ] = None,
    execute: Annotated[
        bool, typer.Option("--exec", help="Run the command after -- on a terminal and mask what it prints.")
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", "-i", help="Replace each file, also below folders; mode and times are kept."),
    ] = False,
    output_: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write to this file; with several files, or a / at its end, into this folder.",
        ),
    ] = None,
    mask: Annotated[MaskOption, typer.Option("--mask", help="Replacement for a secret.")] = MaskOption.TAG,
    known: Annotated[
        Path | None,
        typer.Option("--known", help="Fingerprints of keys to mask. Default: the vault's, else this machine's."),
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Additional rules, in gitleaks' TOML format.")] = None,
    entropy: Annotated[
        bool, typer.Option("--entropy", help="Also mask text that only looks random; expect false positives.")
    ] = False,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", help="Name of a .env variable whose value is not masked. Repeatable.")
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", help="Key path in YAML or JSON to mask, such as 'providers.*.note'. Repeatable."),
    ] = None,
    as_: Annotated[
        ReadAs, typer.Option("--as", help="text: treat all input as plain text, line by line.")
    ] = ReadAs.AUTO,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also", metavar="KIND,...", help="Also replace: user, host, cwd, ip, email. Or with a value: user=ada."
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Pictures: outline the masks instead of filling them.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Pictures, video: also cover what could not be read with certainty.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a JSON list of what was masked, and where, to this file.")
    ] = None,
) -> None:
    """Mask secrets in text, streams, recordings, files.

    tail -f log | provision redact · provision redact bundle.zip -o safe.zip · provision redact --exec -- hermes chat
    """
    from provision.redact.masks import MaskStyle
    from provision.redact.session import RedactionOptions

    run: Run = ctx.obj
    structure = as_ is not ReadAs.TEXT
    options = RedactionOptions(
        frozenset(allow or ()), tuple(path or ()), preview=preview, strict=strict, structure=structure
    )
    output = Path(output_) if output_ is not None else None
    _require_consistent(files or [], execute=execute, in_place=in_place, output=output)
    if output and output_ and (output.is_dir() or output_.endswith(("/", os.sep))):
        if execute or files in (None, [], ["-"]):
            raise UsageError(f"{output} is a folder", hint="name the file in it that the result is written to")
        output.mkdir(parents=True, exist_ok=True)
    session = _session(run, options, MaskStyle(mask), known, rules, also or (), entropy=entropy)
    code: int = Exit.OK
    if execute:
        code = _execute(files or [], session)
    elif not files or files == ["-"]:
        if sys.stdin.isatty():
            run.say("reading from the terminal until Ctrl-D")
        code = _attempt("standard input", lambda: _redact_stdin(run, session, output, _kind(as_)))
    else:
        code = _redact_files(run, files, session, output, in_place=in_place, kind=_kind(as_))
    if not execute and (session.notes.left_out or session.notes.unsure):
        code = Exit.PARTIAL
    _report(run, session, to_file=in_place or output is not None, all_done=code == Exit.OK)
    if report is not None:
        from provision.files import write_chosen
        from provision.redact.file_name import ShownPaths
        from provision.report.document import document

        body = session.notes.as_dict(ShownPaths(session).shown)
        write_chosen(report, document("redaction/v1", **body).encode(), mode=0o644)
    raise typer.Exit(code)


def _require_consistent(files: Sequence[str], *, execute: bool, in_place: bool, output: Path | None) -> None:
    """Raise UsageError for options that cannot be combined."""
    if execute and not files:
        raise UsageError("--exec needs a command", hint="provision redact --exec -- hermes config show")
    if execute and (in_place or output is not None):
        raise UsageError("--exec prints to this terminal: it cannot be combined with --in-place or --output")
    if in_place and output is not None:
        raise UsageError("--in-place and --output cannot be combined", hint="remove one of them")
    if in_place and (not files or "-" in files):
        raise UsageError("--in-place needs files", hint="provision redact --in-place FILE...")
    if "-" in files and len(files) > 1 and not execute:
        raise UsageError("- (standard input) cannot be combined with files")


def _kind(wanted: ReadAs) -> FileKind | None:
    from provision.redact.file_kinds import FileKind

    return FileKind.TEXT if wanted is ReadAs.TEXT else None


def _session(
    run: Run,
    options: RedactionOptions,
    style: MaskStyle,
    known: Path | None,
    rules: Path | None,
    also: Sequence[str],
    *,
    entropy: bool,
) -> Session:
    import secrets

    from provision.cli.leaks.also import stand_ins
    from provision.cli.leaks.detection import installed_manifest, load_all_rules, load_known_keys
    from provision.detect.detector import Detector
    from provision.detect.policy import Policy
    from provision.redact.command_line_rules import COMMAND_LINE_RULES
    from provision.redact.masks import Masker
    from provision.redact.session import Session

    keys = load_known_keys(run, _workspace(run), known, installed_manifest() if known is None else None)
    detector = Detector(
        (*load_all_rules(rules, run.say), *COMMAND_LINE_RULES), keys, entropy=entropy, policy=Policy.PUBLISHING
    )
    masker = Masker(style, secrets.token_bytes(32))
    return Session(detector, masker, options, also=stand_ins(also, os.environ, run.say), progress=_progress(run))


def _progress(run: Run) -> Callable[[str, int, int], None]:
    """Show the progress of videos and long documents on standard error."""
    import time

    from provision.report.progress import Progress

    shown: dict[str, Progress] = {}

    def step(doing: str, done: int, total: int) -> None:
        if run.quiet:
            return
        if doing not in shown:
            shown[doing] = Progress(doing, total, sys.stderr, time.monotonic)
        if done < total:
            shown[doing].step()
        else:
            shown.pop(doing).close()

    return step


def _workspace(run: Run) -> Workspace | None:
    """The workspace named by --workspace, or found from the current folder upwards; None if there is none."""
    if not run.may_have_workspace():
        return None
    from provision.fleet.workspace import find_workspace, load_workspace

    try:
        return load_workspace(run.workspace or find_workspace(Path.cwd()))
    except ProvisionError as e:
        if run.workspace is not None:
            raise
        _complain(f"warning: cannot read this workspace, so keys of its vault are not masked by value: {e.message}")
        return None


def _redact_stdin(run: Run, session: Session, output: Path | None, kind: FileKind | None) -> None:
    """Redact standard input to standard output, without delay: each byte is written as soon as possible."""
    import threading

    from provision.redact.pipe import redact_descriptor

    message = "waiting for the end of the input: it looks like JSON, YAML, .env, settings or a table (--as text: line by line)"
    waiting = threading.Timer(_PATIENCE_S, run.say, [message])
    waiting.daemon = True

    def on_hold(held: bool) -> None:
        if held and waiting.ident is None:
            waiting.start()
        elif not held:
            waiting.cancel()

    sys.stdout.flush()
    descriptor = sys.stdout.fileno()
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        redact_descriptor(sys.stdin.fileno(), descriptor, session, kind, on_hold)
    finally:
        waiting.cancel()
        if output is not None:
            os.close(descriptor)


def _redact_files(
    run: Run, files: Iterable[str], session: Session, output: Path | None, *, in_place: bool, kind: FileKind | None
) -> int:
    """Redact each file on its own. A failure does not stop the others; the exit code is then 4."""
    from provision.redact.file_name import masked_name

    code: int = Exit.OK
    paths = [Path(name) for name in files]
    if in_place:
        paths, code = _files_below(paths)
    targets: list[Path | None] = [output] * len(paths)
    if output is not None and (len(paths) > 1 or output.is_dir()):
        targets = [output / masked_name(path, session) for path in paths]
        if len(set(targets)) < len(paths):
            raise UsageError("two of the files would have the same name", hint="redact them one by one")
        output.mkdir(parents=True, exist_ok=True)
    for path, target in zip(paths, targets, strict=True):
        redact_one = partial(_redact_file, run, path, target, session, in_place=in_place, kind=kind)
        code = max(code, _attempt(str(path), redact_one))
    return code


def _files_below(paths: Iterable[Path]) -> tuple[list[Path], int]:
    """Return the files, and those below the folders, without links and what only git reads; 4 if a folder was not read."""
    from provision.audit.sources.walk import FoundFile, walk
    from provision.containers.blob import Unreadable

    found, code = [], Exit.OK
    for path in paths:
        for item in walk([path]) if path.is_dir() else ():
            if isinstance(item, FoundFile):
                found.append(Path(item.path))
            elif isinstance(item, Unreadable):
                _complain(f"left out: {item.path}: {item.reason}")
                code = Exit.PARTIAL
        if not path.is_dir():
            found.append(path)
    return found, code


def _attempt(name: str, redact_one: Callable[[], None]) -> int:
    """Redact one input, and report why it was refused; returns the exit code."""
    try:
        redact_one()
    except (OSError, MemoryError):  # no space, a closed pipe: told by reason, and the next file would meet it too
        raise
    except ProvisionError as e:
        place = "" if name in str(e) else f"{name}: "
        _complain(f"error: {place}{e}" + (f"\nhint: {e.hint}" if e.hint else ""))
        return Exit.PARTIAL
    except Exception as e:  # readers of many formats see hostile content here; one file must not stop the others
        _complain(f"error: {name}: cannot be examined to its end ({type(e).__name__})")
        return Exit.PARTIAL
    return Exit.OK


def _redact_file(
    run: Run, path: Path, target: Path | None, session: Session, *, in_place: bool, kind: FileKind | None
) -> None:
    from provision.redact.file_name import note_name
    from provision.redact.files import (
        STREAMABLE,
        kind_of_file,
        open_regular_file,
        redact_in_place,
        redact_open,
        redact_to,
    )

    if written := path if in_place else target:
        note_name(written, session)
    if in_place:
        changed = redact_in_place(path, session, kind)
        run.detail(f"{path}: {'redacted' if changed else 'nothing to mask'}")
    elif target is not None:
        if target.exists() and target.samefile(path):
            raise UsageError(f"{path} would be overwritten", hint="use --in-place for that")
        redact_to(path, target, session, kind)
        run.say(f"wrote {target}")
    else:
        with open_regular_file(path) as source:
            found = kind or kind_of_file(source)
            if found not in STREAMABLE:
                raise UsageError(f"{path} is a {found} file", hint="give --output FILE or --in-place")
            redact_open(source, sys.stdout.buffer, str(path), session, found)
            sys.stdout.buffer.flush()


def _execute(command: Sequence[str], session: Session) -> int:
    if os.name == "nt":
        raise ProvisionError("--exec is not supported on Windows: it needs a pseudo-terminal", hint="use it inside WSL")

    from provision.redact.terminal.live import run_masked

    sys.stdout.flush()
    code: int = run_masked(command, session, os.environ)
    return code


def _report(run: Run, session: Session, *, to_file: bool, all_done: bool) -> None:
    """Report what was left out and what needs a check by eye; for files also how much was masked."""
    from provision.redact.file_name import ShownPaths

    notes, names = session.notes, ShownPaths(session)
    for what, remarks in (("left out", notes.left_out), ("needs review", notes.unsure)):
        for remark in remarks:
            _complain(f"{what}: {replace(remark, file=names.shown(remark.file))}")
    counts = ", ".join(f"{count} {rule}" for rule, count in sorted(notes.counts.items()))
    if notes.total or (all_done and not notes.unsure):
        line = f"{notes.total} masked: {counts}" if notes.total else "nothing to mask"
        (run.say if to_file else run.detail)(line)


def _complain(line: str) -> None:
    """Print a line that --quiet does not silence: something is missing or needs a check."""
    from provision.report.terminal import printable, remark

    print(*(remark(printable(part), sys.stderr) for part in line.split("\n")), sep="\n", file=sys.stderr)
