"""Every component, in every language, passes what every page must pass."""

from collections.abc import Iterator

import pytest

from kit.i18n import Locale
from tests.browser.conftest import NewPage
from tests.browser.gallery import VIEWS, make_pages, served
from tests.browser.page_checks import check_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def gallery() -> Iterator[str]:
    with served(make_pages()) as base:
        yield base


@pytest.mark.parametrize("locale", [locale.value for locale in Locale])
@pytest.mark.parametrize("name", list(VIEWS))
def test_components_pass(gallery: str, new_page: NewPage, name: str, locale: str) -> None:
    page = new_page(locale)
    page.goto(f"{gallery}/gallery/{name}?lang={locale}")
    check_page(page, f"gallery-{name}", locale)


def test_the_error_summary_takes_the_focus_without_scripts(gallery: str, new_page: NewPage) -> None:
    page = new_page("fr")
    page.goto(f"{gallery}/gallery/errors?lang=fr")
    page.locator("#error-summary:focus").wait_for()


def test_dark_passes_too(gallery: str, new_page: NewPage) -> None:
    page = new_page("ar", dark=True)
    page.goto(f"{gallery}/gallery/wallet?lang=ar")
    check_page(page, "gallery-wallet-dark", "ar")


@pytest.mark.parametrize(("locale", "script"), [("fr", ()), ("zgh", ("tifinagh",)), ("ar", ("arabic",))])
def test_only_the_fonts_of_the_script_in_use_are_loaded(
    gallery: str, new_page: NewPage, locale: str, script: tuple[str, ...]
) -> None:
    page = new_page(locale)
    fonts: list[str] = []
    page.on("request", lambda request: fonts.append(request.url) if request.url.endswith(".woff2") else None)
    page.goto(f"{gallery}/gallery/error?lang={locale}", wait_until="networkidle")
    loaded = {part for url in fonts for part in ("arabic", "tifinagh") if f"noto-sans-{part}" in url}
    assert loaded == set(script)
