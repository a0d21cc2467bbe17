"""Our reading of a `.env` against the real Hermes 0.19: its start-up repair, its loader and its own line parser."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.hermes.env.dotenv import check_value, format_env
from provision.hermes.env.parsers import EnvFileError, read_env, read_env_lines
from provision.hermes.env.startup_repair import repair_env
from provision.hermes.facts.v0_19_env_names import KNOWN_ENV

pytestmark = pytest.mark.acceptance

LINES = st.one_of(
    st.sampled_from(
        [
            "A=1",
            "B='x'",
            'C="y',
            "export D = 'o'",
            "# note",
            "",
            "  E = 2 # c",
            'M="a\nb"',
            '"',
            "F=${A}",
            "G='${A:-d}'",
            "OPENAI_API_KEY=aEXA_API_KEY=b",
            "EXA_API_KEY=http://x?OPENAI_API_KEY=b",
            "GLM_API_KEY=LM_API_KEY=",
            "\ufeff",
            "\x00",
            "H_TOKEN=é",
            "I",
            "J: v",
            "K=a\\nb",
            'L="a\\nb"',
            "N=a # b",
            "O=\x0bq",
            "P=\u2028q",
            "'Q'=1",
            "R=\x85",
        ]
    ),
    st.text(max_size=10),
)
FILES = st.tuples(
    st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\n", "\ufeff"])
).flatmap(
    lambda t: st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]).map(
        lambda enc: (t[1].join(t[0]) + t[2]).encode(enc, "ignore")
    )
)
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,12}", fullmatch=True) | st.sampled_from(sorted(KNOWN_ENV))
VALUES = st.text("abcXYZ019._~+/=:@-", max_size=60)
MAPPINGS = st.dictionaries(NAMES, VALUES, max_size=6).filter(lambda m: not any(check_value(*i) for i in m.items()))
RELAXED = settings(suppress_health_check=list(HealthCheck), max_examples=400)


def _hermes(home: Path, data: bytes) -> tuple[dict[str, str], bytes, dict[str, str]]:
    from hermes_cli import config, env_loader

    path = home / ".env"
    path.write_bytes(data)
    with mock.patch.dict(os.environ, {"HERMES_HOME": str(home), "OUTER": "o"}, clear=True):
        before = dict(os.environ)
        config.invalidate_env_cache()
        own = config.load_env()
        env_loader._sanitize_env_file_if_needed(path)
        env_loader._load_dotenv_with_fallback(path, override=True)
        loaded = {k: v for k, v in os.environ.items() if before.get(k) != v}
    return loaded, path.read_bytes(), own


def test_hermes_knows_the_names_we_say() -> None:
    from hermes_cli import config

    assert set(config.OPTIONAL_ENV_VARS) | config._EXTRA_ENV_KEYS == KNOWN_ENV


@RELAXED
@given(data=FILES)
@pytest.mark.filterwarnings("ignore")
def test_read_and_repair_equal_hermes_own(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.getbasetemp() / "hermes-dotenv"
    home.mkdir(exist_ok=True)
    try:
        ours = read_env(data, {"HERMES_HOME": str(home), "OUTER": "o"})
    except EnvFileError:
        with pytest.raises(ValueError):
            _hermes(home, data)
        return
    loaded, left, own = _hermes(home, data)
    assert left == repair_env(data)
    assert ours == loaded
    assert read_env_lines(data) == own


@RELAXED
@given(values=MAPPINGS)
def test_both_parsers_of_hermes_read_what_was_emitted(
    values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.getbasetemp() / "hermes-emit"
    home.mkdir(exist_ok=True)
    loaded, left, own = _hermes(home, format_env(values))
    assert loaded == own == values
    assert left == format_env(values)
