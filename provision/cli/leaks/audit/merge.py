"""`audit --merge`: merge the JSON reports of many machines into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.audit.document import LIMIT_BYTES, read_document
from provision.audit.merge import merge_audits
from provision.cli.leaks.audit.output import OutputOptions, write_fleet_audit
from provision.cli.leaks.detection import load_known_keys
from provision.errors import Exit, ProvisionError, UsageError
from provision.files import read_bounded
from provision.formats.shell_output import shell_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.audit.result import Audit
    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace


def merge_reports(run: Run, workspace: Workspace | None, files: Sequence[Path], output: OutputOptions) -> Exit:
    """Merge the reports in `files` and print them. Raises UsageError and AuditReportError."""
    if not files:
        raise UsageError("--merge needs reports", hint="`provision audit --merge *.json`")
    audits = [_read_report(path) for path in files]
    return write_fleet_audit(merge_audits(audits, load_known_keys(run, workspace, None, None)), output)


def _read_report(path: Path) -> Audit:
    """Read one report; errors name the file."""
    try:
        return read_document(shell_bytes(read_bounded(path, LIMIT_BYTES)))
    except FileNotFoundError:
        raise UsageError(f"file not found: {path}") from None
    except ProvisionError as e:
        raise type(e)(f"{path}: {e.message}", hint=e.hint) from e
