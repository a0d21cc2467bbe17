"""The head of a table is carried from window to window: any number of rows may be between a header and its value."""

from __future__ import annotations

import pytest

from provision.detect import detector
from provision.detect.detector import Detector
from provision.detect.rules.beside import COLUMN
from tests.craft.seeded import token_hex

FORMS = {
    "csv": ("id,user,password\n", "{},ada,{}\n", ""),
    "tsv": ("id\tuser\tpassword\n", "{}\tada\t{}\n", ""),
    "psql": (" id | user | password\n----+------+----------\n", " {} | ada | {}\n", ""),
    "insert": ("INSERT INTO users (id, name, password) VALUES (0,'a','')", ",\n({}, 'ada', '{}')", ";\n"),
    "copy": ("COPY public.users (id, name, password) FROM stdin;\n", "{}\tada\t{}\n", "\\.\n"),
    "mysqldump": (
        "CREATE TABLE `users` (\n  `id` int,\n  `name` varchar(9),\n  `password` varchar(40)\n);\n",
        "INSERT INTO `users` VALUES ({},'ada','{}');\n",
        "",
    ),
    "one line": ("INSERT INTO users (id, name, password) VALUES (0,'a','')", ",({},'ada','{}')", ";\n"),
}


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "WINDOW_BYTES", 40 << 10)


def rows(form: str, values: list[str]) -> bytes:
    head, row, end = FORMS[form]
    return (head + "".join(row.format(number, value) for number, value in enumerate(values)) + end).encode()


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("form", FORMS)
def test_a_value_far_below_its_header_is_found_wherever_chunks_are_cut(form: str) -> None:
    secret = f"Qz{token_hex(7)}Xk"
    data = rows(form, [*[""] * (170_000 // len(FORMS[form][1])), secret])
    assert len(data) > 3 * detector.WINDOW_BYTES
    tested = Detector()
    found = tested.scan(data)
    assert [(match.rule.startswith(COLUMN), match.secret.reveal()) for match in found] == [(True, secret)]
    assert data[slice(*found[0].spans[0])] == secret.encode()
    assert list(tested.scan_chunks(data[at : at + 50_001] for at in range(0, len(data), 50_001))) == found


@pytest.mark.usefixtures("small_windows")
def test_a_table_that_ended_is_not_carried() -> None:
    secret = f"Qz{token_hex(7)}Xk"
    before = rows("csv", [""] * 10_000)
    assert Detector().scan(before + b"prose without cells\n" + b"1,ada,%b\n" % secret.encode()) == []
