"""Read further rules from files in gitleaks' TOML format.

Features that have no equivalent here cause a warning: rules for paths only, allow lists for paths, commits or whole lines, and
`[extend]`. Unknown keys are accepted, because the format is not ours.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from provision.detect.engines.patterns import InvalidPatternError, compiled
from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Rule
from provision.errors import InvalidFilesError, Place, Problem, Severity
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

LARGEST_FILE = 4 << 20
_REACH = 2048
"""In gitleaks a keyword may be anywhere in the file; here it must be within this many bytes."""
_AT_LINE = lazy_regex(r"\(at line (\d+), column (\d+)\)")
_ID = lazy_regex(r"[^0-9a-z]+")
_SEVERITIES = {each.value: each for each in FindingSeverity}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Accept a value unless an allow list matches it. Patterns are RE2, stop words are lower case."""

    patterns: tuple[str, ...]
    stop_words: tuple[bytes, ...]

    def __call__(self, value: bytes) -> bool:
        lowered = value.lower()
        if any(word in lowered for word in self.stop_words):
            return False
        return not any(_compiled(pattern).search(value) for pattern in self.patterns)


class InvalidRulesError(InvalidFilesError):
    """A rules file has errors; all of them are in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        errors = sum(problem.severity is Severity.ERROR for problem in self.problems)
        self.message = f"{errors} error{'s' if errors != 1 else ''} in the rules; nothing was scanned"


def load_rules(path: Path, warn: Callable[[Problem], None] = lambda _: None) -> tuple[Rule, ...]:
    """Read the rules of a file and pass a warning to `warn` for each feature that is not supported.

    Raises InvalidRulesError with all errors and their lines.
    """
    rules, problems = read_rules(_bytes(path), str(path))
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidRulesError(problems)
    for problem in problems:
        warn(problem)
    return rules


def read_rules(text: bytes, file: str) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    """Return the usable rules of a file's text and its problems: errors, and warnings for unsupported features."""
    try:
        source = text.decode("utf-8-sig")
        form = tomllib.loads(source)
    except UnicodeDecodeError:
        return (), (Problem("rules-encoding", "the file is not UTF-8", Place(file)),)
    except tomllib.TOMLDecodeError as error:
        where = _AT_LINE.search(str(error))
        place = Place(file, int(where[1]), int(where[2])) if where else Place(file)
        message = _AT_LINE.sub("", str(error)).strip().lower()
        return (), (Problem("rules-toml", f"not valid TOML: {message}", place),)
    return _Reader(source, file).rules(form)


class _Reader:
    def __init__(self, source: str, file: str) -> None:
        self._lines = source.splitlines()
        self._headers = [n for n, line in enumerate(self._lines) if line.strip().replace(" ", "") == "[[rules]]"]
        self._file = file
        self._problems: list[Problem] = []

    def rules(self, form: dict[str, Any]) -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
        shared = self._allowed(form, None)
        given = form.get("rules", [])
        if "extend" in form:
            self._warn(
                "rules-extend", "[extend] is ignored: the built-in rules always apply", self._line_of("[extend]")
            )
        if not isinstance(given, list) or not given:
            self._error("rules-none", "no [[rules]] in this file", 0, "write the rules in the format of .gitleaks.toml")
            given = []
        made: dict[str, Rule] = {}
        for index, entry in enumerate(given):
            rule = self._rule(index, entry, shared) if isinstance(entry, dict) else None
            if rule and rule.id in made:
                self._error("rules-duplicate", f"two rules have the id {rule.id}", self._line(index, "id"))
            elif rule:
                made[rule.id] = rule
        return tuple(made.values()), tuple(self._problems)

    def _rule(self, index: int, entry: dict[str, Any], shared: Allowed) -> Rule | None:
        name, pattern = entry.get("id"), entry.get("regex")
        if not isinstance(name, str) or not _ID.sub("", name.lower()):
            self._error("rules-id", "a rule has no id", self._line(index, ""), 'write id = "name-of-the-rule"')
            return None
        if pattern is None and entry.get("path"):
            self._warn("rules-path", f"rule {name} checks paths only and is skipped", self._line(index, "path"))
            return None
        if not isinstance(pattern, str) or not pattern:
            self._error("rules-regex", f"rule {name} has no regex", self._line(index, ""))
            return None
        pattern = self._pattern(index, name, pattern, entry.get("secretGroup", 0))
        if pattern is None:
            return None
        if entry.get("path"):
            self._warn(
                "rules-path", f"rule {name} applies to every file, not only to its path", self._line(index, "path")
            )
        own = self._allowed(entry, index)
        allowed = Allowed(shared.patterns + own.patterns, shared.stop_words + own.stop_words)
        entropy = entry.get("entropy")
        return Rule(
            id="x-" + _ID.sub("-", name.lower()).strip("-"),
            description=str(entry.get("description") or name).strip().rstrip("."),
            severity=_SEVERITIES.get(str(entry.get("severity", "")).lower(), FindingSeverity.HIGH),
            confidence=Confidence.MEDIUM,
            keywords=tuple(sorted({word.lower() for word in _texts(entry.get("keywords")) if word})),
            pattern=pattern,
            entropy=float(entropy) if isinstance(entropy, int | float) and entropy else None,
            accept=allowed if allowed.patterns or allowed.stop_words else None,
            reach=_REACH,
        )

    def _pattern(self, index: int, name: str, pattern: str, group: object) -> str | None:
        line = self._line(index, "regex")
        try:
            groups = _compiled(pattern).groups
        except InvalidPatternError as error:
            self._error("rules-regex", f"rule {name}: {str(error) or 'the regex is invalid'}", line, "use RE2 syntax")
            return None
        if not isinstance(group, int) or not 0 <= group <= groups:
            self._error("rules-group", f"rule {name}: the regex has no group {group}", self._line(index, "secretGroup"))
            return None
        return _with_secret(pattern, group) if group else pattern

    def _allowed(self, form: dict[str, Any], index: int | None) -> Allowed:
        patterns: list[str] = []
        words: list[bytes] = []
        for allow in (form.get("allowlist"), *(form.get("allowlists") or ())):
            if not isinstance(allow, dict):
                continue
            line = self._line(index, "") if index is not None else self._line_of("[allowlist]", "[[allowlists]]")
            left = sorted(key for key in ("paths", "commits", "targetRules") if allow.get(key))
            if allow.get("regexTarget", "secret") not in {"secret", ""} and allow.get("regexes"):
                left.append(f"regexTarget {allow['regexTarget']}")
            elif str(allow.get("condition", "OR")).upper() in {"AND", "&&"} and left:
                left.append("condition AND")
            else:
                patterns += self._valid(_texts(allow.get("regexes")), line)
                words += [word.lower().encode() for word in _texts(allow.get("stopwords")) if word]
            if left:
                self._warn("rules-allow", f"this allow list's {', '.join(left)} is not supported and is ignored", line)
        return Allowed(tuple(patterns), tuple(words))

    def _valid(self, patterns: Iterator[str], line: int) -> Iterator[str]:
        for pattern in patterns:
            try:
                _compiled(pattern)
            except InvalidPatternError:
                self._error("rules-regex", "an allow list has an invalid regex", line)
            else:
                yield pattern

    def _line(self, index: int, key: str) -> int:
        """Return the line of a key in the rule with this index, else of the rule's header; 0 if rules are written inline."""
        if index >= len(self._headers):
            return 0
        first = self._headers[index]
        last = self._headers[index + 1] if index + 1 < len(self._headers) else len(self._lines)
        for number in range(first + 1, last):
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", self._lines[number]):
                return number + 1
        return first + 1

    def _line_of(self, *headers: str) -> int:
        return next((n for n, line in enumerate(self._lines, 1) if line.strip() in headers), 0)

    def _error(self, rule: str, message: str, line: int, hint: str = "") -> None:
        self._problems.append(Problem(rule, message, Place(self._file, line), hint))

    def _warn(self, rule: str, message: str, line: int) -> None:
        self._problems.append(Problem(rule, message, Place(self._file, line), severity=Severity.WARNING))


def _bytes(path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise InvalidRulesError([Problem("rules-file", f"cannot be read: {reason}", Place(str(path)))]) from None
    if len(text) > LARGEST_FILE:
        raise InvalidRulesError([Problem("rules-file", "larger than 4 MiB: not a rules file", Place(str(path)))])
    return text


def _texts(given: object) -> Iterator[str]:
    return (each for each in given if isinstance(each, str)) if isinstance(given, list) else iter(())


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    return compiled(pattern.encode())


def _with_secret(pattern: str, group: int) -> str:
    """Return the pattern with its nth group named `secret`."""
    count, at, inside = 0, 0, False
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
            continue
        if inside:
            inside = pattern[at] != "]"
        elif pattern[at] == "[":
            inside = True
            at += 1 + pattern.startswith(("]", "^]"), at + 1) + pattern.startswith("^]", at + 1)
            continue
        elif pattern[at] == "(" and (named := re.match(r"\((?!\?)|\(\?P?<[^>]+>", pattern[at:])):
            count += 1
            if count == group:
                return f"{pattern[:at]}(?P<secret>{pattern[at + named.end() :]}"
        at += 1
    return pattern
