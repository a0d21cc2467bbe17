"""Errors of the system stop a rotation with a command that resumes it."""

from __future__ import annotations

import pytest

from provision.errors import Exit, UsageError
from provision.files import FileProblemError, LockedError
from provision.rotate.context import stopping
from provision.rotate.journal import StoppedError


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OSError(28, "No space left on device"), "cannot write the vault: No space left on device", "rotate resume"),
        (FileProblemError("cannot read x", hint="chmod x"), "cannot read x", "chmod x"),
        (LockedError("held", hint="run the same command again"), "held", "rotate resume"),
        (StoppedError("already said", hint="its own"), "already said", "its own"),
    ],
)
def test_what_the_system_refuses_stops_the_rotation(error: Exception, message: str, hint: str) -> None:
    with pytest.raises(StoppedError) as caught, stopping("the vault"):
        raise error
    assert caught.value.message == message
    assert hint in caught.value.hint
    assert caught.value.exit_code is Exit.PARTIAL


def test_other_errors_pass_through() -> None:
    with pytest.raises(UsageError), stopping("the vault"):
        raise UsageError("no")
