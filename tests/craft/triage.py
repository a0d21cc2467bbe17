"""A corpus with which severity and confidence are calibrated: secrets, and what only looks like them, in the same places.

For every way of writing a value beside its name (`namedforms`) there is one random value and one decoy that people write in the
same place: a word with a number, a variable, a file, a version, a call, a placeholder. Tokens of vendors have the examples of
their rule, and its counter-examples.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from namedforms import FORMS, random_values

from provision.detect.rules.builtin import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = [
    "session",
    "user",
    "account",
    "request",
    "handler",
    "parser",
    "storage",
    "default",
    "primary",
    "service",
    "config",
    "manager",
    "client",
    "response",
    "header",
    "value",
    "field",
    "legacy",
    "internal",
    "public",
    "release",
    "module",
    "widget",
    "number",
    "element",
    "counter",
]


class Sample(NamedTuple):
    """A text, and the value in it that is a secret; None for a decoy."""

    text: str
    secret: str | None


def decoy(rng: random.Random) -> str:
    """What is no secret though it has letters and digits."""
    one, two, number = rng.choice(_WORDS), rng.choice(_WORDS), rng.randrange(2, 99)
    return rng.choice(
        (
            f"{one}_{two}_{number}",
            f"{one}{two.title()}{number}",
            f"{one}-{two}-v{number}",
            f"{one.title()}{two.title()}V2Handler",
            f"/etc/{one}/{two}{number}.json",
            f"{one}.{two}.get{number}",
            f"${{{one.upper()}_{two.upper()}}}",
            f"{number}.{number}.1-{one}",
            f"get_{one}({number})",
            f"your-{one}-{two}-{number}",
            f"{one}{number}@example.com",
            f"https://{one}.example.com/{two}/{number}",
            f"2026-{number % 12 + 1:02d}-11T10:00:{number:02d}",
            f"<{one}-{two}-{number}>",
            f"xxxxxxxx{number}xxxxxxxx",
            f"{one}_{number}",
            f"urn:{one}:{two}:{number}",
            f"{one}/{two}/{number}",
            f"sha256:{rng.getrandbits(256):064x}",
        )
    )


def samples(seed: int, rounds: int) -> Iterator[Sample]:
    """Yield secrets and decoys, equally many of each."""
    rng = random.Random(seed)
    for _ in range(rounds):
        for form in FORMS:
            for value in random_values(rng):
                yield Sample(form.format(value) + "\n", value)
                yield Sample(form.format(decoy(rng)) + "\n", None)
    for rule in BUILTIN:
        for example in rule.examples:
            text = example if isinstance(example, str) else example()
            yield Sample(text + "\n", text)
        for example in rule.counter_examples:
            yield Sample((example if isinstance(example, str) else example()) + "\n", None)
