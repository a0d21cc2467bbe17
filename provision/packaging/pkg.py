"""A macOS installer package without payload files, and a configuration profile, both written without a Mac.

The package (a xar archive of `PackageInfo` and `Scripts`, as `pkgbuild --nopayload` makes) runs the set-up script of all
packages. It is not signed: sign it with `productsign` where the device manager wants that. The profile lets the pull timer run
without the message "Background items added". The same input gives the same bytes: device managers replace profiles by
identifier and payloads by UUID, so both are derived from names.
"""

from __future__ import annotations

import gzip
import hashlib
import plistlib
import struct
import uuid
import zlib
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from provision.packaging.mac import script_with_payload
from provision.packaging.payload import Files, PackageFile, description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.packaging.payload import Payload

_DOMAIN = "one.aisa.hermes-provision"
_TIMER = f"{_DOMAIN}.pull"
"""The label of the timer in `feed`, which this room does not know; a test compares both."""
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "hermes-provision.aisa.one")
_XAR_HEADER = struct.Struct(">4sHHQQI")
_SHA1 = 1


def pkg(payload: Payload) -> Files:
    """Build the installer package; with a feed address also the configuration profile for its timer."""
    files = {f"{payload.name}-{payload.package_version}.pkg": PackageFile(_package(payload))}
    if payload.address is not None:
        files["hermes-provision.mobileconfig"] = PackageFile(profile())
    return files


def profile() -> bytes:
    """The profile, the same for all users and machines: it holds no secret."""
    rule = {"RuleType": "Label", "RuleValue": _TIMER, "Comment": "pulls this user's Hermes settings from IT's feed"}
    payload = {
        "PayloadType": "com.apple.servicemanagement",
        "PayloadIdentifier": f"{_DOMAIN}.background",
        "PayloadUUID": _uuid(f"{_DOMAIN}.background"),
        "PayloadVersion": 1,
        "PayloadDisplayName": "Hermes settings: pull timer",
        "Rules": [rule],
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadIdentifier": _DOMAIN,
            "PayloadUUID": _uuid(_DOMAIN),
            "PayloadVersion": 1,
            "PayloadScope": "System",
            "PayloadDisplayName": "Hermes settings",
            "PayloadContent": [payload],
        }
    )


def _uuid(name: str) -> str:
    return str(uuid.uuid5(_NAMES, name)).upper()


def _package(payload: Payload) -> bytes:
    identifier, version = quoteattr(f"{_DOMAIN}.{payload.user}"), quoteattr(payload.package_version)
    info = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<pkg-info format-version="2" identifier={identifier} version={version} install-location="/" auth="root">\n'
        f"  <!-- {description(payload).replace('--', '- -')} -->\n"
        '  <scripts><postinstall file="./postinstall" timeout="600"/></scripts>\n'
        "</pkg-info>\n"
    )
    scripts = _cpio({"./postinstall": script_with_payload(payload)})
    return _xar({"PackageInfo": info.encode(), "Scripts": gzip.compress(scripts, 9, mtime=0)})


def _cpio(files: Mapping[str, bytes]) -> bytes:
    """The old portable format (`cpio -o -H odc`), owned by root, all times zero."""
    out = []
    for number, (name, data) in enumerate([(".", b""), *files.items(), ("TRAILER!!!", b"")], 1):
        mode = 0o040755 if name == "." else 0o100755 if name in files else 0
        fields = (0, number, mode, 0, 0, 1, 0)
        head = "070707" + "".join(f"{value:06o}" for value in fields)
        out.append(f"{head}{0:011o}{len(name) + 1:06o}{len(data):011o}{name}\0".encode() + data)
    return b"".join(out)


def _xar(files: Mapping[str, bytes]) -> bytes:
    """A xar archive: header, compressed table of contents, and a heap that begins with the table's SHA-1."""
    entries, heap, at = [], [], hashlib.sha1(usedforsecurity=False).digest_size
    for number, (name, data) in enumerate(files.items(), 1):
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        entries.append(
            f'<file id="{number}"><name>{name}</name><type>file</type><mode>0644</mode><uid>0</uid><gid>0</gid><data>'
            f"<length>{len(data)}</length><offset>{at}</offset><size>{len(data)}</size>"
            f'<encoding style="application/octet-stream"/><archived-checksum style="sha1">{digest}</archived-checksum>'
            f'<extracted-checksum style="sha1">{digest}</extracted-checksum></data></file>'
        )
        heap.append(data)
        at += len(data)
    table = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<xar><toc><creation-time>2020-01-01T00:00:00</creation-time>'
        f'<checksum style="sha1"><offset>0</offset><size>20</size></checksum>{"".join(entries)}</toc></xar>\n'
    ).encode()
    packed = zlib.compress(table, 9)
    header = _XAR_HEADER.pack(b"xar!", _XAR_HEADER.size, 1, len(packed), len(table), _SHA1)
    return header + packed + hashlib.sha1(packed, usedforsecurity=False).digest() + b"".join(heap)
