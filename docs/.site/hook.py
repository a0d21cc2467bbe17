"""Pages of the site that come from elsewhere: the tutorial from the README, the reference from the code, the changelog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

from provision import SITE
from provision.cli.reference.text import markdown
from provision.cli.reference.tree import all_commands
from provision.fleet.settings import Settings
from provision.report.sarif import rule_advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[2]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The site's address is in one place, `provision.SITE`."""
    config.site_url = SITE or None
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "index.md": _readme(),
        "reference/changelog.md": _relinked((ROOT / "CHANGELOG.md").read_text("utf-8"), "../"),
        "reference/commands.md": "# Commands\n\n" + markdown(command for command in all_commands() if command.words),
        "reference/settings.md": "".join(_settings()),
    }
    pages |= {f"rules/{rule}.md": text for rule, text in _rules()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Links that leave the folder of the pages become plain text: the site stands alone."""
    up = "../" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(up)}[^)]*\)", r"\1", text)


def _readme() -> str:
    return _relinked((ROOT / "README.md").read_text("utf-8"), "")


def _relinked(text: str, up: str) -> str:
    """Links to docs/ lead to the pages of the site, links to other files become plain text."""
    text = re.sub(r"\]\(docs/", f"]({up}", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)(?:[A-Z]+\.md|[^)]*/\.[^)]*)\)", r"\1", text)


def _rules() -> Iterator[tuple[str, str]]:
    """A page per rule, which SARIF refers to: its section of the page of all rules, and what to do about a finding."""
    page = (ROOT / "docs" / "audit-rules.md").read_text("utf-8")
    for section in page.split("\n## ")[1:]:
        rule, _, text = section.partition("\n")
        yield rule, f"# {rule}\n{text}\n## What to do\n\n{rule_advice(rule)}\n\n[All rules](../audit-rules.md)\n"


def _settings() -> Iterator[str]:
    yield "# Settings\n\nThe settings of `provision.toml`. In the environment: `PROVISION_` and the name in capitals.\n"
    yield "[file-formats.md](../file-formats.md) explains them.\n\n| setting | default |\n|---|---|\n"
    for name, field in Settings.model_fields.items():
        default = "in your configuration folder" if field.default_factory else f"`{field.default}`"
        yield f"| `{name}` | {default} |\n"
