"""The workspace's Jinja templates, in a sandbox that neither a slip nor a hostile value can turn against the operator.

Templates reach nothing but the values they are given and each other: no attribute of Python's, no file outside the
folder, no endless loop, no text that grows without bound. A mistake is a `TemplateError` with the template's file and
line. Values are data: a `{{ … }}` inside a value is printed, never run.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.exceptions
import jinja2.sandbox
from jinja2 import nodes

from provision.errors import Place, ProvisionError
from provision.files import read_bounded
from provision.hermes.config.yaml11 import dump_block, dump_flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CONFIG = "config.yaml.j2"
WELCOME = "WELCOME.md.j2"
SOURCE_LIMIT_BYTES = 256 << 10
OUTPUT_LIMIT_CHARS = 1 << 20
STEPS_LIMIT = 20_000
"""Loop turns and calls of one rendering; the templates that ship need a few dozen."""
_FILTERS = "default d first int items join last length list lower reject rejectattr select selectattr sort string"
_ALLOWED_FILTERS = frozenset([*_FILTERS.split(), "title", "trim", "unique", "upper", "map", "dictsort", "capitalize"])
_TEXT_METHODS = frozenset(
    {
        "startswith",
        "endswith",
        "lower",
        "upper",
        "strip",
        "split",
        "removeprefix",
        "removesuffix",
        "title",
        "capitalize",
    }
)


class TemplateError(ProvisionError):
    """A template cannot be read, or does not render; `place` is its file and line."""


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, sources: dict[str, str]) -> None:
        super().__init__(
            loader=jinja2.DictLoader(sources),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # YAML and Markdown, not HTML; YAML scalars go through to_yaml
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.steps = 0
        self.filters = {name: self.filters[name] for name in _ALLOWED_FILTERS}
        self.filters |= {"to_yaml": dump_flow, "to_yaml_block": dump_block}
        self.globals = {"_counted": self._counted, "range": jinja2.sandbox.safe_range, "dict": dict}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            if loop.recursive:
                raise jinja2.TemplateSyntaxError("recursive loops are not allowed here", loop.lineno, name, filename)
            counted = nodes.Name("_counted", "load", lineno=loop.lineno)
            loop.iter = nodes.Call(counted, [loop.iter], [], None, None, lineno=loop.lineno)
            loop.iter.set_environment(self)
        return tree

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS_LIMIT:
            raise OverflowError(f"more than {STEPS_LIMIT} loop turns and calls")

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._step()
        return super().call(context, function, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or (operator != "+" and not numbers):
            raise jinja2.exceptions.SecurityError(
                f"`{operator}` is not allowed here" + ("" if numbers else " but between numbers")
            )
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes):
            return attr in _TEXT_METHODS
        return super().is_safe_attribute(obj, attr, value)


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one workspace, compiled once. `sources` is kept to find the line of a mistake."""

    directory: str
    sources: dict[str, str]
    environment: _Sandbox
    compiled: dict[str, jinja2.Template]

    @classmethod
    def load(cls, directory: Path) -> Templates:
        """All `*.j2` files of a folder. Raises TemplateError when one of the two is missing or is not valid Jinja."""
        sources = {}
        for path in sorted(directory.glob("*.j2")):
            try:
                sources[path.name] = read_bounded(path, SOURCE_LIMIT_BYTES).decode()
            except UnicodeDecodeError as e:
                raise TemplateError("the template is not UTF-8 text", place=Place(str(path))) from e
        environment = _Sandbox(sources)
        compiled = {}
        for name in (CONFIG, WELCOME):
            if name not in sources:
                hint = "`provision init` in an empty folder makes one to copy"
                raise TemplateError("the template is missing", place=Place(str(directory / name)), hint=hint)
        for name in sources:
            try:
                compiled[name] = environment.get_template(name)
            except jinja2.TemplateSyntaxError as e:
                place = Place(str(directory / (e.name or name)), e.lineno)
                raise TemplateError(f"not valid Jinja: {e.message}", place=place) from None
            except jinja2.TemplateError as e:
                raise TemplateError(f"not valid Jinja: {e}", place=Place(str(directory / name))) from None
        return cls(str(directory), sources, environment, compiled)

    def render(self, name: str, values: dict[str, Any]) -> str:
        """One template with these values. Raises TemplateError with file and line; about ten microseconds."""
        self.environment.steps = 0
        try:
            text = self.compiled[name].render(values)
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as e:
            said = f"there is no template {e} in this folder" if isinstance(e, jinja2.TemplateNotFound) else str(e)
            raise TemplateError(f"does not render: {said}", place=self._blame(name, e)) from None
        except (RecursionError, MemoryError):
            raise TemplateError("does not render: it never ends", place=self.place(name)) from None
        if len(text) > OUTPUT_LIMIT_CHARS:
            raise TemplateError(f"its text is longer than {OUTPUT_LIMIT_CHARS} characters", place=self.place(name))
        return text

    def place(self, name: str, line: int = 0) -> Place:
        """Where a template stands."""
        return Place(f"{self.directory}/{name}", line)

    def _blame(self, name: str, error: Exception) -> Place:
        """The innermost template line of a traceback: Jinja rewrites its frames to the template's own lines."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        named = getattr(error, "name", None)
        where = named if isinstance(error, jinja2.TemplateSyntaxError) and named in self.sources else name
        return self.place(where, (frames[-1].lineno or 0) if frames else getattr(error, "lineno", 0) or 0)
