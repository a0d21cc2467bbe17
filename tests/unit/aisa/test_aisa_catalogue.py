"""Which model is what, and what is said about one that Hermes cannot use."""

from __future__ import annotations

import json

import pytest

from provision.aisa.catalogue import (
    Catalogue,
    CatalogueError,
    CatalogueModel,
    ClassifiedBy,
    ModelKind,
    builtin,
    parse_catalogue,
    serialise_catalogue,
)
from provision.aisa.lint import check_gateway_settings
from provision.errors import Place, Problem, Severity
from provision.fleet.desired import ApiMode, EffectiveProfile

TABLE = builtin()


def test_builtin_has_a_date_and_the_models_of_all_modes() -> None:
    assert TABLE.as_of == "2026-09-30"
    assert len(TABLE.models) == 145
    assert TABLE.models["claude-opus-5-5"].modes == {ApiMode.ANTHROPIC_MESSAGES}
    assert TABLE.models["grok-4.3"].modes == {ApiMode.CHAT_COMPLETIONS}
    assert not TABLE.models["gpt-5"].current


def test_parse_and_emit_agree() -> None:
    again = parse_catalogue(serialise_catalogue(TABLE), "copy")
    assert again.models == TABLE.models
    assert again.as_of == TABLE.as_of
    assert serialise_catalogue(again) == serialise_catalogue(TABLE)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff", b'{"schema":"provision/models/v2","as_of":"x","models":[]}',
     b'{"schema":"provision/models/v1","as_of":"x","models":[{"id":"a","kind":"magic"}]}',
     b'{"schema":"provision/models/v1","as_of":"x","models":[{"id":"a","kind":"text","extra":1}]}'],
)  # fmt: skip
def test_bad_files_are_refused_with_their_name(data: bytes) -> None:
    with pytest.raises(CatalogueError, match=r"mine\.json"):
        parse_catalogue(data, "mine.json")


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt-image-9", ModelKind.IMAGE), ("seedream-9-0", ModelKind.IMAGE), ("gemini-9-image-preview", ModelKind.IMAGE),
        ("wan9.1-image", ModelKind.IMAGE), ("wan9.1-image-pro", ModelKind.IMAGE), ("dall-e-3", ModelKind.IMAGE),
        ("wan9.1-t2v", ModelKind.VIDEO), ("x-i2v", ModelKind.VIDEO), ("x-r2v", ModelKind.VIDEO),
        ("dreamina-seedance-9", ModelKind.VIDEO),
        ("seedance-9", ModelKind.VIDEO), ("sora-3", ModelKind.VIDEO), ("veo4", ModelKind.VIDEO),
        ("text-embedding-9", ModelKind.EMBEDDING), ("qwen-embedding", ModelKind.EMBEDDING), ("bge-reranker", ModelKind.RERANK),
        ("whisper-2", ModelKind.AUDIO), ("gpt-tts", ModelKind.AUDIO), ("qwen-asr", ModelKind.AUDIO),
        ("qwen-asr-flash", ModelKind.AUDIO),
        ("gpt-transcribe", ModelKind.AUDIO), ("gpt-realtime-3", ModelKind.AUDIO), ("openai/dall-e-3", ModelKind.IMAGE),
        ("seed-9-0-pro", ModelKind.UNKNOWN), ("grok-9-non-reasoning", ModelKind.UNKNOWN), ("claude-next", ModelKind.UNKNOWN),
        ("gpt-5-t2vx", ModelKind.UNKNOWN),
    ],
)  # fmt: skip
def test_names_give_media_away_and_nothing_else(model: str, kind: ModelKind) -> None:
    found = TABLE.classify(model)
    assert found.kind is kind
    assert found.how is (ClassifiedBy.UNKNOWN if kind is ModelKind.UNKNOWN else ClassifiedBy.NAME)
    assert found.suitable is (None if kind is ModelKind.UNKNOWN else False)


@pytest.mark.parametrize(
    ("model", "types", "kind", "how"),
    [
        ("new-model", ["openai"], ModelKind.TEXT, ClassifiedBy.ENDPOINT_TYPES),
        ("new-model", ["/v1/chat/completions", "/v1/messages"], ModelKind.TEXT, ClassifiedBy.ENDPOINT_TYPES),
        ("new-model", ["embeddings"], ModelKind.EMBEDDING, ClassifiedBy.ENDPOINT_TYPES),
        ("new-model", ["image-generation", "openai"], ModelKind.IMAGE, ClassifiedBy.ENDPOINT_TYPES),
        ("gpt-5.2", ["image-generation", "openai"], ModelKind.REASONING, ClassifiedBy.ENDPOINT_TYPES),
        ("gpt-5.2", ["openai"], ModelKind.REASONING, ClassifiedBy.ENDPOINT_TYPES),
        ("gpt-5.2", [], ModelKind.REASONING, ClassifiedBy.CATALOGUE),
        ("gpt-5.2", None, ModelKind.REASONING, ClassifiedBy.CATALOGUE),
        ("gpt-5.2", ["telepathy"], ModelKind.REASONING, ClassifiedBy.CATALOGUE),
        ("gpt-5.2", ["video"], ModelKind.VIDEO, ClassifiedBy.ENDPOINT_TYPES),
        ("new-model", ["telepathy"], ModelKind.UNKNOWN, ClassifiedBy.UNKNOWN),
    ],
)
def test_the_live_lists_types_come_first(
    model: str, types: list[str] | None, kind: ModelKind, how: ClassifiedBy
) -> None:
    found = TABLE.classify(model, types)
    assert (found.kind, found.how) == (kind, how)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("minimax-m3", "MiniMax-M3"),
        ("Claude Sonnet 5", "claude-sonnet-5"),
        ("openai/gpt-5.2", "gpt-5.2"),
        ("gpt-52", "gpt-5.2"),
        ("claude-sonnet-4.6", "claude-sonnet-4-6"),
        ("GPT_5.4", "gpt-5.4"),
    ],
)
def test_nearest_id(wrong: str, right: str) -> None:
    assert TABLE.nearest(wrong)[0] == right


def test_nearest_offers_only_what_hermes_can_use() -> None:
    live = ["gpt-image-2", "gpt-imagine"]
    assert TABLE.nearest("gpt-image-3", among=live) == ("gpt-imagine",)
    assert TABLE.nearest("") == ()
    assert TABLE.nearest("x" * 100_000) == ()


def _judged(catalogue: Catalogue = TABLE, **fields: object) -> list[Problem]:
    values: dict[str, object] = {"name": "p", "model": "gpt-5.2", "base_url": "https://api.aisa.one/v1", **fields}
    profile = EffectiveProfile(**values)  # type: ignore[arg-type]
    return list(check_gateway_settings(profile, catalogue, ("api.aisa.one",), Place))


def test_a_good_profile_has_no_problem() -> None:
    assert _judged() == []
    assert _judged(api_mode=ApiMode.AUTO, fallback_models=("claude-sonnet-5",)) == []


@pytest.mark.parametrize(
    ("model", "mode", "rule", "severity", "said"),
    [
        ("gpt-image-2", ApiMode.CHAT_COMPLETIONS, "model-unsuitable", Severity.ERROR, "image"),
        ("text-embedding-9", ApiMode.CHAT_COMPLETIONS, "model-unsuitable", Severity.ERROR, "embedding (by its name)"),
        ("brand-new", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.NOTE, "2026-09-30"),
        ("minimax-m3", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "case-sensitive, and MiniMax-M3"),
        ("openai/gpt-5.2", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "no vendor prefix"),
        ("gtp-5.2", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "misspelling of gpt-5.2"),
        ("gpt-5.22", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "misspelling of gpt-5.2"),
        ("GPT-5.2", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "case-sensitive, and gpt-5.2"),
        *(
            (each, ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "no prefix or tag, and gpt-5.2 is listed")
            for each in ("custom:gpt-5.2", "openai.gpt-5.2", "gpt-5.2:latest", "GPT-5.2:free", "gpt-5.2@2026-01-31")
        ),
        ("openai/gtp-5.2", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "no vendor prefix"),
        ("acme-chat-9-preview", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.NOTE, "not in the catalogue"),
        ("Claude Sonnet 5", ApiMode.CHAT_COMPLETIONS, "model-unknown", Severity.WARNING, "display name"),
        ("gpt-5", ApiMode.CHAT_COMPLETIONS, "model-outdated", Severity.WARNING, "no longer"),
        ("claude-opus-5-5", ApiMode.AUTO, "model-mode", Severity.WARNING, "anthropic_messages"),
        ("grok-4.3", ApiMode.CODEX_RESPONSES, "model-mode", Severity.WARNING, "chat_completions"),
        ("grok-4.3", ApiMode.ANTHROPIC_MESSAGES, "model-mode", Severity.WARNING, "chat_completions"),
        ("jev-latest", ApiMode.CHAT_COMPLETIONS, "model-mode", Severity.WARNING, "not listed for any API mode"),
    ],
)  # fmt: skip
def test_model_problems(model: str, mode: ApiMode, rule: str, severity: Severity, said: str) -> None:
    problems = [p for p in _judged(model=model, api_mode=mode) if p.place == Place("model")]
    assert [(p.rule, p.severity) for p in problems] == [(rule, severity)]
    assert said in problems[0].message


def test_fallback_models_are_judged_too() -> None:
    found = _judged(fallback_models=("whisper-1", "gpt-5.2", "claude-opus-5-5"))
    assert [(p.rule, str(p.place)) for p in found] == [
        ("model-unsuitable", "fallback_models.0"),
        ("model-fallback-repeated", "fallback_models.1"),
        ("model-mode", "fallback_models.2"),
    ]


def test_a_workspaces_own_catalogue_decides() -> None:
    own = Catalogue(
        [CatalogueModel("gpt-image-2", ModelKind.TEXT, frozenset({ApiMode.CHAT_COMPLETIONS}))], as_of="2027-01-01"
    )
    assert _judged(own, model="gpt-image-2") == []
    assert _judged(own, model="gpt-5.2")[0].rule == "model-unknown"


def test_emitted_files_are_json_with_one_model_a_line() -> None:
    text = serialise_catalogue(TABLE).decode()
    assert json.loads(text)["schema"] == "provision/models/v1"
    assert sum(line.startswith("  {") for line in text.splitlines()) == len(TABLE.models)
