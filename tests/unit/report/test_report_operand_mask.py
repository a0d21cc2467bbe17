"""Which arguments count as keys, and that exactly those are masked in what is printed."""

from __future__ import annotations

import io
import sys

import pytest

from provision.report.operand_mask import MaskedStream, keys_among, masked_output

KEY = "sk-aisa-" + "Ab3_" * 10 + "xyz"


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        (KEY, (KEY,)),
        (f"--limit={KEY}", (KEY,)),
        (f"-l{KEY}", (KEY,)),
        (f"ada={KEY},bob", (KEY,)),
        (f"a{KEY}", (KEY,)),
        (f"--{KEY}", (KEY,)),
        (f"/home/{KEY}/.env", (KEY,)),
        ("-lsk-proj-abcdefgh12345678", ("sk-proj-abcdefgh12345678",)),
        ("-qlsk-proj-abcdefgh12345678", ("sk-proj-abcdefgh12345678",)),
        ("task-force-of-many-people", ()),
        ("ada", ()),
        ("--limit", ()),
    ],
)
def test_keys_among_arguments(argument: str, found: tuple[str, ...]) -> None:
    assert keys_among([argument]) == found


def test_a_stream_masks_the_keys_in_every_write() -> None:
    inner = io.StringIO()
    stream = MaskedStream(inner, (KEY,))
    assert stream.write(f"no {KEY}!") == len(KEY) + 4
    stream.writelines(iter([KEY, "\n"]))
    assert inner.getvalue() == "no sk-a…_xyz!sk-a…_xyz\n"


def test_streams_are_masked_only_while_a_command_with_a_key_runs() -> None:
    out, err = sys.stdout, sys.stderr
    with masked_output(["check"]):
        assert (sys.stdout, sys.stderr) == (out, err)
    with masked_output([KEY]):
        masked = (sys.stdout, sys.stderr)
    assert all(isinstance(stream, MaskedStream) for stream in masked)
    assert (sys.stdout, sys.stderr) == (out, err)
