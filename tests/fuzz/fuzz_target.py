"""What a fuzzed parser is: its name, the function, and inputs to begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provision.errors import ProvisionError

FORMATS = Path(__file__).resolve().parents[1] / "data" / "formats" / "v1"


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under its name, and inputs to begin with."""

    name: str
    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def attempt(target: Target, data: bytes) -> None:
    """Feed one input. An error of provision is an answer; everything else is a finding."""
    with suppress(ProvisionError):
        target.run(data)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def stock(name: str) -> list[bytes]:
    """The copies of a file format that tests keep."""
    return [path.read_bytes() for path in sorted(FORMATS.rglob(name)) if path.is_file()]
