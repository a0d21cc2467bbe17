"""Redact the extended attributes of a file: browsers keep there where it was downloaded from, with tokens and all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from provision.containers.blob import Unreadable
from provision.containers.file_reader import KERNEL_ATTRIBUTES, read_attributes
from provision.formats.key_paths import printable_name
from provision.redact.masks import masked_already
from provision.redact.notes import Remark
from provision.redact.stream import redact_bytes

if TYPE_CHECKING:
    from provision.redact.session import Session


def note_attributes(descriptor: int, file: str, session: Session) -> None:
    """Note the secrets in the attributes of an open file: a redacted copy does not have them."""
    for part in read_attributes(file, descriptor):
        if isinstance(part, Unreadable):
            session.notes.left_out.append(Remark(file, "", part.reason))
            continue
        for match in session.detector.scan(part.data) if isinstance(part.data, bytes) else ():
            spot = part.locate(match) if part.locate else None
            if not masked_already(match.secret.reveal()):
                session.note(file, (spot and spot.where) or "extended attributes", match)


def mask_attributes(descriptor: int, file: str, session: Session) -> bool:
    """Mask the attributes of an open file; return whether one changed. One with a secret in its name is removed.

    Raises OSError when an attribute with a secret cannot be changed.
    """
    names: list[str] = []
    with contextlib.suppress(OSError, AttributeError):  # the file system, or the system, has none
        names = os.listxattr(descriptor)
    changed = False
    for name in names:
        if name.startswith(KERNEL_ATTRIBUTES):
            continue
        before = os.getxattr(descriptor, name)
        after = redact_bytes(before, session, file, f"extended attribute {printable_name(name)}")
        has_name = redact_bytes(os.fsencode(name), session, file, "the name of an extended attribute")
        if after == before and has_name == os.fsencode(name):
            continue
        changed = True
        os.removexattr(descriptor, name)
        if has_name == os.fsencode(name):
            os.setxattr(descriptor, name, after)
    return changed
