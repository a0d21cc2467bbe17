"""The report's page in a real browser: search, sort, filter, print, phone, dark, accessibility, hostile names, no request out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import reportcraft
from browsercraft import opened, running_browser

from provision.report.fleet.page import as_html
from provision.report.fleet.trend import DaySummary

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.programs("chromium")
HOSTILE = '<img src=x onerror="window.pwned=1">'
SIZES = [(360, 780), (800, 1100), (1280, 900), (1920, 1080)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = reportcraft.fleet_report(500, HOSTILE)
    earlier = [
        DaySummary(reportcraft.NOW.date() - timedelta(days=back), 500, 380 - back, {"behind": 9})
        for back in range(20, 0, -1)
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text("".join(as_html(found, earlier)), "utf-8")
    return path


def column(page: Page, label: str) -> list[str]:
    return page.locator(f'#grid tbody td[data-label="{label}"]').all_inner_texts()


def test_search_filter_sort_and_pages(browser: Browser, file: Path) -> None:
    from playwright.sync_api import expect

    page = opened(browser, file)
    found = page.locator("#found")
    assert found.inner_text() == "500 users"
    assert page.locator("#turn").inner_text() == "page 1 of 10"
    page.get_by_role("button", name="Next").click()
    assert page.locator("#turn").inner_text() == "page 2 of 10"
    page.get_by_label("Search").fill("profile:support state:behind")
    expect(found).to_have_text(re.compile(" of 500 users"))
    assert set(column(page, "profile")) == {"support"}
    assert set(column(page, "state")) == {"behind"}
    page.get_by_label("Search").fill("tag:pilot")
    expect(found).to_have_text(re.compile("^56 "))
    page.get_by_label("Search").fill("")
    expect(found).to_have_text("500 users")
    page.get_by_label("Show").select_option("misrouted")
    assert set(column(page, "state")) == {"misrouted"}
    page.get_by_label("Show").select_option("")
    for order in ("ascending", "descending"):
        page.get_by_role("button", name="key age").click()
        ages = [int(text.split()[0]) for text in column(page, "key age")]
        assert ages == sorted(ages, reverse=order == "descending")
        assert page.locator("th[aria-sort]").get_attribute("aria-sort") == order
    page.get_by_role("link", name="never heard").click()
    assert set(column(page, "state")) == {"never heard"}
    assert page.locator("details#never-heard").get_attribute("open") is not None


def test_the_keyboard_reaches_everything(browser: Browser, file: Path) -> None:
    page = opened(browser, file)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY", "INPUT", "SELECT", "BUTTON"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_and_axe_finds_nothing(browser: Browser, file: Path, width: int, height: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, file, width, height, color_scheme=scheme)
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("document.documentElement.scrollHeight") < 25_000
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_hostile_names_are_text(browser: Browser, file: Path) -> None:
    from playwright.sync_api import expect

    page = opened(browser, file)
    found = page.locator("#found")
    page.get_by_label("Search").fill("onerror")
    expect(found).to_have_text(re.compile("^1 of"))
    assert column(page, "user") == [HOSTILE]
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0


def test_without_javascript_the_first_part_reads(browser: Browser, file: Path) -> None:
    page = opened(browser, file, java_script_enabled=False)
    assert page.locator(".tiles a").count() == 11
    assert page.locator("details").count() > 5
    assert page.locator("#grid tbody tr").count() == 25
    assert "need JavaScript" in (page.locator("noscript").text_content() or "")


def test_500_users_print_on_at_most_4_pages(browser: Browser, file: Path, tmp_path: Path) -> None:
    pypdfium2 = pytest.importorskip("pypdfium2")
    opened(browser, file).pdf(path=tmp_path / "report.pdf", format="A4")
    assert len(pypdfium2.PdfDocument(tmp_path / "report.pdf")) <= 4
