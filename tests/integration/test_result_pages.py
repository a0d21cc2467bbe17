"""The HTML of validate, audit, checklist and rotate in a real browser: the parts of `report`, made by the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsercraft import opened, running_browser
from rotatecraft import Fleet

from provision.aisa.simulator import KeyState, Simulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.programs("chromium")
HOSTILE = '<img src=x onerror="window.pwned=1">.txt'
TILES = {"validate": "key_invalid", "audit": "high", "checklist": "fail", "rotate": "exposed"}
"""By command: a tile that leads to what is wrong."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A page of each command, in a workspace where a key leaked and another one is disabled."""
    folder = tmp_path_factory.mktemp("pages")
    with Simulator() as sim, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISION_CONFIG_DIR", str(folder / "config"))
        fleet = Fleet(folder, sim)
        leaky = folder / "leaky"
        leaky.mkdir()
        (leaky / HOSTILE).write_text(f"the key is {fleet.keys['ada']}\n")
        (leaky / "other.env").write_text(f"AISA_API_KEY={fleet.keys['bob']}\n")
        sim.set_key(fleet.keys["bob"], KeyState.DISABLED)
        fleet.provision("rotate", "leaked", "ada")
        made = {name: folder / f"{name}.html" for name in TILES}
        for words in (("validate",), ("audit", str(leaky)), ("checklist", str(leaky)), ("rotate", "status")):
            assert fleet.provision(*words, "-f", "html", "-o", str(made[words[0]])) in {0, 4, 10}, words
        yield made


@pytest.fixture(scope="module")
def browser(pages: dict[str, Path]) -> Iterator[Browser]:
    """Started after the commands have run: its event loop would be in their way."""
    with running_browser() as found:
        yield found


def test_times_are_words_and_a_key_to_revoke_is_named_once(browser: Browser, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["rotate"])
    since = page.locator('#grid td[data-label="since"]').first
    assert re.fullmatch(r"just now|\d+ minutes? ago", since.inner_text())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\S*", since.get_attribute("title") or "")
    assert (page.locator("main").text_content() or "").count("ends in") == 1


@pytest.mark.parametrize("name", TILES)
def test_it_fits_a_phone_and_axe_finds_nothing(browser: Browser, pages: dict[str, Path], name: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, pages[name], 360, 780, color_scheme="dark")
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0
    assert page.locator("details").count() > 0
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


@pytest.mark.parametrize("name", TILES)
def test_a_tile_leads_to_what_is_wrong(browser: Browser, pages: dict[str, Path], name: str) -> None:
    page = opened(browser, pages[name])
    tile = page.locator(".tiles a", has_text=TILES[name])
    target = (tile.get_attribute("href") or "")[1:]
    assert page.locator(f'[id="{target}"]').count() == 1
    tile.click()
    if tile.get_attribute("data-state"):
        states = page.locator("#grid tbody .pill").all_inner_texts()
        assert TILES[name] in states
        assert page.locator("#grid tbody tr").count() < 3
