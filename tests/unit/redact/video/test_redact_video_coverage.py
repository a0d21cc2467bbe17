"""What is covered when and where, from what was seen when."""

from __future__ import annotations

from provision.redact.video.coverage import Box, Margins, SeenBox, Track, VideoState, boxes_at, tracks_of

MARGINS = Margins(around=3, bridged=10)
COUNT = 100
HERE = (10, 10, 110, 30)


def seen(first: int, last: int, box: Box = HERE) -> list[VideoState]:
    return [VideoState(first, (SeenBox(box, "key", first),)), VideoState(last + 1)]


def tracks(states: list[VideoState]) -> list[Track]:
    return tracks_of(states, COUNT, MARGINS)


def covered(states: list[VideoState]) -> list[int]:
    found = tracks(states)
    return [n for n in range(COUNT) if boxes_at(n, found)]


def test_an_area_is_covered_a_little_before_and_after() -> None:
    assert covered(seen(20, 25)) == list(range(17, 29))


def test_a_gap_between_sightings_is_bridged() -> None:
    assert covered(seen(0, 4) + seen(15, 20)) == list(range(24))


def test_a_long_gap_is_not() -> None:
    assert 20 not in covered(seen(0, 4) + seen(40, 41))


def test_what_grows_is_covered_as_large_as_it_gets() -> None:
    states = [VideoState(n, (SeenBox((10, 10, 20 + 5 * n, 30), "key", n),)) for n in range(20)]
    assert boxes_at(0, tracks(states)) == [(10, 10, 115, 30)]


def test_a_cover_moves_with_the_key_and_leaves_no_trail() -> None:
    states = [VideoState(10, (SeenBox((10, 400, 110, 420), "key", 10),))]
    states += [
        VideoState(n, (SeenBox((10, 400 - 15 * (n - 10), 110, 420 - 15 * (n - 10)), "key", n - 1, ((n, 0, -15),)),))
        for n in range(11, 31)
    ]
    found = tracks(states)
    assert len(found) == 1
    assert boxes_at(8, found) == [(10, 400, 110, 420)]
    assert boxes_at(20, found) == [(10, 250, 110, 270)]
    assert boxes_at(30, found) == [(10, 100, 110, 120)]


def test_what_is_read_late_is_covered_where_it_came_from() -> None:
    moves = tuple((n, 0, -20) for n in range(41, 51))
    found = tracks([VideoState(0), VideoState(50, (SeenBox((10, 100, 110, 120), "key", 40, moves),), read=True)])
    assert boxes_at(40, found) == [(10, 300, 110, 320)]
    assert boxes_at(45, found) == [(10, 200, 110, 220)]
    assert not boxes_at(36, found)


def test_what_moves_unfollowed_is_covered_in_every_frame_and_leaves_a_short_trail() -> None:
    states = [VideoState(n, (SeenBox((10, 300 - 8 * n, 110, 320 - 8 * n), "key", n),)) for n in range(20)]
    found = tracks(states)
    for n in range(20):
        boxes = boxes_at(n, found)
        assert (10, 300 - 8 * n, 110, 320 - 8 * n) in boxes
        assert max(b[3] for b in boxes) - min(b[1] for b in boxes) <= 20 + 2 * 3 * 8


def test_a_cover_does_not_go_on_into_another_scene() -> None:
    states = [VideoState(20, (SeenBox(HERE, "key", 20),)), VideoState(26, new=True)]
    assert covered(states) == list(range(17, 26))
    states = [VideoState(20, new=True), VideoState(25, (SeenBox(HERE, "key", 20),), read=True), VideoState(30)]
    assert covered(states) == list(range(20, 33))


def test_a_fade_is_not_another_scene() -> None:
    states = [VideoState(20, (SeenBox(HERE, "key", 20),)), *(VideoState(n, new=True) for n in (26, 27, 28))]
    assert covered(states) == list(range(17, 29))


def test_doubts_are_joined_like_covers() -> None:
    doubt = SeenBox(HERE, "could not be read well", 5)
    [track] = tracks_of([VideoState(5, (), (doubt,)), VideoState(9)], COUNT, Margins(0, 10), doubts=True)
    assert (track.first, track.last) == (5, 8)
