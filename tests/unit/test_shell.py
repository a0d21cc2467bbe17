"""Words of printed commands: one word for the shell, whatever is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provision.shell import install_command, shell_path, shell_word


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


def test_nothing_is_installed_by_a_name_that_others_could_register() -> None:
    assert install_command("image", windows=False).startswith("pip install './hermes_provision-")
    assert install_command(windows=False).endswith(".whl")
    root = Path(__file__).parents[2]
    pages = [
        root / "README.md",
        *root.glob("docs/**/*.md"),
        *root.glob("provision/**/*.py"),
        *root.glob("provision/**/*.yml"),
    ]
    by_name = re.compile(r"(?:pipx?|uv) (?:tool )?install [^`\n]*(?<![./\w])hermes-provision")
    assert [str(page) for page in pages if by_name.search(page.read_text("utf-8"))] == []
