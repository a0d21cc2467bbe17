"""Words of printed commands: one word for the shell, whatever is in them."""

from __future__ import annotations

import pytest

from provision.shell import shell_path, shell_word


@pytest.mark.parametrize(
    ("text", "posix", "powershell"),
    [
        ("a.py", "a.py", "a.py"),
        ("/home/ada/.env", "/home/ada/.env", "/home/ada/.env"),
        ("a b", "'a b'", "'a b'"),
        ("", "''", "''"),
        ("a;touch PWNED;.py", "'a;touch PWNED;.py'", "'a;touch PWNED;.py'"),
        ("it's", "'it'\"'\"'s'", "'it''s'"),
        ("$HOME`id`", "'$HOME`id`'", "'$HOME`id`'"),
        ("a\u2019; rm x", "'a\u2019; rm x'", "'a\u2019\u2019; rm x'"),
        ("C:\\Users\\Ada Lovelace\\x", "'C:\\Users\\Ada Lovelace\\x'", "'C:\\Users\\Ada Lovelace\\x'"),
        ("@x", "@x", "'@x'"),
        ("~/x", "'~/x'", "'~/x'"),
    ],
)
def test_words(text: str, posix: str, powershell: str) -> None:
    assert shell_word(text, windows=False) == posix
    assert shell_word(text, windows=True) == powershell


def test_a_path_is_no_option() -> None:
    assert shell_path("-rf", windows=False) == "./-rf"
    assert shell_path("-r f", windows=True) == "'.\\-r f'"


def test_characters_that_cannot_be_printed_are_escaped() -> None:
    assert shell_word("a\nb\x1b'\\\udcff", windows=False) == "$'a\\012b\\033\\'\\\\\\377'"
