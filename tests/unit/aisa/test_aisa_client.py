"""A client that cannot be set up says why, without showing a proxy's password."""

from __future__ import annotations

import pytest

from provision.aisa.client import Client, ClientSetupError, Network


@pytest.mark.parametrize("proxy", ["user:hunter2@proxy:3128", "ftp://u:hunter2@proxy", "http://[u:hunter2"])
def test_bad_proxy(proxy: str) -> None:
    with pytest.raises(ClientSetupError) as caught:
        Client((), network=Network(proxy=proxy))
    assert "hunter2" not in str(caught.value) + caught.value.hint
