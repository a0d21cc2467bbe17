"""The formats that can be read, and how: the one list that reading and rewriting use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from provision.containers.container_format import COMPRESSED_FORMATS
from provision.containers.formats.ar_format import ar_steps
from provision.containers.formats.compressed_formats import gzip_steps, stream_steps
from provision.containers.formats.git_pack import bundle_steps, pack_steps
from provision.containers.formats.leveldb_format import log_steps, table_steps
from provision.containers.formats.office_text import office_steps
from provision.containers.formats.pdf_format import pdf_steps
from provision.containers.formats.png_format import png_steps
from provision.containers.formats.registry_export import registry_steps
from provision.containers.formats.seven_zip import seven_zip_steps
from provision.containers.formats.tar_format import tar_steps
from provision.containers.formats.zip_format import zip_steps

if TYPE_CHECKING:
    from provision.containers.steps import Format

FORMATS: dict[str, Format] = {
    "zip": zip_steps,
    "tar": tar_steps,
    "gzip": gzip_steps,
    **{kind: partial(stream_steps, kind) for kind in COMPRESSED_FORMATS - {"gzip"}},
    "7z": seven_zip_steps,
    "ar": ar_steps,
    "png": png_steps,
    "pdf": pdf_steps,
    "office text": office_steps,
    "registry export": registry_steps,
    "leveldb table": table_steps,
    "leveldb log": log_steps,
    "git pack": pack_steps,
    "git bundle": bundle_steps,
}
"""All formats but SQLite, which has rows and not only parts."""
RAW_TOO = frozenset(
    {"png", "pdf", "office text", "registry export", "leveldb table", "leveldb log", "7z", "git bundle"}
)
"""Formats whose raw bytes are searched too: they hold text that their steps do not yield."""
WITH_RAW_LINES = frozenset({"registry export"})
"""Of those, the texts: nothing in their raw bytes is in a step as well, and matches have lines."""
REWRITTEN = frozenset({"zip", "tar", "7z", "ar", "png", "office text", "registry export"}) | COMPRESSED_FORMATS
"""Formats that are written again without their secrets; others are refused when they hold one."""
