"""Values by their place in program code."""

from __future__ import annotations

import pytest

from provision.detect.detector import Detector
from provision.detect.policy import Policy

PUBLISHING = Detector(policy=Policy.PUBLISHING)


@pytest.mark.parametrize(
    "text", ['#define DB_PASSWORD "{}"', 'add_argument("--password", default="{}")', 'ds.setPassword("{}");']
)
@pytest.mark.parametrize("password", ["ab12", "q7rt5w", "ab12cd34ef"])
def test_short_passwords_go_too(text: str, password: str) -> None:
    data = text.format(password).encode()
    assert [data[match.start : match.end].decode() for match in PUBLISHING.scan(data)] == [password]
