"""The process in which templates run: Jinja in a sandbox, under limits of CPU time and memory.

`renderer` starts it (`python -c`), with an empty environment. It reads requests (pickled by its parent) from standard input and
answers with JSON. Each message is preceded by its length in 4 bytes. The parent sees a process that dies, and says why.
"""

from __future__ import annotations

import json
import pickle
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.exceptions
import jinja2.sandbox
from jinja2 import nodes

from provision.hermes.config.yaml11 import dump_block, dump_flow
from provision.hermes.rendering.renderer import CPU_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OUTPUT_LIMIT_CHARS = 1 << 20
STEPS_LIMIT = 20_000
"""Limit of loop iterations and calls in one rendering. The templates that ship need a few dozen."""
MEMORY_LIMIT_BYTES = 512 << 20
"""Limit of the process's address space, of which the interpreter and Jinja need about 60 MB. Not enforced by macOS and
Windows."""
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
Reply = dict[str, Any]


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


class CompiledTemplates:
    """The compiled templates of one workspace. Results and mistakes are replies for the parent."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources
        self._environment = _Sandbox(sources)
        self._compiled: dict[str, jinja2.Template] = {}

    def compile(self) -> Reply:
        """Compile all templates. The reply is a `mistake`, or empty."""
        for name in self._sources:
            try:
                self._compiled[name] = self._environment.get_template(name)
            except jinja2.TemplateSyntaxError as e:
                return _mistake(f"not valid Jinja: {e.message}", e.name or name, e.lineno)
            except jinja2.TemplateError as e:
                return _mistake(f"not valid Jinja: {e}", name)
            except (RecursionError, MemoryError):
                return _mistake("not valid Jinja: too deep or too large", name)
        return {}

    def render(self, name: str, values: dict[str, Any]) -> Reply:
        """Render one template. The reply is a `text` or a `mistake`."""
        self._environment.steps = 0
        parts, size = [], 0
        try:
            for part in self._compiled[name].generate(values):
                size += len(part)
                if size > OUTPUT_LIMIT_CHARS:
                    return _mistake(f"the result is longer than {OUTPUT_LIMIT_CHARS} characters", name)
                parts.append(part)
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as e:
            reason = f"no template {e} in this folder" if isinstance(e, jinja2.TemplateNotFound) else str(e)
            return _mistake(f"cannot render: {reason[:2000]}", *self._place(name, e))
        except RecursionError:
            return _mistake("cannot render: the template recurses without end", name)
        except MemoryError:
            return _mistake(f"cannot render: it needs more than {MEMORY_LIMIT_BYTES >> 20} MB of memory", name)
        return {"text": "".join(parts)}

    def _place(self, name: str, error: Exception) -> tuple[str, int]:
        """Return the innermost template line of a traceback: Jinja rewrites its frames to template lines."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "<template>"]
        named = getattr(error, "name", None)
        where = named if isinstance(error, jinja2.TemplateSyntaxError) and named in self._sources else name
        return where, (frames[-1].lineno or 0) if frames else getattr(error, "lineno", 0) or 0


def _mistake(message: str, template: str, line: int = 0) -> Reply:
    return {"mistake": message, "template": template, "line": line}


def main() -> None:
    """Answer requests until standard input ends: first the sources, then pairs of a template's name and values."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and closes the pipe
    _limit_process()
    request, out = sys.stdin.buffer, sys.stdout.buffer
    compiled: CompiledTemplates | None = None
    while head := request.read(4):
        asked = pickle.loads(request.read(int.from_bytes(head, "big")))  # noqa: S301  from the parent
        _limit_time()
        if compiled is None:
            compiled = CompiledTemplates(asked)
            reply = compiled.compile()
        else:
            reply = compiled.render(*asked)
        data = json.dumps(reply).encode()
        out.write(len(data).to_bytes(4, "big") + data)
        out.flush()


def _limit_process() -> None:
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return
    for limit, most in (("RLIMIT_AS", MEMORY_LIMIT_BYTES), ("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0)):
        try:
            resource.setrlimit(getattr(resource, limit), (most, most))
        except (AttributeError, OSError, ValueError):
            continue  # this system has no such limit


def _limit_time() -> None:
    """Let the system end this process, also within one long operation, when the next request takes too long."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
