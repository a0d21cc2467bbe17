"""Copying a published tree to where no file system reaches: a command of the operator's, once per changed file.

Bundles go first; a part of the index goes only when every bundle it lists is there. What was uploaded is written down line by
line beside the tree, so that a run which is interrupted, or fails half-way, goes on where it stopped. The command runs without
a shell, its words are taken apart as a shell would, and only then are paths put in.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import UsageError
from provision.files import read_optional, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from provision.feed.publish import PublishSummary

AT_ONCE = 8
TIMEOUT_S = 300
IMMUTABLE, REVALIDATE = "public, max-age=31536000, immutable", "no-cache"
_LOG = "uploaded"
_MAX_LOG_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file and whether the command took it; `message` is the last line the command said when it did not."""

    name: str
    ok: bool
    message: str = ""


def parse_command(text: str) -> tuple[str, ...]:
    """The words of an upload command. Raises UsageError unless it says where the file's path goes."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as e:
        raise UsageError(f"--upload-command cannot be read: {e}", hint="quote it as for a shell") from e
    if not any("{path}" in word for word in words):
        raise UsageError(
            "--upload-command does not say where the file's path goes",
            hint="such as: aws s3 cp {path} s3://BUCKET/hermes/{name} --cache-control {cache}",
        )
    return words


def upload_tree(tree: Path, summary: PublishSummary, command: Sequence[str], state: Path) -> Iterator[UploadedFile]:
    """Run the command for every file that is not there yet in its present form; yields each as it is done."""
    log = state / _LOG
    there = dict(_logged(log))
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def run(names: Iterable[str]) -> Iterator[UploadedFile]:
            wanted = [(name, _digest(tree, name)) for name in names]
            changed = [(name, digest) for name, digest in wanted if there.get(name) != digest]
            for (name, digest), done in zip(
                changed, pool.map(lambda item: _one(tree, item[0], command), changed), strict=True
            ):
                if done.ok:
                    there[name] = digest
                    with log.open("a", encoding="utf-8") as file:
                        file.write(f"{digest}  {name}\n")
                yield done

        yield from run(summary.bundles)
        ready = [part for part, bundles in summary.parts.items() if all(name in there for name in bundles)]
        yield from run(ready)
    for part in sorted(set(summary.parts) - set(ready)):
        yield UploadedFile(
            part, ok=False, message="left as it was, because a bundle that it lists could not be uploaded"
        )
    known = set(summary.bundles) | set(summary.parts)
    lines = (f"{digest}  {name}\n" for name, digest in sorted(there.items()) if name in known)
    write_atomic(log, "".join(lines).encode(), durable=False)


def _digest(tree: Path, name: str) -> str:
    """Bundles are named by their digest; only the index has to be read."""
    if name.endswith(".tar"):
        return name.rpartition("/")[2].removesuffix(".tar")
    return hashlib.sha256((tree / name).read_bytes()).hexdigest()


def _one(tree: Path, name: str, command: Sequence[str]) -> UploadedFile:
    cache = IMMUTABLE if name.endswith(".tar") else REVALIDATE
    values = {"{path}": str(tree / name), "{name}": name, "{cache}": cache}
    words = [_filled(word, values) for word in command]
    try:
        done = subprocess.run(  # noqa: S603  the operator's own command, without a shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        reason = "took too long" if isinstance(e, subprocess.TimeoutExpired) else str(e.strerror)
        return UploadedFile(name, ok=False, message=f"{words[0]}: {reason}")
    if done.returncode == 0:
        return UploadedFile(name, ok=True)
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
    return UploadedFile(name, ok=False, message=f"exit {done.returncode}: {said[-1][:200]}")


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _logged(log: Path) -> Iterator[tuple[str, str]]:
    for line in (read_optional(log, _MAX_LOG_BYTES) or b"").decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if name:
            yield name, digest
