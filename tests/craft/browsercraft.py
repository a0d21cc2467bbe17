"""A page of ours in a real browser, which fails at any request for something else and at any message of the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium of this system."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: Browser, file: Path, width: int = 1280, height: int = 900, **options: Any) -> Page:
    """The page in a window of this size. If it has a grid, its rows are there."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(file.as_uri())
    if options.get("java_script_enabled", True) and page.locator(".find").count():
        page.wait_for_selector(".find:not([hidden])")
    assert seen == [file.as_uri()]
    return page
