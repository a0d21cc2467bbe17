"""Tables and lists of secrets in a stream: any length below their head, and cut anywhere."""

from __future__ import annotations

import random
import string

import pytest
from detectcraft import starred, streamed

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.stream.lines import CONTEXT_BYTES

VALUES = ["".join(random.Random(n).choices(string.ascii_letters, k=20)) + f"7Q{n}" for n in range(140)]
TABLES = {
    "psql": (" token | name\n-------+------\n", " {} | ada\n"),
    "bars": ("| token | name |\n|---|---|\n", "| {} | ada |\n"),
    "CSV": ("name,token,note\n", "ada,{},of ada\n"),
    "TSV": ("name\ttoken\tnote\n", "ada\t{}\tof ada\n"),
    "COPY": ("COPY t (id, token, note) FROM stdin;\n", "1\t{}\tof ada\n"),
    "INSERT": ("INSERT INTO t (id, token, note) VALUES\n", "(1, '{}', 'of ada'),\n"),
    "block": ("tokens:\n", "  ada: {}\n"),
    "list": ('{"tokens": [\n', '  "{}",\n'),
    "section": ("[tokens]\n", "ada = {}\n"),
}
PUBLISHING = Detector(policy=Policy.PUBLISHING)


@pytest.mark.parametrize("kind", TABLES)
def test_rows_far_below_their_head_are_masked_however_they_arrive(kind: str) -> None:
    head, row = TABLES[kind]
    data = ("a line before\n" + head + "".join(row.format(value) for value in VALUES) + "\nwords behind\n").encode()
    assert len(data) > CONTEXT_BYTES
    for size in (len(data), 4096, 97):
        shown = starred(streamed(PUBLISHING, data, [size] * (len(data) // size + 1))).decode()
        assert [value for value in VALUES if value[:6] in shown] == [], size
        assert shown.startswith("a line before\n" + head)
        assert shown.endswith("\nwords behind\n")


@pytest.mark.parametrize(
    "line", ["echo 'CaLiADg5ZAhCXB' | sudo -S apt update\n", "echo 'ada:CaLiADg5ZAhCXB' | chpasswd\n"]
)
def test_a_password_that_shows_as_one_at_the_end_of_its_line_waits_for_it(line: str) -> None:
    for size in (1, 3, 20):
        shown = starred(streamed(PUBLISHING, line.encode(), [size] * (len(line) // size + 1)))
        assert b"CaLi" not in shown
