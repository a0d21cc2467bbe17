"""Redact ZIP archives (support bundles, Office documents, wheels) member by member; order, times and modes are kept."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.redact.archives.members import Budget, copy_within, leave_out, redact_member, safe_name, spooled_file
from provision.redact.session import CannotExamineError
from provision.redact.stream import redact_bytes

if TYPE_CHECKING:
    from provision.redact.session import Session

_ENCRYPTED = 0x1
_STORABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a ZIP archive; see `RedactFile`. Extra fields are dropped, comments are redacted."""
    budget = Budget()
    try:
        with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as out:
            for member in archive.infolist():
                budget.member()
                try:
                    _copy(archive, member, out, file, session, budget)
                except CannotExamineError as e:
                    leave_out(session, file, member.filename, e)
            out.comment = redact_bytes(archive.comment, session, file, "comment")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, ValueError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise
        raise CannotExamineError("this ZIP archive is damaged") from e


def _copy(  # noqa: PLR0917  one step of the loop above
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, out: zipfile.ZipFile, file: str, session: Session, budget: Budget
) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise CannotExamineError("it is encrypted", hint="decrypt it, then redact the result")
    if member.compress_type not in _STORABLE:
        raise CannotExamineError(f"compression method {member.compress_type} is not supported")
    made = zipfile.ZipInfo(safe_name(member.filename, file, session), member.date_time)
    made.compress_type, made.external_attr = member.compress_type, member.external_attr
    made.create_system = member.create_system
    made.comment = redact_bytes(member.comment, session, file, "comment")
    if member.is_dir():
        out.writestr(made, b"")
        return
    with spooled_file() as plain, spooled_file() as result:
        try:
            with archive.open(member) as packed:
                copy_within(cast("BinaryIO", packed), plain, budget)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, RuntimeError) as e:
            raise CannotExamineError("it is damaged") from e
        plain.seek(0)
        redact_member(plain, result, f"{file}!{member.filename}", session, depth=1)
        size = result.seek(0, 2)
        result.seek(0)
        with out.open(made, "w", force_zip64=size >= zipfile.ZIP64_LIMIT) as packed_again:
            copy_within(result, cast("BinaryIO", packed_again), Budget())
