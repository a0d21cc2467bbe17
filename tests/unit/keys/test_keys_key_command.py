"""What is refused before any program is started; the programs themselves are in the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.keys.key_command import KeyCommandError, run_key_command


@pytest.mark.parametrize("template", [(), ("op", "read"), ("op", "read", "{User}")])
def test_a_template_without_the_user_is_refused(template: tuple[str, ...]) -> None:
    with pytest.raises(KeyCommandError, match=r"does not contain \{user\}") as caught:
        run_key_command(template, "ada", 1.0)
    assert "the same key" in caught.value.hint


def test_a_missing_program_is_named_without_its_path_or_arguments(tmp_path: Path) -> None:
    program = str(tmp_path / "no-such-program")
    with pytest.raises(KeyCommandError, match="cannot start no-such-program: No such file") as caught:
        run_key_command((program, "{user}", "token-in-an-argument"), "ada", 1.0)
    assert str(tmp_path) not in caught.value.message
    assert "token" not in caught.value.message + caught.value.hint


def test_an_argument_that_cannot_be_passed_is_refused() -> None:
    with pytest.raises(KeyCommandError, match="cannot start op: its arguments cannot be passed on"):
        run_key_command(("op", "{user}\0"), "ada", 1.0)
