"""The event log: what was written is read back, and no edit, removal, move or insertion passes."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from provision.keys.events.text import GENESIS, Event, LogFault, RecordedEvent, chain_links, check_chain, event_line

_TEXT = st.text(max_size=20)
_EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(10**9, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        _TEXT,
        _TEXT,
        _TEXT,
        _TEXT,
        st.dictionaries(_TEXT, st.one_of(_TEXT, st.integers(0, 10**9), st.none()), max_size=3),
    ),
    min_size=2,
    max_size=8,
)


def _log(events: list[Event]) -> list[bytes]:
    lines, sha256 = [], GENESIS
    for number, event in enumerate(events, 1):
        line, sha256 = event_line(event, number, sha256)
        assert line.count(b"\n") == 1
        lines.append(line[:-1])
    return lines


def _faults(lines: list[bytes]) -> list[LogFault]:
    """What the full look finds; the quick one sees that there is something."""
    assert not all(follows for _, _, follows in chain_links(lines))
    return [item for item in check_chain(lines) if isinstance(item, LogFault)]


@given(_EVENTS)
def test_what_was_written_is_read_back_without_a_fault(events: list[Event]) -> None:
    assert all(follows for _, _, follows in chain_links(_log(events)))
    found = list(check_chain(_log(events)))
    assert [item.event for item in found if isinstance(item, RecordedEvent)] == events
    assert len(found) == len(events)


@given(_EVENTS, st.data())
def test_any_changed_byte_shows(events: list[Event], data: st.DataObject) -> None:
    lines = _log(events)
    row = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[row]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (lines[row][at], 10)))
    changed = lines[row][:at] + bytes([other]) + lines[row][at + 1 :]
    assert _faults([*lines[:row], changed, *lines[row + 1 :]])


@given(_EVENTS, st.data())
def test_a_line_taken_out_put_in_or_moved_shows(events: list[Event], data: st.DataObject) -> None:
    lines = _log(events)
    row = data.draw(st.integers(0, len(lines) - 2))
    assert _faults(lines[:row] + lines[row + 1 :]), "the last one is what the vault's generation is for"
    assert _faults([*lines[: row + 1], lines[row], *lines[row + 1 :]])
    assert _faults([*lines[:row], lines[row + 1], lines[row], *lines[row + 2 :]])
