"""The recovery seed: what is typed from paper gives the same keys, and a mistyped group is named."""

from __future__ import annotations

import pytest
import seeded

from provision.keys.age import seal, unseal
from provision.trust.recovery import BadSeedError, RecoverySeed, parse_seed, questions, recovery_page

SEED = RecoverySeed("ab" * 16, bytes(range(32)))


def test_the_seed_survives_paper() -> None:
    for _ in range(20):
        seed = RecoverySeed("ab" * 16, seeded.token_bytes(32))
        assert parse_seed(" ".join(seed.groups()).lower(), "ab" * 16) == seed
        assert parse_seed(recovery_page(seed, "2030-01-01"), "ab" * 16) == seed


def test_the_derived_keys_are_settled() -> None:
    """A seed on paper must open the vault with every later version."""
    assert SEED.public().recipient == "age1srnn40mjzx628xe4l4sy8anph4h3z252mygfjde8cgvusrrfhaaqh7t0tn"
    assert SEED.public().key.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")
    assert RecoverySeed("cd" * 16, SEED.value).public() != SEED.public()
    assert unseal(seal(b"x", [SEED.public().recipient]), [SEED.identity()]) == b"x"


def test_a_mistyped_group_is_named() -> None:
    groups = list(SEED.groups())
    for at in (0, 6, 12):
        wrong = [*groups]
        wrong[at] = ("A" if groups[at][0] != "A" else "B") + groups[at][1:]
        with pytest.raises(BadSeedError, match=f"group {at + 1} "):
            parse_seed(" ".join(wrong), "ab" * 16)
    swapped = [groups[1], groups[0], *groups[2:]]
    with pytest.raises(BadSeedError, match=r"group [12] "):
        parse_seed(" ".join(swapped), "ab" * 16)
    with pytest.raises(BadSeedError, match="60 letters"):
        parse_seed(" ".join(groups[:-1]), "ab" * 16)


def test_nothing_secret_is_in_its_repr() -> None:
    assert "00010203" not in repr(SEED)
    assert all(group not in repr(SEED) for group in SEED.groups())
    assert all(len(set(questions(SEED))) == 2 for _ in range(50))
