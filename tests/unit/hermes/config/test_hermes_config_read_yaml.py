"""Somebody else's YAML: read as Hermes reads it, and never blown up."""

from __future__ import annotations

import time

from provision.hermes.config.read_yaml import MAX_DEPTH, read_yaml


def test_plain_documents() -> None:
    assert read_yaml(b"a: {b: 1}\na: 2\n").value == {"a": 2}
    assert read_yaml("\ufeffa: 1\r\n".encode()).mapping == {"a": 1}
    assert read_yaml(b"").value is None
    assert read_yaml(b"- x").mapping == {}


def test_malformed_documents_say_where() -> None:
    document = read_yaml(b"a: 1\nb: [\n")
    assert document.malformed is not None
    assert "line" in document.malformed
    assert read_yaml(b"\xff\xfea").malformed == "not UTF-8 at byte 0"
    assert read_yaml(b"!!python/object/apply:os.system [x]").malformed


def test_bombs_are_not_read() -> None:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    merges = ["a0: &a0 {k: 1}"] + [f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    started = time.monotonic()
    for text in (
        "\n".join(levels),
        "\n".join(merges),
        "[" * 100_000,
        "x: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ):
        document = read_yaml(text.encode())
        assert document.value is None
        assert document.beyond or document.malformed == "not YAML at line 1", text[
            :40
        ]  # libyaml may have its own bound
    assert read_yaml(b"a: &a [*a]").beyond
    assert time.monotonic() - started < 2


def test_ordinary_aliases_are_read() -> None:
    assert read_yaml(b"a: &a {k: 1}\nb: {<<: *a, c: 2}").value == {"a": {"k": 1}, "b": {"k": 1, "c": 2}}
