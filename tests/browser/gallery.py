"""Every component on a few pages, in four languages: ``python -m tests.browser.gallery`` keeps pictures of them.

Also what ``test_gallery.py`` walks: the components pass every check before a slice uses them.
"""

import asyncio
import datetime as dt
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kit.edge import CONTENT_SECURITY_POLICY
from kit.i18n import Locale
from kit.pages import Pages

HERE = Path(__file__).parent
_NOW = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)

VIEWS: dict[str, dict[str, Any]] = {
    "form": {"errors": {}},
    "errors": {
        "errors": {
            "username": "Something in this request is not right.",
            "otp": "Too many attempts. Wait a little and try again.",
        }
    },
    "wallet": {
        "wide": True,
        "person": "فاطمة الزهراء بنعلي",
        "sign_out": "/sign-out",
        "navigation": [("/gallery/wallet", "Next", True), ("/gallery/form", "Previous", False)],
        "until": dt.datetime.now(dt.UTC) + dt.timedelta(days=3),
        "born": dt.date(1990, 4, 2),
        "then": _NOW,
    },
    "verdict": {"then": _NOW, "until": dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)},
    "error": {},
}


def make_pages() -> Pages:
    return Pages({"gallery": HERE / "gallery_pages"}, static_prefix="/static")


def render(pages: Pages, name: str, locale: Locale) -> str:
    path = f"/gallery/{name}?a=1"
    if name == "error":
        return pages.render(
            "kit/pages/error.html",
            locale=locale,
            path=path,
            title="There is nothing at this address.",
            code="not-found",
            reference="9f3b2c41d0e7a856",
        )
    return pages.render(f"gallery/all/{name}.html", locale=locale, path=path, csrf="token", **VIEWS[name])


class _Handler(BaseHTTPRequestHandler):
    pages: Pages

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/static/"):
            self._static(parts.path)
            return
        locale = Locale(parse_qs(parts.query).get("lang", ["en"])[0])
        name = parts.path.rsplit("/", 1)[-1]
        if name not in VIEWS:
            self.send_error(404)
            return
        body = render(self.pages, name, locale).encode()
        self._answer(200, [("content-type", "text/html; charset=utf-8")], body)

    def _static(self, path: str) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
        }
        asyncio.run(self.pages.static(scope, None, send))  # type: ignore[arg-type]
        headers = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        self._answer(sent[0]["status"], headers, sent[1]["body"])

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-security-policy", CONTENT_SECURITY_POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def served(pages: Pages) -> Iterator[str]:
    """Base address of a server on a free port of the loopback."""
    handler = type("Handler", (_Handler,), {"pages": pages})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium_path, launch_arguments

    with served(make_pages()) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=launch_arguments())
        for width, scheme in ((1280, "light"), (360, "light"), (1280, "dark")):
            context = browser.new_context(
                java_script_enabled=False,
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 800},
            )
            page = context.new_page()
            for locale in Locale:
                for name in VIEWS:
                    page.goto(f"{base}/gallery/{name}?lang={locale.value}")
                    page.screenshot(path=folder / f"{name}-{locale.value}-{width}-{scheme}.png", full_page=True)
            if (width, scheme) == (1280, "light"):
                page.emulate_media(media="print")
                page.goto(f"{base}/gallery/verdict?lang=ar")
                page.screenshot(path=folder / "verdict-ar-print.png", full_page=True)
            context.close()
        browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
