"""Secrets in the names of files and folders."""

from __future__ import annotations

import os

from leakcraft import LiteralDetector, literal

from provision.audit.sources.filenames import NameScanner


def test_each_name_once_and_a_folder_with_its_first_file() -> None:
    one, two, three = (literal(number).decode() for number in (1, 2, 3))
    names = NameScanner(LiteralDetector())  # type: ignore[arg-type]
    found = list(names.scan([f"/a/{one}/x", f"/a/{one}/y-{two}", "/b/plain"]))
    assert [(str(f.place), f.match.secret.reveal()) for f in found] == [
        (f"/a/{one} (its own name)", one),
        (f"/a/{one}/y-{two} (its own name)", two),
    ]
    found = list(names.scan(["/b/other", f"/b/{three}"]))
    assert [f.place.path for f in found] == [f"/b/{three}"], "the folder of the last call is not scanned again"


def test_names_that_are_no_text_and_names_side_by_side() -> None:
    half = len(literal(1)) // 2
    first, second = literal(1)[:half].decode(), literal(1)[half:].decode()
    odd = os.fsdecode(b"\xff" + literal(2))
    found = list(NameScanner(LiteralDetector()).scan([f"/a/{first}", f"/a/{second}", f"/a/{odd}"]))  # type: ignore[arg-type]
    assert [f.place.path for f in found] == [f"/a/{odd}"], "nothing is found across two names"
