"""Run the workspace's Jinja templates in a sandbox, safe against mistakes and hostile values.

Templates can use only the values passed to them and each other: no Python attributes, no files outside the folder, no
endless loops, no unbounded output. A mistake is a `TemplateError` with the template's file and line. Values are data: a
`{{ … }}` inside a value is printed, not evaluated.
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
"""Limit of loop iterations and calls in one rendering. The templates that ship need a few dozen."""
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
    """A template cannot be read or rendered. `place` is its file and line."""


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
            raise OverflowError(f"more than {STEPS_LIMIT} loop iterations and calls")

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._step()
        return super().call(context, function, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or (operator != "+" and not numbers):
            raise jinja2.exceptions.SecurityError(
                f"`{operator}` is not allowed here" + ("" if numbers else ", except between numbers")
            )
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes):
            return attr in _TEXT_METHODS
        return super().is_safe_attribute(obj, attr, value)


@dataclass(frozen=True, slots=True)
class Templates:
    """The compiled templates of one workspace. `sources` serves to find the line of a mistake."""

    directory: str
    sources: dict[str, str]
    environment: _Sandbox
    compiled: dict[str, jinja2.Template]

    @classmethod
    def load(cls, directory: Path) -> Templates:
        """Load all `*.j2` files of a folder. Raises TemplateError if one of the two is missing or is not valid Jinja."""
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
                hint = "run `provision init` in an empty folder and copy the template from there"
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
        """Render one template with these values. Raises TemplateError with file and line."""
        self.environment.steps = 0
        try:
            text = self.compiled[name].render(values)
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as e:
            reason = f"no template {e} in this folder" if isinstance(e, jinja2.TemplateNotFound) else str(e)
            raise TemplateError(f"cannot render: {reason}", place=self._place_of_error(name, e)) from None
        except (RecursionError, MemoryError):
            raise TemplateError("cannot render: the template recurses without end", place=self.place(name)) from None
        if len(text) > OUTPUT_LIMIT_CHARS:
            raise TemplateError(f"the result is longer than {OUTPUT_LIMIT_CHARS} characters", place=self.place(name))
        return text

    def place(self, name: str, line: int = 0) -> Place:
        """Return the place of a template."""
        return Place(f"{self.directory}/{name}", line)

    def _place_of_error(self, name: str, error: Exception) -> Place:
        """Return the innermost template line of a traceback: Jinja rewrites its frames to template lines."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        named = getattr(error, "name", None)
        where = named if isinstance(error, jinja2.TemplateSyntaxError) and named in self.sources else name
        return self.place(where, (frames[-1].lineno or 0) if frames else getattr(error, "lineno", 0) or 0)
