"""Whatever is read from a picture, hits are ranges of it, and keys misread in any usual way are among them."""

from __future__ import annotations

import random
import string
from itertools import pairwise

import picturecraft
from hypothesis import given
from hypothesis import strategies as st

from provision.redact.pictures.lookalike import find_keys, fold_lookalikes, random_words
from provision.redact.pictures.named_values import find_named_values
from provision.redact.video.coverage import Margins, SeenBox, VideoState, boxes_at, displaced, tracks_of

CHARACTERS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.~ :=\"'/|()…é中"), max_size=60)
SCRAPS = st.sampled_from(
    ["sk-aisa-", "5k-a1sa-", "sk-", "api_key: ", 'AISA_API_KEY="', "password: ", "Bearer ", "…", " "]
)
RANDOM = st.text(st.sampled_from(string.ascii_letters + string.digits), min_size=30, max_size=40)
READ = st.lists(st.one_of(CHARACTERS, SCRAPS, RANDOM), max_size=8).map("".join)
CONFUSED = {
    "0": "O",
    "O": "0",
    "l": "1",
    "1": "I",
    "I": "l",
    "S": "5",
    "5": "S",
    "8": "B",
    "B": "8",
    "g": "9",
    "z": "Z",
}


@given(READ)
def test_hits_are_ranges_of_the_text(text: str) -> None:
    hits = find_keys(text)
    assert all(0 <= h.start < h.end <= len(text) for h in hits)
    assert all(a.start <= b.start for a, b in pairwise(hits))
    assert all(0 <= h.start < h.end <= len(text) for h in find_named_values(text))
    assert all(0 <= a < b <= len(text) for a, b in random_words(text))
    folded, places = fold_lookalikes(text)
    assert len(folded) == len(places)


@given(st.integers(0, 10_000), st.data())
def test_a_key_with_confused_characters_is_found_whole(seed: int, data: st.DataObject) -> None:
    key = picturecraft.aisa_key(random.Random(seed))
    places = data.draw(st.sets(st.integers(8, len(key) - 1), max_size=12))
    read = "".join(CONFUSED.get(c, c) if n in places else c for n, c in enumerate(key))
    [hit] = find_keys(f'api_key: "{read}"')
    assert (hit.start, hit.end) == (10, 10 + len(key))


SEEN = st.tuples(
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 10),
    st.lists(st.tuples(st.integers(1, 10), st.integers(-30, 30), st.integers(-30, 30)), max_size=3),
)
"""Where a key is in a frame, for how many frames it was visible before, and its moves, by frames after it became visible."""


def visible(frame: int, x: int, y: int, before: int, moves: list[tuple[int, int, int]]) -> SeenBox:
    since = max(0, frame - before)
    made = sorted((since + after, dx, dy) for after, dx, dy in moves if since + after <= frame)
    return SeenBox((x, y, x + 80, y + 16), "key", since, tuple(made))


@given(
    st.lists(st.tuples(st.integers(1, 10), st.lists(SEEN, max_size=3), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 5),
    st.integers(0, 10),
)
def test_what_is_seen_in_a_frame_is_covered_in_it(
    steps: list[tuple[int, list[tuple[int, int, int, list[tuple[int, int, int]]]], bool]], around: int, bridged: int
) -> None:
    states, frame = list[VideoState](), 0
    for later, seen, new in steps:
        frame += later
        states.append(VideoState(frame, tuple(visible(frame, *one) for one in seen), new=new))
    count = frame + 5
    tracks = tracks_of(states, count, Margins(around, bridged))
    for state, end in zip(states, [*(later.frame for later in states[1:]), count], strict=True):
        for one in state.cover:
            for at in range(one.since, end):
                later_moves = [move for move in one.moves if move[0] > at]
                dx, dy = sum(move[1] for move in later_moves), sum(move[2] for move in later_moves)
                left, top, right, bottom = displaced(one.box, -dx, -dy)
                assert any(
                    b[0] <= left and b[1] <= top and b[2] >= right and b[3] >= bottom for b in boxes_at(at, tracks)
                )
