"""Decide which area of a video is covered in which frames. Pure.

An area is covered from its first sighting to its last, between sightings that are close in time (a frame in between may
have been unreadable), and for a margin before and after, but not beyond a cut to another scene. It moves with what it
covers. A key that grows in its place is covered as large as it gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""
Move = tuple[int, int, int]
"""A frame, and by how many pixels something moves in it to the right and down."""
_SAME = 0.5
_IN_PLACE = 0.35
"""In heights: a box that is further up or down is covered on its own, so that what is zoomed leaves no trail."""
_LINKED = 2
"""In frames: how long a box stays beyond the sighting in another place that follows it."""


@dataclass(frozen=True, slots=True)
class SeenBox:
    """A box in one frame, why it is covered (or doubtful), from which frame on it was visible, and how it came there."""

    box: Box
    rule: str
    since: int
    moves: tuple[Move, ...] = ()
    """Later than frame `since`, until the frame of the state."""


@dataclass(frozen=True, slots=True)
class VideoState:
    """What was found in a frame; it holds until the next state.

    `new`: little is as in the frame before. `read`: all that was visible until then was read.
    """

    frame: int
    cover: tuple[SeenBox, ...] = ()
    doubts: tuple[SeenBox, ...] = ()
    new: bool = False
    read: bool = False


@dataclass(frozen=True, slots=True)
class Margins:
    """In frames: how long an area is covered before and after its sightings, and the largest gap that is bridged."""

    around: int
    bridged: int


@dataclass(slots=True)
class Track:
    """A box from frame `first` to frame `last`, both included. `box` is where it is in frame `first`."""

    first: int
    last: int
    box: Box
    rule: str
    moves: list[Move] = field(default_factory=list)
    follows: bool = False
    """Whether it goes on where another track was."""
    followed: int = -1
    """From which frame on another track goes on in its place."""

    def at(self, frame: int) -> Box:
        """Return where the box is in a frame."""
        dx = sum(m[1] for m in self.moves if m[0] <= frame)
        dy = sum(m[2] for m in self.moves if m[0] <= frame)
        return displaced(self.box, dx, dy)


def tracks_of(states: list[VideoState], count: int, margins: Margins, *, doubts: bool = False) -> list[Track]:
    """Join the sightings in a video of `count` frames to tracks, widened by the margins."""
    tracks: list[Track] = []
    cuts = _cuts(states)
    ends = [state.frame - 1 for state in states[1:]] + [count - 1]
    for state, end in zip(states, ends, strict=True):
        for place in state.doubts if doubts else state.cover:
            _add(place, max(state.frame, end), tracks, cuts, margins.bridged)
    for track in tracks:
        first = track.first - (min(_LINKED, margins.around) if track.follows else margins.around)
        last = track.last + margins.around
        if track.followed >= track.last:
            last = track.followed + min(_LINKED, margins.around)
        track.first, track.last = (
            max([0, first, *(cut for cut in cuts if cut <= track.first)]),
            min([last, *(cut - 1 for cut in cuts if cut > track.last)]),
        )
    return tracks


def _cuts(states: list[VideoState]) -> list[int]:
    """Return the frames that begin another scene. Where several frames in a row are new, something moves or fades."""
    new = {state.frame for state in states if state.new}
    return sorted(frame for frame in new if not new & {frame - 2, frame - 1, frame + 1, frame + 2})


def boxes_at(frame: int, tracks: list[Track]) -> list[Box]:
    """Return the boxes that are covered in a frame."""
    return [track.at(frame) for track in tracks if track.first <= frame <= track.last]


def _add(place: SeenBox, last: int, tracks: list[Track], cuts: list[int], bridged: int) -> None:
    """Have a sighting continue the track that it overlaps, or begin another."""
    start = displaced(place.box, -sum(m[1] for m in place.moves), -sum(m[2] for m in place.moves))

    def continues(track: Track) -> bool:
        return (
            track.rule == place.rule
            and place.since - track.last <= bridged + 1
            and not any(track.last < cut <= place.since for cut in cuts)
            and _overlap(track.at(place.since), start) >= _SAME
        )

    found = [track for track in tracks if continues(track)]
    for track in reversed(found):
        here = track.at(place.since)
        if _in_place(here, start) and (moves := _continued(track, place)) is not None:
            track.box = united(track.box, displaced(start, track.box[0] - here[0], track.box[1] - here[1]))
            track.moves += moves
            track.first, track.last = min(track.first, place.since), max(track.last, last)
            return
    for track in found:
        track.followed = max(track.followed, place.since)
    tracks.append(Track(place.since, last, start, place.rule, list(place.moves), bool(found)))


def _continued(track: Track, place: SeenBox) -> list[Move] | None:
    """Return the further moves of what was seen, after all that is known of the track; None if the two moved differently."""
    known = [move for move in track.moves if move[0] > place.since]
    further = list(place.moves[len(known) :])
    if known != list(place.moves[: len(known)]) or any(move[0] <= track.last for move in further):
        return None
    return further


def _in_place(a: Box, b: Box) -> bool:
    most = _IN_PLACE * min(a[3] - a[1], b[3] - b[1])
    return abs(a[1] - b[1]) <= most and abs(a[3] - b[3]) <= most


def displaced(box: Box, dx: int, dy: int) -> Box:
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


def _overlap(a: Box, b: Box) -> float:
    """Return the share of the smaller box that is common to both."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / max(1, smaller)


def united(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
