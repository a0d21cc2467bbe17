"""WELCOME.html as a user opens it: in a real browser, in the languages that ship; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsercraft import opened, running_browser

from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile, Platform
from provision.hermes.rendering.render import render_welcome, render_welcome_page
from provision.hermes.rendering.templates import Templates, WelcomeNotes

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.programs("chromium")
NOTES = WelcomeNotes('IT <img src=x onerror="window.pwned=1">', "https://it.corp.example/provision")
TEMPLATES = Templates.load(Path(__file__).parents[2] / "templates", notes=NOTES)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.mark.parametrize(
    ("language", "platform", "width", "scheme"),
    [(None, Platform.WINDOWS, 360, "dark"), ("de", Platform.MACOS, 1280, "light")],
)
def test_it_opens_and_axe_finds_nothing(
    browser: Browser, tmp_path: Path, language: str | None, platform: Platform, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    profile = EffectiveProfile("team", "gpt-5.2", "https://api.aisa.one/v1", capabilities=True, language=language)
    text = render_welcome(DesiredState("ada", profile, Place("inventory.yaml", 1), platform=platform), TEMPLATES)
    file = tmp_path / "WELCOME.html"
    file.write_bytes(render_welcome_page(text, profile, TEMPLATES))
    page = opened(browser, file, width, 780, color_scheme=scheme)
    assert page.evaluate("document.documentElement.lang") == (language or "en")
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, script, a").count() == 0
    assert "it.corp.example/provision" in page.locator("main").inner_text(), "how the program gets onto the machine"
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
