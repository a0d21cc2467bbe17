"""A detector in a process without the libraries that have no wheel everywhere: texts in, matches out.

Lengths and JSON are lines; a text follows its length.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from provision.detect.match import Match

ABSENT = ("hyperscan", "re2", "ahocorasick_rs")
_ANSWER = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from without_libraries import answer
answer({keys!r})
"""


def shown(matches: list[Match]) -> list[object]:
    """What two detectors have to agree on."""
    return [
        [each.rule, list(map(list, each.spans)), each.secret.reveal(), list(each.encodings), str(each.known), each.key]
        for each in matches
    ]


class Other:
    """The detector in the other process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def scan(self, data: bytes) -> list[object]:
        """Return what it finds, as `shown`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"%d\n" % len(data) + data)
        self._process.stdin.flush()
        found: list[object] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def other_detector(*keys: str) -> Iterator[Other]:
    """Start it; it knows these keys."""
    code = _ANSWER.format(absent=ABSENT, keys=keys)
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Other(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def answer(keys: tuple[str, ...]) -> None:
    """Scan each text of the standard input."""
    from detectcraft import known

    from provision.detect.detector import Detector

    detector = Detector(known=known(*keys))
    while line := sys.stdin.buffer.readline():
        matches = detector.scan(sys.stdin.buffer.read(int(line)))
        print(json.dumps(shown(matches)), flush=True)
