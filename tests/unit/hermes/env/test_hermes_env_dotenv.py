"""The `.env` rules as cases: what is refused, what Hermes reads, what an edit keeps."""

from __future__ import annotations

import pytest

from provision.hermes.env import dotenv
from provision.hermes.env.dotenv import check_value, edit_env, format_env
from provision.hermes.env.parsers import EnvFileError, read_env, read_env_lines, read_env_raw
from provision.hermes.env.startup_repair import repair_env

KEY = "sk-aisa-TEST-0123"
OURS = {"AISA_API_KEY": KEY}
HIJACK = ("CUSTOM_BASE_URL", "HERMES_INFERENCE_MODEL")


@pytest.mark.parametrize("value", [KEY, "", "a=b", "https://x.example/v1", "~/x:y@z+1", "a" * 8192])
def test_values_on_which_both_parsers_agree_are_allowed(value: str) -> None:
    assert check_value("AISA_API_KEY", value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a b", "white space"),
        ("a\nB=1", "line break"),
        ("${HOME}", "differently"),
        ('"q"', "differently"),
        ("schlüssel", "differently"),
        ("a#b", "differently"),
        ("a" * 8193, "longer"),
        ("\x00", "differently"),
    ],
)
def test_other_values_are_refused_without_being_quoted(value: str, reason: str) -> None:
    said = check_value("X", value)
    assert said is not None
    assert reason in said
    assert value not in said


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "É"])
def test_names_no_environment_takes_are_refused(name: str) -> None:
    assert check_value(name, "x")


def test_a_value_that_hermes_would_split_is_refused() -> None:
    assert "split" in (check_value("OPENAI_API_KEY", "abcANTHROPIC_API_KEY=def") or "")


def test_emit_names_the_variable_and_not_the_value() -> None:
    assert format_env({"A": "1", "B": ""}) == b"A=1\nB=\n"
    with pytest.raises(EnvFileError, match="'AISA_API_KEY'") as e:
        format_env({"AISA_API_KEY": "my secret"})
    assert "my secret" not in str(e.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"A=1\nexport B = 'two'\nC=\"x y\" # note\nD=a#b # c\n", {"A": "1", "B": "two", "C": "x y", "D": "a#b"}),
        (b"\xef\xbb\xbfA=1\nB=2\n", {"\ufeffA": "1", "B": "2"}),  # nothing else to repair: the first name is lost
        (b"\xef\xbb\xbfA=1\nB=2", {"A": "1", "B": "2"}),  # the missing newline makes Hermes rewrite, and the BOM goes
        (b"A=${OUTER}/x\nB=${A}\nC=${NO:-d}\nD='${OUTER}'\n", {"A": "o/x", "B": "o/x", "C": "d", "D": "o"}),
        (b"A=1\nA=2\nB=1\nB\n", {"A": "2"}),
        (b"A=caf\xe9\nX_TOKEN=t\xe9\n", {"A": "café", "X_TOKEN": "t"}),
        ("A=1\r\nB=2\r\n".encode("utf-16"), {"A": "1", "B": "2"}),
        (b"K: v\n=x\nA=\n", {"A": ""}),
        (b'A="never closed\nB=1\n', {"B": "1"}),
        (b'A="swallows\nB=1\nC="d"\nE=2\n', {"E": "2"}),
        (b"OPENAI_API_KEY=kANTHROPIC_API_KEY=l\n", {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "l"}),
        (b"GLM_API_KEY=k\n", {"GLM_API_KEY": "k"}),
        (b"A\x00=1\n", {"A": "1"}),
        (b"A=1\rB=2\r", {"A": "1", "B": "2"}),
        (b"", {}),
    ],
)
def test_reads_what_hermes_loads(data: bytes, expected: dict[str, str]) -> None:
    assert read_env(data, {"OUTER": "o"}) == expected


def test_dotenv_can_be_switched_off_from_outside() -> None:
    assert read_env(b"A=1\n", {"PYTHON_DOTENV_DISABLED": "True"}) == {}


def test_what_would_crash_hermes_is_an_error() -> None:
    with pytest.raises(EnvFileError, match="Hermes cannot start"):
        read_env("A=1\n".encode("utf-32"), {})
    with pytest.raises(EnvFileError, match="Hermes cannot start"):
        read_env(b"'A=B'=1\n", {})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"AISA_API_KEY={KEY}\n"),
        ("", f"AISA_API_KEY={KEY}\n"),
        ("# mine\nA=1", f"# mine\nA=1\nAISA_API_KEY={KEY}\n"),
        ("A=1\r\nB=2\r\n", f"A=1\r\nB=2\r\nAISA_API_KEY={KEY}\r\n"),
        ("export AISA_API_KEY = 'old'\nB=2\n", f"AISA_API_KEY={KEY}\nB=2\n"),
        ("AISA_API_KEY=a\n# x\n\n  AISA_API_KEY=b\nB=2\n", f"AISA_API_KEY={KEY}\n# x\n\nB=2\n"),
        ("\ufeffA=1\n", f"A=1\nAISA_API_KEY={KEY}\n"),
        ("\ufeffAISA_API_KEY=old\n", f"AISA_API_KEY={KEY}\n"),
        ("CUSTOM_BASE_URL=http://evil/v1\nA=1\n", f"A=1\nAISA_API_KEY={KEY}\n"),
        ("export 'CUSTOM_BASE_URL'=x\nA=1\n", f"A=1\nAISA_API_KEY={KEY}\n"),
        ('M="two\nlines"\nA=1\n', f'M="two\nlines"\nA=1\nAISA_API_KEY={KEY}\n'),
        ('AISA_API_KEY="torn\nrest"\nA=1\n', f"AISA_API_KEY={KEY}\nA=1\n"),
        ('AISA_API_KEY="torn\nB=2\nC="x"\n', f'AISA_API_KEY={KEY}\nB=2\nC="x"\n'),
        ('A="never closed\n', f'A="never closed\nAISA_API_KEY={KEY}\n'),
        ('A="open\nB="x" y\n', f'A="open\nB="x" y\nAISA_API_KEY={KEY}\n'),
        ('A="open\nAISA_API_KEY=old\nB=x" y\n', f'A="open\nAISA_API_KEY=old\nB=x" y\nAISA_API_KEY={KEY}\n'),
        ("  garbage line\nA=1\n", f"  garbage line\nA=1\nAISA_API_KEY={KEY}\n"),
    ],
)
def test_edit_touches_only_our_lines(before: str | None, after: str) -> None:
    edited = edit_env(None if before is None else before.encode(), OURS, HIJACK)
    assert edited.data.decode() == after
    assert read_env(edited.data, {})["AISA_API_KEY"] == read_env_lines(edited.data)["AISA_API_KEY"] == KEY
    assert edit_env(edited.data, OURS, HIJACK).data == edited.data
    assert edit_env(edited.data, OURS, HIJACK).removed == ()


def test_an_edit_lists_what_it_replaced_and_removed_masked() -> None:
    old = "sk-aisa-OLD-" + "x" * 20
    edited = edit_env(f"AISA_API_KEY={old}\nCUSTOM_BASE_URL=http://evil.example/v1\n".encode(), OURS, HIJACK)
    assert [(r.where, r.masked) for r in edited.removed] == [
        ("line 1: AISA_API_KEY", "sk-a…xxxx"),
        ("line 2: CUSTOM_BASE_URL", "http://evil.example/v1"),
    ]
    assert old not in repr(edited.removed)


def test_a_hijack_glued_to_another_line_is_found_after_hermes_own_repair() -> None:
    edited = edit_env(b"OPENAI_API_KEY=kOPENAI_BASE_URL=http\n", OURS, ["OPENAI_BASE_URL"])
    assert read_env(edited.data, {}) == {"OPENAI_API_KEY": "k", **OURS}
    assert edited.notes


def test_encodings() -> None:
    assert edit_env("A=ü\n".encode("utf-16"), OURS).data == f"A=ü\nAISA_API_KEY={KEY}\n".encode()
    assert edit_env(b"A=caf\xe9\n", OURS).data == b"A=caf\xe9\n" + format_env(OURS)
    for bad in ("A=1\n".encode("utf-32"), b"\xff\xfeA"):
        with pytest.raises(EnvFileError, match="UTF"):
            edit_env(bad, OURS)


def test_set_wins_over_remove_and_an_empty_value_blanks() -> None:
    edited = dotenv.edit_env(b"CUSTOM_BASE_URL=http://evil\n", {"CUSTOM_BASE_URL": ""}, ["CUSTOM_BASE_URL"])
    assert edited.data == b"CUSTOM_BASE_URL=\n"


@pytest.mark.parametrize(
    "data",
    [
        b"NAME=caf\xe9",
        b"NAME=caf\xe9\nB=1\n# \xfc",
        b"A=1\nNAME='caf\xe9'",
        b"NAME=\xff\xfe\x81\x85\xa0x",
        b"A=\xe9\nAISA_API_KEY=old",
        b"A=\xe9\r\nB=\xfc",
    ],
)
def test_latin1_without_a_last_newline_keeps_its_bytes(data: bytes) -> None:
    edited = edit_env(data, {"AISA_API_KEY": "sk-new"}).data
    kept = [line for line in data.splitlines() if not line.startswith(b"AISA_API_KEY")]
    assert edited.splitlines()[: len(kept)] == kept
    assert b"\xef\xbf\xbd" not in edited
    assert read_env_raw(edited)["AISA_API_KEY"] == "sk-new"
    assert repair_env(edited) == edited, "Hermes has nothing to repair, so it replaces no byte either"
    assert edit_env(edited, {"AISA_API_KEY": "sk-new"}).data == edited
