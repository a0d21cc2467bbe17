"""The configuration that Hermes ends up with, and the file that sets a value."""

from __future__ import annotations

from typing import Any

import pytest

from provision.hermes.home import HomeFiles
from provision.hermes.routing.environment import Environment
from provision.hermes.routing.layers import MAX_EXPANDED_CHARS, Layers, load_layers, unresolved


def layers(user: str, managed: str | None = None, **env: str) -> Layers:
    over = HomeFiles("/etc/hermes", managed.encode()) if managed is not None else None
    return load_layers(HomeFiles("/h", user.encode()), Environment(env), over)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("model: m", "m"),
        ("{model: {model: m}}", {"default": "m"}),
        ("{model: {name: m}}", {"default": "m"}),
        ("{model: {default: a, model: b}}", {"default": "a"}),
        ("{model: m, provider: p, base_url: u}", {"default": "m", "provider": "p", "base_url": "u"}),
        ("{model: {provider: a}, provider: b}", {"provider": "a"}),
        ("{model: {api_base: u}}", {"base_url": "u"}),
        ("{api_base: u, model: {base_url: v}}", {"base_url": "v"}),
    ],
)
def test_old_spellings_move_into_model(text: str, model: Any) -> None:
    config = layers(text).config
    assert config["model"] == model
    assert config.keys().isdisjoint({"provider", "base_url", "api_base"})


def test_the_managed_file_wins_leaf_by_leaf() -> None:
    found = layers("{m: {a: 1, b: 2}, l: [1], n: {x: 1}}", "{m: {b: 3}, l: [2], n: null}")
    assert (found.config["m"], found.config["l"], found.config["n"]) == ({"a": 1, "b": 3}, [2], {"x": 1})
    assert found.where("m", "a") == "/h/config.yaml m.a"
    assert found.where("m", "b") == "/etc/hermes/config.yaml m.b"
    assert found.where("l", 0, "name") == "/etc/hermes/config.yaml l[0].name"


def test_references_are_expanded_and_unset_ones_stay() -> None:
    found = layers("{a: 'x${A}y', b: ['${B}', '$A'], c: {d: '${A}'}}", "{e: '${A}'}", A="1").config
    assert (found["a"], found["b"], found["c"], found["e"]) == ("x1y", ["${B}", "$A"], {"d": "1"}, "1")
    assert unresolved(found["b"][0]) == ("B",)
    assert unresolved("$A") == unresolved(7) == ()


def test_an_invalid_file_counts_as_empty() -> None:
    found = layers("a: [", "{b: 1}")
    assert found.user.malformed is not None
    assert found.config["b"] == 1
    assert layers("- a\n").config == {"model": "", "providers": {}, "fallback_providers": []}


def test_references_that_expand_without_bound_are_reported() -> None:
    found = layers("{a: '${A}${A}', b: '${A}'}", A="x" * (MAX_EXPANDED_CHARS // 2))
    assert found.user.beyond is not None
    assert found.config["b"] == "${A}"
