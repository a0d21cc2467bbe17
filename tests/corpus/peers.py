"""What other scanners report of a corpus. Each is run as its manual says, offline, with every lane of its own switched on.

They are looked for in the folder that `RECALL_PEERS` names (a virtual environment's `bin`), else on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.truth import Corpus, Hit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def program(name: str) -> str | None:
    """Where a scanner is installed."""
    return shutil.which(name, path=os.environ.get("RECALL_PEERS")) or shutil.which(name)


def _repositories(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.rglob(".git"))


def _run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=1800, check=False)
    return done.stdout


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text("utf-8", "replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def _outer(path: str, root: Path) -> str:
    """The file on disk, as seen from the corpus' root."""
    return path.split("!", 1)[0].removeprefix(f"{root}/").removeprefix("./")


def betterleaks(corpus: Corpus) -> list[Hit]:
    """`filesystem` on everything, then `git` on each repository."""
    scanner, hits = program("betterleaks") or "", []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "r.jsonl"
        options = ("-o", str(out), "--jsonl", "--no-banner", "--exit-code", "0")
        _run(scanner, "filesystem", ".", *options, folder=corpus.root)
        hits += [_betterleaks(line, corpus.root, "") for line in _lines(out) if "finding" in line]
        for repository in _repositories(corpus.root):
            out.unlink(missing_ok=True)
            _run(scanner, "git", str(repository), *options, folder=corpus.root)
            inside = repository.relative_to(corpus.root).as_posix() + "/"
            hits += [_betterleaks(line, repository, inside) for line in _lines(out) if "finding" in line]
    return hits


def _betterleaks(line: dict[str, Any], root: Path, inside: str) -> Hit:
    finding = line["finding"]
    return Hit(
        inside + _outer(finding["location"]["path"], root),
        finding["location"].get("start_line"),
        finding["match"]["value"],
    )


def kingfisher(corpus: Corpus) -> list[Hit]:
    """Everything at once, then each repository with its history."""
    scanner, hits = program("kingfisher") or "", []
    with tempfile.TemporaryDirectory() as folder:
        for place in (corpus.root, *_repositories(corpus.root)):
            out = Path(folder) / "r.jsonl"
            out.unlink(missing_ok=True)
            _run(
                scanner, "scan", ".", "--no-validate", "--no-dedup", "--no-update-check", "--format", "jsonl", "-o", str(out),
                "--git-history", "full", folder=place,
            )  # fmt: skip
            inside = "" if place == corpus.root else place.relative_to(corpus.root).as_posix() + "/"
            found = [line["finding"] for line in _lines(out) if "finding" in line]
            hits += [_kingfisher(each, place, inside) for each in found if inside or not each.get("git_metadata")]
    return hits


def _kingfisher(finding: dict[str, Any], root: Path, inside: str) -> Hit:
    path = _outer(finding["path"], root)
    base, found, _ = path.partition(".db/")  # rows come as a table's file inside the database
    return Hit(inside + (base + ".db" if found else path), finding.get("line"), finding.get("snippet") or "")


def detect_secrets(corpus: Corpus) -> list[Hit]:
    """All files, all plugins, no verification. It tells lines and digests, never values."""
    out = _run(program("detect-secrets") or "", "scan", "--all-files", "--no-verify", ".", folder=corpus.root)
    results = json.loads(out)["results"]
    return [
        Hit(path.removeprefix("./"), each["line_number"], digest=each["hashed_secret"])
        for path, them in results.items()
        for each in them
    ]


PEERS: dict[str, Callable[[Corpus], list[Hit]]] = {
    "betterleaks": betterleaks,
    "kingfisher": kingfisher,
    "detect-secrets": detect_secrets,
}
