"""Upload a published tree with a command of the operator's, which runs once per changed file.

Bundles go first (trust lists before them or last, as the tree was written); a part of the index goes only when all bundles
that it lists are uploaded. Each uploaded file is recorded beside the tree, so that an interrupted or failed run continues where
it stopped. The command runs without a shell: it is split into words first, and paths are filled in afterwards.
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
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from provision.feed.publish import PublishSummary

AT_ONCE = 8
TIMEOUT_S = 300
IMMUTABLE, REVALIDATE = "public, max-age=31536000, immutable", "no-cache"
_LOG = "uploaded"
_MAX_LOG_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """The result for one file. `message` is the last line of a failed command."""

    name: str
    ok: bool
    message: str = ""


def parse_command(text: str) -> tuple[str, ...]:
    """Split an upload command into words. Raises UsageError if it has no `{path}`."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as e:
        raise UsageError(f"invalid --upload-command: {e}", hint="quote it as for a shell") from e
    if not any("{path}" in word for word in words):
        raise UsageError(
            "invalid --upload-command: expected {path} in it",
            hint="aws s3 cp {path} s3://BUCKET/hermes/{name} --cache-control {cache}",
        )
    return words


def upload_tree(tree: Path, summary: PublishSummary, command: Sequence[str], state: Path) -> Iterator[UploadedFile]:
    """Run the command for each new or changed file; yields the results as they finish."""
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

        if summary.lists_first:
            yield from _in_order(run, summary.lists)
        yield from run(summary.bundles)
        ready = [part for part, bundles in summary.parts.items() if all(name in there for name in bundles)]
        yield from run(ready)
        yield from _in_order(run, summary.lists)
    for part in sorted(set(summary.parts) - set(ready)):
        yield UploadedFile(part, ok=False, message="not uploaded, because a bundle that it lists could not be uploaded")
    known = {*summary.bundles, *summary.parts, *summary.lists}
    lines = (f"{digest}  {name}\n" for name, digest in sorted(there.items()) if name in known)
    write_atomic(log, "".join(lines).encode(), durable=False)


def _in_order(run: Callable[[Iterable[str]], Iterator[UploadedFile]], names: Iterable[str]) -> Iterator[UploadedFile]:
    """One after the other, up to the first failure: a walker must not see a list before its signatures."""
    for name in names:
        for done in run((name,)):
            yield done
            if not done.ok:
                return


def _digest(tree: Path, name: str) -> str:
    """The digest of a file. A bundle has it in its name, so only the index is read."""
    if name.endswith(".tar"):
        return name.rpartition("/")[2].removesuffix(".tar")
    return hashlib.sha256((tree / name).read_bytes()).hexdigest()


def _one(tree: Path, name: str, command: Sequence[str]) -> UploadedFile:
    cache = IMMUTABLE if name.endswith((".tar", ".order")) or name.startswith("trust/") else REVALIDATE
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
