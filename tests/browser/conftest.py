"""Chromium for the browser tests: found by name, never downloaded, scripts off unless a test turns them on.

The fixtures are synchronous and live as long as a module: while Playwright's loop runs, no other may, so a module of
browser tests holds no ``async def``.
"""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.page_checks import WIDE, Watch

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
]

NewPage = Callable[..., Page]


def chromium_path() -> str | None:
    """KHIZANA_TEST_CHROMIUM, else the first of the usual names on the PATH."""
    named = os.environ.get("KHIZANA_TEST_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def launch_arguments() -> list[str]:
    # Chromium's sandbox refuses to start as root.
    return ARGUMENTS + (["--no-sandbox"] if os.geteuid() == 0 else [])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        warnings.warn("NO CHROMIUM: the browser tests did not run", stacklevel=1)
        pytest.skip("NO CHROMIUM on the PATH: the browser tests did not run (KHIZANA_TEST_CHROMIUM may name one)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[NewPage]:
    """``new_page("ar")``: a page of its own context: no cookies, scripts off, the browser asking for that language."""
    contexts: list[BrowserContext] = []

    def make(locale: str = "en", *, scripts: bool = False, dark: bool = False, width: int = WIDE["width"]) -> Page:
        context = chromium.new_context(
            locale={"ar": "ar-MA", "fr": "fr-MA"}.get(locale, locale),
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": WIDE["height"]},
        )
        context.set_default_timeout(15_000)
        Watch(context)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
