"""What every page must pass: axe, 320 px, no third party, no console complaint; and a picture of it is kept.

The page itself lives in a context without JavaScript. axe needs scripts, so its HTML is opened a second time, at the
same address and with the same cookies, in a context that has them.
"""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Route

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "artefacts" / "screens"
WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_LATIN = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode())
        texts.currentNode.nodeValue = texts.currentNode.nodeValue.replace(/[\u0600-\u06ff]/g, 'n');
}"""
# Pictures of pages are drawn when they are first asked for; one further down may not be asked for yet.
_SHOWN = """() => Promise.all([...document.images].map(image => {
    image.loading = 'eager';
    return image.decode().catch(() => null);
}))"""
_SCHEME = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
NARROW, WIDE = {"width": 320, "height": 640}, {"width": 1280, "height": 900}


_mirrors: dict[Browser, Page] = {}


class Watch:
    """Addresses that a context asked for, and what its console said, since it was opened."""

    _of: "dict[BrowserContext, Watch]" = {}  # noqa: RUF012 - one registry for the run

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        context.on("request", self._requested)
        context.on("console", self._said)
        Watch._of[context] = self

    @classmethod
    def of(cls, context: BrowserContext) -> "Watch":
        return cls._of[context]

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss"):
            self.hosts.add(parts.netloc)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def press(page: Page, target: str | Locator) -> None:
    """Click on what leads to another page, and be there: a click alone returns while the old page is still shown."""
    with page.expect_navigation():
        (page.locator(target) if isinstance(target, str) else target).click()


def check_page(page: Page, name: str, locale: str) -> None:
    """``name`` is the picture's file name; AssertionError with all that is wrong with the page shown now."""
    folder = SCREENS / locale
    folder.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("load")
    page.evaluate(_SHOWN)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    wrong = [*_strangers(page), *_language(page, locale), *_with_scripts(page)]
    assert not wrong, f"{name} in {locale} at {page.url}:\n" + "\n".join(wrong)


def _strangers(page: Page) -> list[str]:
    watch = Watch.of(page.context)
    strangers = watch.hosts - {urlsplit(page.url).netloc}
    return [f"a request to {host}" for host in sorted(strangers)] + watch.complaints


def _language(page: Page, locale: str) -> list[str]:
    html = page.locator("html")
    lang, direction = html.get_attribute("lang") or "", html.get_attribute("dir")
    wrong = []
    if lang.split("-")[0] != locale:
        wrong.append(f"lang is {lang!r}")
    if direction != ("rtl" if locale == "ar" else "ltr"):
        wrong.append(f"dir is {direction!r}")
    return wrong


def _with_scripts(page: Page) -> list[str]:
    browser = page.context.browser
    assert browser is not None
    html, address = page.content(), page.url.split("#")[0]
    mirror = _mirror(browser)
    # The page and all that it shows, as they are for this reader.
    mirror.context.clear_cookies()
    mirror.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    mirror.emulate_media(color_scheme=page.evaluate(_SCHEME))

    def same(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html; charset=utf-8", body=html)

    mirror.route(address, same)
    try:
        mirror.set_viewport_size(WIDE)
        mirror.goto(address)
        mirror.evaluate(axe_source())
        violations = _axe(mirror)
        mirror.set_viewport_size(NARROW)  # also 400 % zoom of a 1280 px screen
        violations += [f"at 320 px: {line}" for line in _axe(mirror, ["target-size"])] + _scrolls(mirror)
        mirror.set_viewport_size(WIDE)
        # axe takes a script that joins its letters for an icon font and leaves its contrast unmeasured.
        mirror.evaluate(_LATIN)
        return violations + [line for line in _axe(mirror, ["color-contrast"]) if line not in violations]
    finally:
        mirror.unroute(address)


def _mirror(browser: Browser) -> Page:
    """One for each browser: a new context is a new process, and costs as much as the checks."""
    if browser not in _mirrors:
        _mirrors[browser] = browser.new_context(bypass_csp=True, viewport=WIDE).new_page()
    return _mirrors[browser]


@cache
def axe_source() -> str:
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def _axe(page: Page, rules: list[str] | None = None) -> list[str]:
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": WCAG_2_2_AA}
    options = json.dumps({"runOnly": only, "resultTypes": ["violations"]})
    result: dict[str, Any] = page.evaluate(f"axe.run(document, {options})")
    return [
        f"axe {violation['id']}: {violation['help']}: {node['html'][:200]} ({' '.join(map(str, node['target']))})"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def _scrolls(page: Page) -> list[str]:
    """Neither the page nor a table in it is read by moving it sideways."""
    cut = page.evaluate(
        """[...document.querySelectorAll('.table-scroll')].filter(e => e.scrollWidth > e.clientWidth)
            .map(e => `a table is ${e.scrollWidth} px wide in ${e.clientWidth}`)"""
    )
    width = page.evaluate("document.documentElement.scrollWidth")
    if width <= NARROW["width"]:
        return [f"320 px: {line}" for line in cut]
    culprits = page.evaluate(
        """[...document.body.querySelectorAll('*')].filter(e => {
            const r = e.getBoundingClientRect();
            return r.width && (r.right > 321 || r.left < -1) && !e.closest('.skip,.visually-hidden');
        }).slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
    )
    return [f"320 px: the page is {width} px wide: {culprits}", *cut]
