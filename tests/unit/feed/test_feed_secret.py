"""feed.secret: made once, kept when operators change, never replaced when it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from keysmith import identity

from provision.keys.age import NoIdentityError
from provision.keys.feed_secret import SECRET_BYTES, BadFeedSecretError, feed_secret


def test_it_stays_the_same_when_an_operator_joins(tmp_path: Path) -> None:
    path = tmp_path / "feed.secret"
    (one, first), (two, second) = identity(0), identity(1)
    made = feed_secret(path, [first], one, create=True)
    assert len(made) == SECRET_BYTES
    before = path.read_bytes()
    assert feed_secret(path, [f"{first} comment"], one, create=True) == made
    assert path.read_bytes() == before
    with pytest.raises(NoIdentityError):
        feed_secret(path, [first], two, create=True)
    assert feed_secret(path, [first, second], one, create=True) == made
    assert feed_secret(path, [second], two, create=False) == made


def test_without_create_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "feed.secret"
    one, first = identity(0)
    with pytest.raises(BadFeedSecretError) as caught:
        feed_secret(path, [first], one, create=False)
    assert "publish" in caught.value.hint
    assert not path.exists()
    feed_secret(path, [first], one, create=True)
    before = path.read_bytes()
    feed_secret(path, [identity(1)[1]], one, create=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", json.dumps({"schema": "provision/feed-secret/v1", "sealed": 1, "recipients": []}).encode()],
)
def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "feed.secret"
    path.write_bytes(data)
    one, first = identity(0)
    with pytest.raises(BadFeedSecretError):
        feed_secret(path, [first], one, create=True)
    assert path.read_bytes() == data
