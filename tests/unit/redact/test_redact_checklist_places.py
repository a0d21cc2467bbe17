"""Reasons of a checklist as a reader needs them: by file, each place and each remedy once."""

from __future__ import annotations

from provision.redact.checklist import ChecklistAnswer, ChecklistItem, Evidence, Remedy
from provision.redact.checklist_places import MOST_OPERANDS, files_with_places, key_lines, to_do

FAIL, UNSURE, PASS = ChecklistAnswer.FAIL, ChecklistAnswer.CANNOT_TELL, ChecklistAnswer.PASS


def reason(file: str, where: str = "", *, verdict: ChecklistAnswer = FAIL, pictured: bool = False) -> Evidence:
    return Evidence(
        file, where, "a secret can be read", "mask " + file, verdict, Remedy("mask", "mask", file, True), pictured
    )


def items(*evidence: list[Evidence]) -> list[ChecklistItem]:
    lists = [*evidence, *([] for _ in range(5 - len(evidence)))]
    return [ChecklistItem(number, "a point", FAIL, tuple(found)) for number, found in enumerate(lists, 1)]


def test_a_place_of_several_points_is_one_line_and_files_that_fail_come_first() -> None:
    unsure, line = reason("b.txt", verdict=UNSURE), reason("a.txt", "line 1")
    twice = reason("a.txt", "line 2")
    found = files_with_places(items([unsure, line, twice, twice], [line, unsure], [unsure]))
    assert [(each.file, each.lines, each.count) for each in found] == [
        ("a.txt", ("line 1: a secret can be read (also point 2)", "line 2: a secret can be read (2 times)"), 3),
        ("b.txt", ("a secret can be read",), 1),
    ]


def test_a_picture_is_one_line() -> None:
    spots = [reason("p.png", f"x {n}, y 1", pictured=True) for n in range(5)]
    [found] = files_with_places(items(spots))
    assert found.lines == ("a secret can be read (x 0, y 1; x 1, y 1; x 2, y 1 and 2 more)",)


def test_equal_messages_about_keys_are_one_line() -> None:
    unknown = [Evidence(f"{n}.txt", "line 1", "not a known key", "find its owner", UNSURE) for n in range(3)]
    assert key_lines(items([], [], [], unknown)) == ["not a known key: 3 times, first in 0.txt, line 1"]


def test_one_command_for_all_and_none_for_what_passes() -> None:
    passed = reason("c.txt", verdict=PASS)
    found = to_do(items([reason("a.txt", "line 1"), reason("a.txt", "line 2"), reason("b.txt"), passed]), ["."])
    assert [(each.title, each.command, each.count) for each in found] == [("mask", "mask a.txt b.txt", 2)]


def test_many_files_are_named_by_the_paths_that_were_given_if_those_are_fewer() -> None:
    many = [reason(f"{n}.txt") for n in range(MOST_OPERANDS + 1)]
    [below] = to_do(items(many), ["my site"])
    assert (below.command, below.count) == ("mask 'my site'", MOST_OPERANDS + 1)
    [named] = to_do(items(many), [each.file for each in many])
    assert named.command.split() == ["mask", *(each.file for each in many)]
