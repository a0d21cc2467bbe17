"""Values of options that the commands of `rotate` share."""

from __future__ import annotations

import pytest

from provision.cli.rotate.finish import parse_exception
from provision.cli.rotate.options import rotation_probes
from provision.errors import UsageError


@pytest.mark.parametrize(
    ("text", "probes"),
    [("models", ("key", "models")), ("chat,key", ("key", "chat")), ("key,models,chat", ("key", "models", "chat"))],
)
def test_the_key_itself_is_always_probed(text: str, probes: tuple[str, ...]) -> None:
    assert rotation_probes(text) == probes


def test_no_probe_at_all_is_an_error() -> None:
    with pytest.raises(UsageError):
        rotation_probes("")


def test_an_exception_needs_a_reason() -> None:
    assert parse_exception(" ada = laptop lost = gone ") == ("ada", "laptop lost = gone")
    for text in ("ada", "ada=", "ada= ", "=reason", " =reason"):
        with pytest.raises(UsageError, match="gives no reason"):
            parse_exception(text)
