"""Damaged LevelDB tables: what is not read is reported."""

from __future__ import annotations

import struct

import pytest
from hidingforms import table

from provision.containers.chunk_stream import ChunkStream, DamagedError
from provision.containers.container_format import LEVELDB_TABLE_END
from provision.containers.formats.leveldb_format import table_steps
from provision.containers.steps import FormatInput, Label, NotRead

RESTARTS = struct.pack("<II", 0, 1)


def steps(data: bytes) -> list[Label | NotRead]:
    found = list(table_steps(FormatInput(ChunkStream((data,)), None, 1 << 20), None))
    return [step for step in found if isinstance(step, Label | NotRead)]


@pytest.mark.parametrize("length", [0, 3, 39])
def test_a_table_that_is_shorter_than_its_footer_is_not_read(length: int) -> None:
    (step,) = steps(b"\x80" * length + LEVELDB_TABLE_END)
    assert isinstance(step, NotRead)


def test_a_block_that_counts_more_restarts_than_it_has_bytes_is_not_read() -> None:
    data = table(b"key", b"value", None)
    assert isinstance(steps(data)[0], Label)
    many = RESTARTS[:4] + b"\xff\xff\0\0"
    (step,) = steps(data.replace(RESTARTS, many, 1))
    assert isinstance(step, NotRead)
    with pytest.raises(DamagedError):
        steps(data.replace(RESTARTS, many))
