"""Tables: a column with the name of a secret is masked to the table's end."""

from __future__ import annotations

import pytest
from redactcraft import session

from provision.redact.structured.table_text import redact_table

ROWS = 3000
"""Some 100 KB: the header is far outside of what a detector sees at once."""


def rows(form: str) -> str:
    return "".join(form.format(n=n) for n in range(ROWS))


TABLES = {
    "CSV": ("id,name,api_key,note\n", "{n},user {n},hunter{n}x,some text that fills the row\n", ""),
    "quoted": ('"id";"password"\n', '"{n}";"hunter{n}x"\n', ""),
    "psql": (" id | password \n----+----------\n", " {n} | hunter{n}x \n", "(3000 rows)\n"),
    "COPY": ("COPY public.users (id, password) FROM stdin;\n", "{n}\thunter{n}x\n", "\\.\n"),
    "INSERT": (
        "CREATE TABLE `users` (\n  `id` int NOT NULL,\n  `password` varchar(80)\n);\nINSERT INTO `users` VALUES (0,'hunter0x')",
        ",({n},'hunter{n}x')",
        ";\n",
    ),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_row_is_masked(name: str, encoding: str) -> None:
    head, row, end = TABLES[name]
    made = session()
    result = redact_table((head + rows(row) + end).encode(encoding), "a", made).decode(encoding)
    assert "hunter" not in result
    assert result.startswith(head.partition("INSERT")[0])
    assert result.endswith(end)
    assert made.notes.total >= ROWS
    assert made.notes.places[-1].where.endswith(("api_key", "password"))


@pytest.mark.parametrize("text", ["id,api_key\n1,\n2,${KEY}\n3,****\n", "id,note\n1,hunter\n", "no table\n", ""])
def test_other_bytes_stay(text: str) -> None:
    assert redact_table(text.encode(), "a", session()) == text.encode()


def test_bytes_that_are_no_text_stay() -> None:
    assert redact_table(b"id,api_key\n1,\xff\xfe\n", "a", session()) == b"id,api_key\n1,\xff\xfe\n"
