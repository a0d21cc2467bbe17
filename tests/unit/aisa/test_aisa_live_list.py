"""The live list of several keys, and a catalogue brought up to date with it."""

from __future__ import annotations

import asyncio
from typing import Any

from provision.aisa.answers import GatewayAnswer, Listing
from provision.aisa.catalogue import Catalogue, CatalogueModel
from provision.aisa.live_list import fetch_live_list, updated_catalogue
from provision.aisa.model_kinds import ModelKind
from provision.detect.secret import Secret


class FakeClient:
    def __init__(self, **answers: GatewayAnswer) -> None:
        self.answers = answers

    async def send(self, _request: object, key: Secret) -> GatewayAnswer:
        return self.answers[key.reveal()]


def fetch(*keys: str, **answers: GatewayAnswer) -> Listing | None:
    client: Any = FakeClient(**answers)
    return asyncio.run(fetch_live_list(client, "http://127.0.0.1", [Secret(key) for key in keys]))[0]


def test_lists_of_several_keys_are_joined_and_failures_skipped() -> None:
    one = GatewayAnswer(200, body=b'{"data": [{"id": "a"}]}')
    two = GatewayAnswer(200, body=b'{"data": [{"id": "b", "supported_endpoint_types": ["openai"]}]}')
    found = fetch("x", "y", "z", x=one, y=GatewayAnswer(401), z=two)
    assert found == Listing({"a": (), "b": ("openai",)})


def test_no_list_at_all_is_none_and_an_empty_one_is_not() -> None:
    assert fetch("x", x=GatewayAnswer(500, body=b'{"data": []}')) is None
    assert fetch("x", x=GatewayAnswer(200, body=b'{"data": []}')) == Listing({})


def test_a_catalogue_marks_what_left_and_classifies_what_came() -> None:
    old = Catalogue(
        [CatalogueModel("stays", ModelKind.TEXT), CatalogueModel("leaves", ModelKind.TEXT)], as_of="2026-01-01"
    )
    new = updated_catalogue(old, Listing({"stays": (), "text-embedding-9": (), "new": ("anthropic",)}), "2026-06-01")
    assert list(new.models) == ["stays", "leaves", "new", "text-embedding-9"]
    assert [(m.id, m.current, m.kind) for m in new.models.values()] == [
        ("stays", True, ModelKind.TEXT),
        ("leaves", False, ModelKind.TEXT),
        ("new", True, ModelKind.TEXT),
        ("text-embedding-9", True, ModelKind.EMBEDDING),
    ]
    assert new.models["leaves"].status == "not-in-live-list-2026-06-01"
    later = updated_catalogue(new, Listing({"stays": ()}), "2026-07-01")
    assert later.models["leaves"].status == "not-in-live-list-2026-06-01", "the first day of absence is kept"
    assert updated_catalogue(later, Listing({"leaves": ()}), "2026-08-01").models["leaves"].current


def test_a_page_of_a_list_marks_no_model_as_gone() -> None:
    page = GatewayAnswer(200, body=b'{"data": [{"id": "a"}], "has_more": true}')
    found = fetch("x", x=page)
    assert found == Listing({"a": ()}, partial=True)
    old = Catalogue([CatalogueModel("b", ModelKind.TEXT, frozenset())], as_of="2026-01-01")
    assert updated_catalogue(old, found, "2026-06-01").models["b"].current
