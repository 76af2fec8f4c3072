"""kit.pages: nothing unescaped, nothing undefined, nothing inline, nothing from elsewhere, and small."""

import gzip
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from markupsafe import Markup

import kit
from kit.i18n import Locale, _
from kit.pages import Pages, StaticFiles, in_language, lang_cookie, locale_of

SOURCES = Path(kit.__file__).parent.parent
STATIC = SOURCES / "kit" / "static"
OURS = ["khizana.css", "fonts.css"]
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|inset|scroll-margin|scroll-padding)-(?:left|right|top|bottom)|left|right"
    r"|border-(?:top|bottom)-(?:left|right)-radius|text-align\s*:\s*(?:left|right)|float\s*:\s*(?:left|right))\s*[:;}]"
)


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    folder = tmp_path / "hotel" / "rooms" / "pages"
    folder.mkdir(parents=True)
    (folder / "room.html").write_text(
        '{% extends "kit/pages/base.html" %}{% import "kit/pages/components.html" as c with context %}'
        "{% block title %}Room{% endblock %}{% block content %}{{ inner() }}{% endblock %}"
    )
    (folder / "say.html").write_text("{{ _(message, **values) }}")
    (folder / "form.html").write_text(
        '{% import "kit/pages/components.html" as c with context %}<form method="post">{{ c.csrf() }}'
        '{{ c.error_summary(errors) }}{{ c.field("username", "Name", hint="As written", error=errors.username) }}'
        '{{ c.field("password", "Password", value="hunter2", type="password") }}</form>'
    )
    (folder / "names.html").write_text("{{ name|bdi }} {{ number|ltr }}")
    return Pages({"hotel": tmp_path / "hotel"}, static_prefix="/static", home="/rooms")


def test_a_slices_template_is_found_by_package_and_slice(pages: Pages) -> None:
    assert pages.render("hotel/rooms/names.html", locale=Locale.EN, name="<b>", number="06") == (
        '<bdi>&lt;b&gt;</bdi> <bdi dir="ltr">06</bdi>'
    )


def test_a_template_cannot_be_read_from_elsewhere(pages: Pages) -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        pages.render("locker/rooms/names.html", locale=Locale.EN)


def test_an_undefined_name_raises(pages: Pages) -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages.render("hotel/rooms/names.html", locale=Locale.EN, name="x")


@pytest.mark.parametrize(
    ("message", "values", "html"),
    [
        ("<script>", {}, "&lt;script&gt;"),
        (_("Open %(name)s", name="<i>"), {}, "Open &lt;i&gt;"),
        ("100 %", {}, "100 %"),
        ("<b>%(name)s", {"name": Markup("<bdi>x</bdi>")}, "&lt;b&gt;<bdi>x</bdi>"),
    ],
)
def test_a_translation_is_text_and_its_values_are_escaped(
    pages: Pages, message: Any, values: dict[str, Any], html: str
) -> None:
    assert pages.render("hotel/rooms/say.html", locale=Locale.FR, message=message, values=values) == html


def test_an_error_stands_beside_its_field_and_in_a_summary_that_takes_the_focus(pages: Pages) -> None:
    html = pages.render("hotel/rooms/form.html", locale=Locale.FR, csrf="t0k", errors={"username": _("Error:")})
    assert 'id="error-summary" role="alert" tabindex="-1" autofocus' in html
    assert '<a href="#username">Erreur :</a>' in html
    assert 'aria-describedby="username-hint username-error" aria-invalid="true"' in html
    assert '<input type="hidden" name="csrf" value="t0k">' in html


def test_a_password_is_never_written_back(pages: Pages) -> None:
    assert "hunter2" not in pages.render("hotel/rooms/form.html", locale=Locale.EN, errors={"username": ""})


@pytest.mark.parametrize("locale", list(Locale))
def test_an_error_page_says_error_and_the_code_in_every_language(pages: Pages, locale: Locale) -> None:
    html = pages.render(
        "kit/pages/error.html", locale=locale, title="This request was refused.", code="share-closed", reference="9f3b"
    )
    assert "error: share-closed" in html
    assert "9f3b" in html
    assert f'<html lang="{locale.tag}" dir="{locale.direction}">' in html
    assert ("bootstrap.rtl.min" in html) is (locale is Locale.AR)


def test_the_language_links_keep_the_page_and_its_query(pages: Pages) -> None:
    html = pages.render(
        "kit/pages/error.html",
        locale=Locale.EN,
        path="/sign-in?interaction=a%20b&lang=en",
        title="x",
        code="x",
        reference="x",
    )
    assert 'href="/sign-in?interaction=a+b&amp;lang=zgh" lang="zgh"' in html


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/\\evil.example/x", "https://evil.example/x", "\\\\evil.example"]
)
def test_a_language_link_never_leaves_this_host(path: str) -> None:
    assert not re.match(r"^(?:[/\\]{2}|\w+:)", in_language(path, Locale.FR))


def test_a_language_link_is_honoured_at_once_and_remembered() -> None:
    assert locale_of({"lang": "fr"}, {"__Host-lang": "ar"}, accept_language="en") is Locale.FR
    assert locale_of({}, {"__Host-lang": "zgh"}, accept_language="en", profile="fr") is Locale.ZGH
    assert locale_of({"ui_locales": "fr ar"}, {}) is Locale.FR
    cookie = lang_cookie({"lang": "fr"})
    assert cookie is not None
    assert cookie.startswith("__Host-lang=fr; Path=/; ")
    assert "Secure" in cookie
    assert lang_cookie({"lang": "x\r\nSet-Cookie: a=b"}) is None
    assert lang_cookie({}) is None


def templates() -> list[Path]:
    return sorted(SOURCES.rglob("*.html"))


@pytest.mark.parametrize("template", templates(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_no_template_has_inline_style_or_script_or_a_foreign_address(template: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.S)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text, re.I)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text, re.I)
    assert not re.search(r"(?:src|href|action)=[\"']?(?:https?:)?//", text)
    assert "|safe" not in text.replace(" ", ""), "escaping is never switched off"


@pytest.mark.parametrize("name", OURS)
def test_our_style_sheets_know_no_left_and_right(name: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (STATIC / name).read_text(encoding="utf-8"), flags=re.S)
    assert PHYSICAL.findall(text) == []


def test_the_pattern_of_physical_properties_finds_them() -> None:
    for text in ("margin-left:0", "a{left:0}", "text-align: right;", "border-top-left-radius:1px", "float:left}"):
        assert PHYSICAL.search(text), text


def test_our_style_sheet_is_at_most_12_kb() -> None:
    assert (STATIC / "khizana.css").stat().st_size <= 12_000


@pytest.mark.parametrize("locale", list(Locale))
def test_a_page_with_its_fonts_stays_under_120_kb(pages: Pages, locale: Locale) -> None:
    bootstrap = "bootstrap.rtl.min.css" if locale is Locale.AR else "bootstrap.min.css"
    script = {"ar": "arabic-core-", "zgh": "tifinagh-"}.get(locale.value, "latin-ext-")
    loaded = [
        name
        for name in pages.static.sizes
        if name in (bootstrap, *OURS, "mark.svg", "zellige.svg")
        or name.startswith(
            (f"fonts/noto-sans-{script}", "fonts/noto-sans-latin-4", "fonts/noto-sans-latin-7", "fonts/names-")
        )
    ]
    html = pages.render("kit/pages/error.html", locale=locale, path="/", title="x", code="x", reference="x")
    assert sum(pages.static.sizes[name] for name in loaded) + len(gzip.compress(html.encode())) + 6_000 < 120_000


def test_vendored_files_carry_their_licences() -> None:
    assert {file.name for file in (STATIC / "licences").iterdir()} == {
        "bootstrap-MIT.txt",
        "noto-sans-OFL.txt",
        "noto-sans-arabic-OFL.txt",
        "noto-sans-tifinagh-OFL.txt",
    }


@pytest.fixture(scope="module")
def static() -> StaticFiles:
    return StaticFiles("/idp/static")


@pytest.fixture(scope="module")
def client(static: StaticFiles) -> Any:
    with TestClient(Litestar(route_handlers=[static.handler()])) as client:
        yield client


def test_a_static_file_is_kept_for_ever_and_named_by_its_content(client: Any, static: StaticFiles) -> None:
    href = static.href("khizana.css")
    assert re.fullmatch(r"/idp/static/khizana\.[0-9a-f]{12}\.css", href)
    answer = client.get(href)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert re.search(r"url\(/idp/static/zellige\.[0-9a-f]{12}\.svg\)", answer.text)


def test_gzip_only_where_it_is_accepted(client: Any, static: StaticFiles) -> None:
    href = static.href("khizana.css")
    plain = client.get(href, headers={"accept-encoding": "br, gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in client.get(static.href("fonts/noto-sans-latin-400.woff2")).headers


def test_head_has_no_body_and_nothing_else_is_allowed(client: Any, static: StaticFiles) -> None:
    href = static.href("mark.svg")
    assert client.head(href).content == b""
    assert client.post(href).status_code == 405


@pytest.mark.parametrize("name", ["khizana.css", "README.md", "../i18n/locale.py", "%2e%2e/i18n/locale.py", ""])
def test_only_what_was_read_at_the_start_is_served(client: Any, name: str) -> None:
    assert client.get(f"/idp/static/{name}").status_code == 404


def test_a_link_to_a_missing_file_raises(static: StaticFiles) -> None:
    with pytest.raises(KeyError):
        static.href("missing.css")
