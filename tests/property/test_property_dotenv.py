"""Whatever is emitted is read back by python-dotenv, and an edit keeps every foreign value."""

from __future__ import annotations

import os
from io import StringIO
from unittest import mock

import dotenv as python_dotenv
from hypothesis import given
from hypothesis import strategies as st

from provision.hermes.env.dotenv import check_value, edit_env, format_env
from provision.hermes.env.parsers import EnvFileError, read_env, read_env_lines, read_env_raw

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,12}", fullmatch=True)
VALUES = st.text("abcXYZ019._~+/=:@-", max_size=60)
MAPPINGS = st.dictionaries(NAMES, VALUES, max_size=8).filter(lambda m: not any(check_value(*i) for i in m.items()))
PIECES = st.sampled_from(
    [
        "A=1",
        "B='x'",
        'C="y',
        "AISA_API_KEY=old",
        "export AISA_API_KEY = 'o'",
        "# note",
        "",
        "  D = 2 # c",
        'M="a\nb"',
        '"',
        "'",
        "CUSTOM_BASE_URL=http://e",
        "E=${A}",
        "junk",
        "F=ü",
        "\r",
        "OPENAI_API_KEY=aEXA_API_KEY=b",
        "\ufeff",
        'AISA_API_KEY="',
    ]
)
FILES = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=10).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(lines).encode("utf-8", "ignore"))
)


@given(MAPPINGS)
def test_python_dotenv_reads_what_was_emitted(values: dict[str, str]) -> None:
    data = format_env(values)
    assert python_dotenv.dotenv_values(stream=StringIO(data.decode())) == values
    assert read_env(data, {"OTHER": "x"}) == read_env_lines(data) == values


@given(MAPPINGS, st.dictionaries(NAMES, VALUES, max_size=3))
def test_loading_into_an_environment_gives_what_read_says(values: dict[str, str], environ: dict[str, str]) -> None:
    text = format_env(values).decode() + "LAST=${FIRST:-none}-${A}\n"
    with mock.patch.dict(os.environ, environ, clear=True):
        python_dotenv.load_dotenv(stream=StringIO(text), override=True)
        assert dict(os.environ) == {**environ, **read_env(text.encode(), environ)}


@given(FILES, MAPPINGS)
def test_an_edit_keeps_foreign_values_and_is_stable(data: bytes, extra: dict[str, str]) -> None:
    ours = {"AISA_API_KEY": "sk-aisa-TEST", **extra}
    gone = {"CUSTOM_BASE_URL"}
    try:
        edited = edit_env(data, ours, gone)
    except EnvFileError:
        return  # refused, and nothing changed
    after = read_env_raw(edited.data)
    assert {name: after[name] for name in ours} == ours
    assert "CUSTOM_BASE_URL" not in after or "CUSTOM_BASE_URL" in ours
    for name, value in read_env_raw(data).items():
        if name.lstrip("\ufeff") not in ours.keys() | gone | {""}:  # a BOM before a comment is no variable
            assert after[name.lstrip("\ufeff")] == value
    assert edit_env(edited.data, ours, gone).data == edited.data


@given(st.lists(st.sampled_from(["A=1", "B=x y", "# note", "C='q'", "", "AISA_API_KEY=old"]), max_size=8))
def test_an_orderly_file_is_never_refused_and_keeps_its_lines(lines: list[str]) -> None:
    edited = edit_env("".join(line + "\n" for line in lines).encode(), {"AISA_API_KEY": "new"}, ())
    kept = [line for line in lines if line != "AISA_API_KEY=old"]
    assert [line for line in edited.data.decode().splitlines() if line != "AISA_API_KEY=new"] == kept
