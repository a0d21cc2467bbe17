"""Archives of trust lists that come with a bundle."""

from __future__ import annotations

import tarfile

import pytest

from provision.trust.files import FOLDER, BadChainError, chain_source


def test_an_archive_with_an_impossible_size_is_refused() -> None:
    member = tarfile.TarInfo(f"{FOLDER}/1-1.json")
    member.size = -(2**70)
    with pytest.raises(BadChainError, match="not a readable tar archive"):
        chain_source(member.tobuf(tarfile.GNU_FORMAT), "x.tar")
