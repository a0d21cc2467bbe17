"""Stand-ins for what says who and where: user and host names, folders, IP and mail addresses.

Equal values have one stand-in in a run. Names are replaced as whole words only. What is a stand-in already, and what says nothing
of a person or place (root, localhost, addresses of documentation), stays: a second run changes nothing. Keys are masked before.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RULE = "also-"
"""How the rule of a stand-in begins in reports; its kind follows."""
_SHORTEST_NAME = 3
_NAME = r"[A-Za-z_][\w.-]{0,63}"
_EMAIL = re.compile(
    r"(?<![\w.+@-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?!\w|-\w|\.\w|:[\w/~])"
)
_IP4 = re.compile(r"(?<![\w.])(?<![A-Za-z]-)(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d|-\d*[A-Za-z])")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4})?(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_HOME = re.compile(rf"(?:/home/|/Users/|(?<=[A-Za-z]:)\\{{1,2}}Users\\{{1,2}})(?P<user>{_NAME})")
_PROMPT = re.compile(
    rf"(?<![\w.@/+-])(?P<user>{_NAME})@(?P<host>[\w.-]{{1,64}})(?::(?P<cwd>[~/][\w./~+-]*)|(?=[ \]]))", re.MULTILINE
)
_GENERIC = frozenset({
    "admin", "administrator", "build", "builder", "debian", "default", "docker", "ec2-user", "git", "guest", "home", "linuxbrew",
    "localhost", "localhost.localdomain", "local", "me", "node", "pi", "public", "root", "runner", "shared", "test",
    "tmp", "ubuntu", "user", "users", "vagrant", "work", "www", "www-data",
})  # fmt: skip
"""Names that say nothing of a person or a machine, and are words of many texts."""
_GENERIC_FOLDERS = frozenset({"~", "/root", "/tmp", "/home", "/Users", "/opt", "/srv", "/var", "/usr", "/etc"})  # noqa: S108
_STAND_IN = re.compile(r"(?:user|host|u|h)\d+|/(?:folder|f)\d+|m\d+")
_EXAMPLES = re.compile(r"(?i).*[@.](?:example(?:\.(?:com|org|net))?|test|invalid|localhost)")
_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)
_ADDRESSES_4 = 254


class Kind(StrEnum):
    """What is replaced. Of overlapping values the kind that comes first here wins."""

    EMAIL = "email"
    CWD = "cwd"
    IP = "ip"
    HOST = "host"
    USER = "user"


_PRIORITY = {kind: at for at, kind in enumerate(Kind)}


class Found(NamedTuple):
    """A value and its half-open range."""

    start: int
    end: int
    kind: Kind
    value: str


class StandIns:
    """The stand-ins of one run. `names` has the kinds to replace; values of user, host and cwd are searched for by themselves."""

    def __init__(self, names: Mapping[Kind, Iterable[str]]) -> None:
        self.kinds = frozenset(names)
        values = {kind: frozenset(found) for kind, found in names.items()}
        both = {each.replace("\\", "\\\\") for each in values.get(Kind.CWD, ())}
        self._names = [
            (kind, _whole_words(kind, found))
            for kind, found in ({**values, Kind.CWD: values.get(Kind.CWD, frozenset()) | both}).items()
            if found
        ]
        self.spaced = sorted(each for found in values.values() for each in found if re.search(r"[^\w.@:/\\~+%-]", each))
        """The values that consist of several words."""
        self._numbers: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}

    def find(self, text: str, start: int = 0) -> list[Found]:
        """Return the values in a text from an offset on, in order and without overlaps."""
        kept: list[Found] = []
        for found in sorted(self._all(text, start), key=lambda each: (each.start, _PRIORITY[each.kind])):
            if not kept or found.start >= kept[-1].end:
                kept.append(found)
            elif _PRIORITY[found.kind] < _PRIORITY[kept[-1].kind]:
                kept[-1] = found
        return kept

    def _all(self, text: str, start: int) -> Iterator[Found]:
        for kind, pattern in self._names:
            for named in pattern.finditer(text, start):
                yield Found(*named.span(), kind, named[0])
        if "@" in text:
            yield from self._shown_by(place for place in _PROMPT.finditer(text, start) if _is_prompt(text, place))
            mails = _EMAIL.finditer(text, start) if Kind.EMAIL in self.kinds else ()
            yield from (Found(*mail.span(), Kind.EMAIL, mail[0]) for mail in mails if _is_mail(mail[0]))
        if "/home/" in text or "Users" in text:
            yield from self._shown_by(_HOME.finditer(text, start))
        if Kind.IP in self.kinds:
            addresses = chain(_IP4.finditer(text, start), _IP6.finditer(text, start))
            yield from (Found(*each.span(), Kind.IP, each[0]) for each in addresses if _is_address(each[0]))

    def _shown_by(self, places: Iterable[re.Match[str]]) -> Iterator[Found]:
        for place in places:
            for name, value in place.groupdict().items():
                if value and (kind := Kind(name)) in self.kinds and _is_telling(kind, value):
                    yield Found(*place.span(name), kind, value)

    def stand_in(self, found: Found) -> str:
        """Return the stand-in of a value."""
        return _written(found.kind, found.value, self._number(found), 0)

    def fit(self, found: Found, width: int) -> str:
        """Return the stand-in with exactly `width` characters, for terminals: with more digits, or short; stars if none fits."""
        number = self._number(found)
        full = _written(found.kind, found.value, number, width)
        if len(full) == width:
            return full
        short = {Kind.USER: "u", Kind.HOST: "h", Kind.CWD: "/f", Kind.EMAIL: "m"}.get(found.kind)
        digits = f"{number:0{max(width - len(short), 0)}d}" if short else ""
        return short + digits if short and len(short + digits) == width else "*" * width

    def _number(self, found: Found) -> int:
        numbers = self._numbers[found.kind]
        value = found.value.replace("\\\\", "\\")
        value = value if found.kind in {Kind.USER, Kind.CWD} else value.lower()
        return numbers.setdefault(value, len(numbers) + 1)


def _written(kind: Kind, value: str, number: int, width: int) -> str:
    match kind:
        case Kind.USER | Kind.HOST:
            return f"{kind}{number:0{max(width - 4, 0)}d}"
        case Kind.CWD:
            return f"/folder{number:0{max(width - 7, 0)}d}"
        case Kind.EMAIL:
            return f"mail{number:0{max(width - 16, 0)}d}@example.com"
        case Kind.IP if ":" in value or number > len(_DOCUMENTATION[:3]) * _ADDRESSES_4:
            return f"2001:db8::{number:0{max(width - 10, 0)}x}"
        case Kind.IP:
            block, last = divmod(number - 1, _ADDRESSES_4)
            begin = str(_DOCUMENTATION[block].network_address).removesuffix("0")
            return f"{begin}{last + 1:0{max(width - len(begin), 0)}d}"


def _whole_words(kind: Kind, values: Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(each) for each in sorted(values, key=lambda each: (-len(each), each)))
    before = r"(?<![\w.-])" if kind is Kind.HOST else r"(?<![\w-])"
    return re.compile(f"{before}(?:{longest_first})(?![\\w-])", re.IGNORECASE if kind is Kind.HOST else re.NOFLAG)


def is_searched(kind: Kind, value: str) -> bool:
    """Whether a value of this machine is searched for; a short one is replaced only where a prompt or a home folder shows it."""
    return _is_telling(kind, value) and len(value) >= _SHORTEST_NAME


def _is_telling(kind: Kind, value: str) -> bool:
    """Whether a value says anything of a person or a machine."""
    if _STAND_IN.fullmatch(value):
        return False
    if kind is Kind.CWD:
        return value.rstrip("/") not in _GENERIC_FOLDERS and len(value.strip("/")) > 1
    return value.lower() not in _GENERIC and not value.isdigit()


def _is_prompt(text: str, place: re.Match[str]) -> bool:
    """Whether `name@host` is that of a prompt: before a path, behind `[`, or at the beginning of a line."""
    before = text[place.start() - 1 : place.start()]
    return place["cwd"] is not None or before in {"", "\n", "\r", "["}


def _is_mail(value: str) -> bool:
    return not value.lower().startswith("git@") and not _EXAMPLES.fullmatch(value)


def _is_address(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast or value.startswith("255."):
        return False
    if address.version == 6 and not any(map(str.isdigit, value)):
        return False  # `ace::bad` of a program
    return not any(address in network for network in _DOCUMENTATION)
