"""The workspace's Jinja templates, safe against mistakes and hostile values.

Templates can use only the values passed to them and each other: no Python attributes, no files outside the folder, no
endless loops, no unbounded output, time or memory; `sandbox` has the limits. A mistake is a `TemplateError` with the template's
file and line. Values are data: a `{{ … }}` inside a value is printed, not evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import Place, ProvisionError
from provision.files import read_bounded
from provision.hermes.rendering.renderer import CPU_LIMIT_S, Renderer, RendererDiedError

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "config.yaml.j2"
WELCOME = "WELCOME.md.j2"
SOURCE_LIMIT_BYTES = 256 << 10
_OVER_LIMIT = f"it needs more than {CPU_LIMIT_S} seconds of processor time, or crashes"
_MAX_FILES = 200
_LANGUAGE = re.compile(r"[a-z]{2}(-[a-z0-9]{2,8})?")


@dataclass(frozen=True, slots=True)
class WelcomeNotes:
    """What a workspace tells all its users: where IT is reached, and where the program is."""

    contact: str = ""
    program_source: str = ""


class TemplateError(ProvisionError):
    """A template cannot be read or rendered. `place` is its file and line."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The compiled templates of one workspace. `sources` serves to find the line of a mistake."""

    directory: str
    sources: dict[str, str]
    renderer: Renderer = field(repr=False)
    notes: WelcomeNotes = WelcomeNotes()

    @classmethod
    def load(cls, directory: Path, renderer: Renderer | None = None, notes: WelcomeNotes = WelcomeNotes()) -> Templates:
        """Load all `*.j2` files of a folder, and those of its languages (`de/WELCOME.md.j2`).

        Raises TemplateError if one of the two is missing or is not valid Jinja. `renderer` is one that was started ahead, to
        save the time.
        """
        sources = {}
        paths = [*sorted(directory.glob("*.j2")), *sorted(directory.glob(f"*/{WELCOME}"))]
        for path in paths[:_MAX_FILES]:
            name = path.relative_to(directory).as_posix()
            if "/" in name and not _LANGUAGE.fullmatch(path.parent.name):
                continue
            _refuse_link_out(path, directory)
            try:
                sources[name] = read_bounded(path, SOURCE_LIMIT_BYTES).decode()
            except UnicodeDecodeError as e:
                raise TemplateError("the template is not UTF-8 text", place=Place(str(path))) from e
        for name in (CONFIG, WELCOME):
            if name not in sources:
                hint = "run `provision init` in an empty folder and copy the template from there"
                raise TemplateError("the template is missing", place=Place(str(directory / name)), hint=hint)
        templates = cls(str(directory), sources, renderer or Renderer(), notes)
        try:
            reply = templates.renderer.load(sources)
        except RendererDiedError:
            raise TemplateError(f"cannot compile the templates: {_OVER_LIMIT}", place=Place(str(directory))) from None
        templates._refuse(reply)
        return templates

    def welcome(self, language: str | None) -> tuple[str, str]:
        """The page's template for a language, and the language that it is in: English if the folder is missing."""
        name = f"{language}/{WELCOME}"
        return (name, language) if language and name in self.sources else (WELCOME, "en")

    @property
    def languages(self) -> list[str]:
        """The languages that have a folder."""
        return sorted(name.partition("/")[0] for name in self.sources if "/" in name)

    def render(self, name: str, values: dict[str, Any]) -> str:
        """Render one template with these values. Raises TemplateError with file and line."""
        try:
            reply = self.renderer.render(name, values)
        except RendererDiedError:
            raise TemplateError(f"cannot render: {_OVER_LIMIT}", place=self.place(name)) from None
        self._refuse(reply)
        return str(reply["text"])

    def place(self, name: str, line: int = 0) -> Place:
        """Return the place of a template."""
        return Place(f"{self.directory}/{name}", line)

    def _refuse(self, reply: dict[str, Any]) -> None:
        if "mistake" in reply:
            raise TemplateError(str(reply["mistake"]), place=self.place(str(reply["template"]), int(reply["line"])))


def _refuse_link_out(path: Path, directory: Path) -> None:
    """Raise TemplateError for a link that git carried: what it leads to, such as a private key, would be in every page."""
    if not path.resolve().is_relative_to(directory.parent.resolve() / directory.name):
        raise TemplateError(
            "the template is a link out of its folder", place=Place(str(path)), hint="put the file itself there"
        )
