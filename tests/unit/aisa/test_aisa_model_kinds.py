"""The kind of a model, by its endpoint types."""

from __future__ import annotations

import pytest

from provision.aisa.model_kinds import ModelKind, kind_by_endpoint_types, kind_by_name, modes_by_endpoint_types
from provision.fleet.desired import ApiMode


@pytest.mark.parametrize(
    ("types", "otherwise", "kind"),
    [
        (["openai"], ModelKind.UNKNOWN, ModelKind.TEXT),
        (["openai"], ModelKind.REASONING, ModelKind.REASONING),
        (["openai"], ModelKind.IMAGE, ModelKind.TEXT),
        (["openai", "image-generation"], ModelKind.TEXT, ModelKind.TEXT),
        (["openai", "image-generation"], ModelKind.UNKNOWN, ModelKind.IMAGE),
        ([" /v1/Chat/Completions "], ModelKind.UNKNOWN, ModelKind.TEXT),
        (["embeddings"], ModelKind.TEXT, ModelKind.EMBEDDING),
        (["gemini"], ModelKind.TEXT, ModelKind.UNKNOWN),
        ([], ModelKind.TEXT, ModelKind.UNKNOWN),
    ],
)
def test_endpoint_types_decide_and_the_name_breaks_ties(
    types: list[str], otherwise: ModelKind, kind: ModelKind
) -> None:
    assert kind_by_endpoint_types(types, otherwise) is kind


def test_modes_come_from_known_types_only() -> None:
    assert modes_by_endpoint_types(["openai", "/v1/messages", "gemini"]) == {
        ApiMode.CHAT_COMPLETIONS,
        ApiMode.ANTHROPIC_MESSAGES,
    }
    assert modes_by_endpoint_types(["image-generation"]) == frozenset()


@pytest.mark.parametrize("name", ["seed-2-pro", "grok-4-non-reasoning", "my-dall-e-fan-model"])
def test_names_that_only_resemble_media_models_stay_unclassified(name: str) -> None:
    assert kind_by_name(name) is ModelKind.UNKNOWN
