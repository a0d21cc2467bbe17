"""Classify a host: the gateway, this machine, a look-alike of the gateway, or another host.

Keys go only to the configured hosts, so this is an exact comparison. The rest of the module guesses which host was meant, for
the message.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.fleet.nearest import edit_distance

if TYPE_CHECKING:
    from collections.abc import Sequence


class HostKind(StrEnum):
    GATEWAY = "gateway"
    LOOPBACK = "loopback"
    PORT = "port"
    LOOK_ALIKE = "look-alike"
    SIBLING = "sibling"
    FOREIGN = "foreign"


# letters of other scripts, digits and pairs that look like Latin letters in most fonts
_CONFUSABLE = {
    ord(seen): read
    for read, letters in {
        "a": "\u0430\u03b1\u0251", "b": "\u0184", "c": "\u0441\u03f2", "d": "\u0501", "e": "\u0435\u0454", "g": "\u0261",
        "h": "\u04bb", "i": "\u0456\u0131\u03b9\u0269", "j": "\u0458", "k": "\u043a\u03ba", "l": "\u04cf\u2113\u01c0",
        "n": "\u0578\u03b7", "o": "\u043e\u03bf\u0585", "p": "\u0440\u03c1", "r": "\u0433", "s": "\u0455", "t": "\u0442\u03c4",
        "u": "\u057d\u03c5", "v": "\u03bd\u0475", "w": "\u0461\u03c9", "x": "\u0445\u03c7", "y": "\u0443\u04af",
    }.items()
    for seen in letters
} | {ord(digit): letter for digit, letter in zip("01|", "oll", strict=True)}  # fmt: skip
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def host_kind(host: str, port: int | None, hosts: Sequence[str]) -> HostKind:
    """Classify a lower-case host and an explicit non-default port against the gateway's `host` or `host:port` names."""
    if is_loopback(host):
        return HostKind.LOOPBACK
    named = {_split(h) for h in hosts}
    if (host, port) in named:
        return HostKind.GATEWAY
    if any(host == name for name, _ in named):
        return HostKind.PORT
    if any(_alike(host, name) for name, _ in named):
        return HostKind.LOOK_ALIKE
    if any(host == parent or host.endswith("." + parent) for parent in (_parent(name) for name, _ in named)):
        return HostKind.SIBLING
    return HostKind.FOREIGN


def intended_host(host: str, hosts: Sequence[str]) -> str | None:
    """The gateway host (with its port, if any) that was probably meant by `host`, or None."""
    for entry in hosts:
        name, _ = _split(entry)
        parent = _parent(name)
        if host in {name, parent} or host.endswith("." + parent) or _alike(host, name):
            return entry.lower()
    return None


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost`, in 127.0.0.0/8 in full dotted form, or `::1`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.lower().rpartition(":")
    if not colon or "]" in port or not port.isdigit():
        return entry.lower().strip("[]"), None
    return host.strip("[]"), int(port)


def _parent(name: str) -> str:
    """The parent domain of a host with three or more labels, else the host itself."""
    labels = name.split(".")
    return ".".join(labels[1:]) if len(labels) > 2 and not name[-1].isdigit() else name


def _alike(host: str, name: str) -> bool:
    if not host.isascii() or any(label.startswith("xn--") for label in host.split(".")):
        return (
            _skeleton(_unpuny(host)) == _skeleton(name) or edit_distance(_skeleton(_unpuny(host)), _skeleton(name)) <= 2
        )
    inside = host.startswith((name + ".", name + "-")) or host.endswith("-" + name) or f".{name}." in f".{host}."
    dotless = host.replace(".", "").replace("-", "") == name.replace(".", "").replace("-", "")
    near = len(name) > 5 and edit_distance(host, name) <= 2
    owner = _parent(name).split(".")[0]
    elsewhere = (
        len(owner) > 3 and owner in host.split(".") and not host.endswith("." + _parent(name)) and host != _parent(name)
    )
    return inside or dotless or near or _skeleton(host) == _skeleton(name) or elsewhere


def _unpuny(host: str) -> str:
    labels = []
    for label in host.split("."):
        try:
            labels.append(label[4:].encode().decode("punycode") if label.startswith("xn--") else label)
        except (UnicodeError, ValueError):
            labels.append(label)
    return ".".join(labels)


def _skeleton(host: str) -> str:
    text = unicodedata.normalize("NFKD", host).replace("\u3002", ".").replace("\uff61", ".").lower()
    text = "".join(c for c in text if not unicodedata.combining(c)).translate(_CONFUSABLE)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text.replace("i", "l").rstrip(".")
