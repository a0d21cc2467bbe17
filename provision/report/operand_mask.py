"""Mask keys that were passed on the command line, in everything that this process prints as text.

A key may be passed by mistake as any operand or option, and any command may quote it: in an error, a usage message,
a table, JSON or a remark. So it is masked where text leaves the process. Without a key among the
arguments the streams stay as they are.
"""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from provision.detect.shapes import SECRET_LIKE, masked
from provision.report.opaque_operand import opaque_operands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ATTACHED = re.compile(r"-[A-Za-z]{1,3}")
"""Short options, of which the last may have its value without a space: `-lVALUE`, `-qlVALUE`."""
_ANYWHERE = re.compile(r"sk-aisa-[A-Za-z0-9_-]{16,}")


def keys_among(arguments: Sequence[str]) -> tuple[str, ...]:
    """Everything in the arguments that looks like a key, with a known prefix or without, longest first."""
    texts = [*arguments]
    for argument in arguments:
        options = _ATTACHED.match(argument)
        texts += [argument[at:] for at in range(2, options.end() + 1)] if options else ()
    found = set(opaque_operands(texts))
    for text in texts:
        found.update(match.group() for match in SECRET_LIKE.finditer(text))
        found.update(match.group() for match in _ANYWHERE.finditer(text))
    return tuple(sorted(found, key=len, reverse=True))


class MaskedStream:
    """A text stream that masks these keys; everything else is the stream's own."""

    def __init__(self, stream: TextIO, keys: Sequence[str]) -> None:
        self._stream = stream
        self._keys = keys

    def write(self, text: str) -> int:
        """Write text with the keys masked; returns the length of the unmasked text, as callers expect."""
        shown = text
        for key in self._keys:
            shown = shown.replace(key, masked(key))
        self._stream.write(shown)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write all pieces, each masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def masked_output(arguments: Sequence[str]) -> Iterator[None]:
    """While a command runs, mask the keys among its arguments on standard output and standard error."""
    keys = keys_among(arguments)
    if not keys:
        yield
        return
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", MaskedStream(stream, keys)) for stream in (out, err))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
