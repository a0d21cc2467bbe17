"""Build the configuration that Hermes ends up with: the home's `config.yaml`, normalized and expanded, under the managed one.

Models `config._load_config_impl`: old spellings move into `model`, `${VAR}` is expanded from the environment (an unset
variable stays as text), and the managed scope is merged over the result, leaf by leaf. Hermes' defaults are left out:
none of them affects the route.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.config.draft import dotted_path
from provision.hermes.config.read_yaml import Document, read_yaml
from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from provision.hermes.facts.release import HermesFacts
    from provision.hermes.home import HomeFiles
    from provision.hermes.routing.environment import Environment

_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_NO_DOCUMENT = Document()
MAX_EXPANDED_CHARS = 1 << 24


@dataclass(frozen=True, slots=True)
class Layers:
    """The effective configuration, and the two files that it comes from."""

    config: dict[Any, Any] = field(repr=False)
    user: Document
    managed: Document
    user_path: str
    managed_path: str = ""

    def where(self, *path: str | int) -> str:
        """Return `FILE dotted.path` of a setting, with the managed file if that one sets it."""
        return f"{self.managed_path if self.is_managed(*path) else self.user_path} {dotted_path(path)}"

    def as_written(self) -> dict[Any, Any]:
        """Return both files without `${VAR}` expanded, as the messaging gateway reads the settings of its platforms."""
        user = {} if self.user.malformed or self.user.beyond else self.user.mapping
        return _merged(user, {} if self.managed.beyond else self.managed.mapping)

    def is_reference(self, *path: str | int) -> bool:
        """Return whether the file itself has nothing but a reference to a variable here (`${NAME}`)."""
        node: Any = (self.managed if self.is_managed(*path) else self.user).value
        for step in path:
            within = (isinstance(node, list) and isinstance(step, int) and step < len(node)) or (
                isinstance(node, dict) and step in node
            )
            node = node[step] if within else None
        return isinstance(node, str) and _REFERENCE.fullmatch(node.strip()) is not None

    def is_managed(self, *path: str | int) -> bool:
        """Return whether the managed file sets this path, or a list that contains it."""
        node: Any = self.managed.value
        for step in path:
            if isinstance(node, list):
                return True
            if not isinstance(node, dict) or step not in node:
                return False
            node = node[step]
        return node is not None and bool(self.managed_path)


def load_layers(home: HomeFiles, environment: Environment, managed: HomeFiles | None) -> Layers:
    """Merge both files as Hermes does. As in Hermes, a file that cannot be read counts as empty."""
    user = read_yaml(home.config) if home.config is not None else _NO_DOCUMENT
    over = read_yaml(managed.config) if managed is not None and managed.config is not None else _NO_DOCUMENT
    config: dict[Any, Any] = {"model": "", facts.PROVIDERS: {}, facts.FALLBACK_PROVIDERS: []}
    if not (user.malformed or user.beyond):
        config = _merged(config, user.mapping)
    expand = _Expander(environment)
    config = expand(_normalised(config, environment.hermes))
    if not over.beyond and over.mapping:
        config = _merged(config, _promoted(expand(over.mapping), environment.hermes))
    if expand.exhausted:
        user = Document(user.value, user.malformed, "its ${…} references expand to too much text")
    return Layers(
        config, user, over, home.where(facts.CONFIG_NAME), managed.where(facts.CONFIG_NAME) if managed else ""
    )


def unresolved(value: object) -> tuple[str, ...]:
    """Return the names of `${VAR}` references that remain in a value after expansion."""
    return tuple(_REFERENCE.findall(value)) if isinstance(value, str) else ()


def _merged(base: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    result = dict(base)
    for key, value in over.items():
        current = result.get(key)
        if isinstance(current, dict) and isinstance(value, dict):
            result[key] = _merged(current, value)
        elif not (isinstance(current, dict) and value is None):
            result[key] = value
    return result


class _Expander:
    """Expands `${VAR}` in all values, up to a limit of text."""

    def __init__(self, environment: Environment) -> None:
        self._values = environment.values
        self._left = MAX_EXPANDED_CHARS

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            return _REFERENCE.sub(self._one, value) if "${" in value else value
        if isinstance(value, dict):
            return {k: self(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self(v) for v in value]
        return value

    def _one(self, match: re.Match[str]) -> str:
        found = self._values.get(match[1], match[0])
        self._left -= len(found)
        return found if self._left >= 0 else match[0]

    @property
    def exhausted(self) -> bool:
        """Return whether the limit was reached."""
        return self._left < 0


def _promoted(managed: dict[Any, Any], hermes: HermesFacts) -> dict[Any, Any]:
    """Make a managed `model` that is text a mapping, where Hermes does so (`managed_scope.apply_managed_overlay`)."""
    model = managed.get("model")
    if not hermes.managed_model_text or not isinstance(model, str):
        return managed
    return {**managed, "model": {"default": model}}


def _normalised(config: dict[Any, Any], hermes: HermesFacts) -> dict[Any, Any]:
    """Fill in what `model` does not set from root-level and old spellings (`config._normalize_root_model_keys`)."""
    model = config.get("model")
    bases, names = ((facts.API_BASE,), ("model", "name")) if hermes.old_model_spellings else ((), ())
    aliased = isinstance(model, dict) and any(model.get(k) for k in (*bases, *names))
    if not aliased and not any(config.get(k) for k in ("provider", facts.BASE_URL, facts.CONTEXT_LENGTH, *bases)):
        return config
    config = dict(config)
    model = dict(model) if isinstance(model, dict) else ({"default": model} if model else {})
    for key in ("provider", facts.BASE_URL, facts.CONTEXT_LENGTH):
        at_root = config.pop(key, None)
        if at_root and not model.get(key):
            model[key] = at_root
    for alias in (holder.pop(base, None) for base in bases for holder in (config, model)):
        if alias and not model.get(facts.BASE_URL):
            model[facts.BASE_URL] = alias
    if not model.get("default") and (name := next(filter(None, map(model.get, names)), None)):
        model["default"] = name
    if model.get("default"):
        for name in names:
            model.pop(name, None)
    config["model"] = model
    return config
