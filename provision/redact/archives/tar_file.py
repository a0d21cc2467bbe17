"""Redact TAR archives: every file in them is redacted, all other properties are kept.

Links, devices and folders are headers only, and stay. Their names and targets are redacted as text.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.redact.archives.members import Budget, copy_within, leave_out, redact_member, safe_name, spooled_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a TAR archive; see `RedactFile`."""
    budget = Budget()
    try:
        with (
            tarfile.open(fileobj=source, mode="r:") as archive,
            tarfile.open(fileobj=target, mode="w:", format=tarfile.PAX_FORMAT) as out,
        ):
            for member in archive:
                budget.member()
                try:
                    _copy(archive, member, out, file, session, budget)
                except CannotExamineError as e:
                    leave_out(session, file, member.name, e)
    except (tarfile.TarError, EOFError, ValueError) as e:
        raise CannotExamineError("this TAR archive is damaged") from e


def _copy(  # noqa: PLR0917  one step of the loop above
    archive: tarfile.TarFile, member: tarfile.TarInfo, out: tarfile.TarFile, file: str, session: Session, budget: Budget
) -> None:
    made = tarfile.TarInfo(safe_name(member.name, file, session))
    made.linkname = safe_name(member.linkname, file, session)
    for kept in ("mode", "mtime", "uid", "gid", "uname", "gname", "type", "devmajor", "devminor"):
        setattr(made, kept, getattr(member, kept))
    if not member.isfile():
        out.addfile(made)
        return
    if member.issparse():
        made.type = tarfile.REGTYPE
    packed = archive.extractfile(member) or io.BytesIO()
    with spooled_file() as plain, spooled_file() as result:
        copy_within(cast("BinaryIO", packed), plain, budget)
        plain.seek(0)
        redact_member(plain, result, f"{file}!{member.name}", session, depth=1)
        made.size = result.seek(0, 2)
        result.seek(0)
        out.addfile(made, result)
