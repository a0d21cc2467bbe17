"""Where a value was set: own positions, then those of the base, then parents and children."""

from __future__ import annotations

import pytest

from provision.errors import Place
from provision.fleet.origins import Origins, PathTuples
from provision.formats.located import mark

BASE = {"model": Place("base.yaml", 1, 8), "hermes.a": Place("base.yaml", 2, 6), "tags": Place("base.yaml", 3, 1)}
ORIGINS = Origins(
    "i.yaml", ("id", "model", "recipients", "env.X"), [mark(2, 3), mark(3, 4), mark(4, 5), mark(5, 6)], BASE
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("id", Place("i.yaml", 2, 3)),
        ("model", Place("i.yaml", 3, 4)),  # its own, not that of the base
        ("recipients.1", Place("i.yaml", 4, 5)),  # a list that was replaced as a whole
        ("tags", Place("base.yaml", 3, 1)),
        ("env", Place("i.yaml", 5, 6)),  # the first path below
        ("hermes", Place("base.yaml", 2, 6)),
    ],
)
def test_a_place(path: str, place: Place) -> None:
    assert ORIGINS[path] == place


@pytest.mark.parametrize("path", ["host", "env.Y", "hermes.a.b", "mod"])
def test_an_unknown_path(path: str) -> None:
    with pytest.raises(KeyError):
        ORIGINS[path]


def test_every_path_is_listed_once() -> None:
    assert list(ORIGINS) == ["id", "model", "recipients", "env.X", "hermes.a", "tags"]
    assert len(ORIGINS) == 6


def test_equal_paths_share_one_tuple() -> None:
    known = PathTuples()
    assert known.shared(["a", "b"]) is known.shared(iter(("a", "b")))
    assert known.shared(["a"]) == ("a",)
