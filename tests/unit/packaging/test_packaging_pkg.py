"""The macOS package and the configuration profile, by their formats."""

from __future__ import annotations

import gzip
import hashlib
import plistlib
import struct
import uuid
import zlib
from xml.etree import ElementTree as ET

from provision.feed.timer_definition import LABEL
from provision.packaging.payload import Payload
from provision.packaging.pkg import pkg, profile

PULL = Payload("ada", "operator ssh-ed25519 AAAA", address="https://feed.example.com/hermes/e/" + "a" * 32)


def test_a_profile_has_what_apple_requires_and_always_the_same_ids() -> None:
    assert pkg(PULL)["hermes-provision.mobileconfig"].data == profile() == profile()
    top = plistlib.loads(profile())
    (inner,) = top["PayloadContent"]
    for part in (top, inner):
        assert {"PayloadIdentifier", "PayloadUUID", "PayloadType", "PayloadVersion"} <= set(part)
        assert part["PayloadVersion"] == 1
        assert uuid.UUID(part["PayloadUUID"]).version == 5
        assert part["PayloadUUID"].isupper()
    assert (top["PayloadType"], top["PayloadScope"]) == ("Configuration", "System")
    assert inner["PayloadType"] == "com.apple.servicemanagement"
    assert inner["Rules"][0]["RuleValue"] == LABEL
    assert top["PayloadUUID"] != inner["PayloadUUID"]
    assert top["PayloadUUID"] == "0ED9ED80-DD6F-5E57-A3A9-0D558D976055", (
        "a new one would not replace the installed profile"
    )
    assert b"feed.example.com" not in profile()


def test_the_checksums_and_offsets_of_the_archive() -> None:
    data = next(file.data for name, file in pkg(PULL).items() if name.endswith(".pkg"))
    magic, size, version, packed, length, checksum = struct.unpack_from(">4sHHQQI", data)
    assert (magic, size, version, checksum) == (b"xar!", 28, 1, 1)
    table = zlib.decompress(data[size : size + packed])
    assert len(table) == length
    heap = data[size + packed :]
    assert heap[:20] == hashlib.sha1(data[size : size + packed]).digest()
    found = {}
    for entry in ET.fromstring(table).iter("file"):
        at, held = int(entry.findtext("data/offset", "")), int(entry.findtext("data/length", ""))
        content = heap[at : at + held]
        assert hashlib.sha1(content).hexdigest() == entry.findtext("data/archived-checksum")
        found[entry.findtext("name")] = content
    assert set(found) == {"PackageInfo", "Scripts"}
    assert gzip.decompress(found["Scripts"]).startswith(b"070707")
    assert sum(map(len, found.values())) + 20 == len(heap)
