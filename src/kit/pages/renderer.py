"""Jinja, set up so that a page can neither forget to escape nor name what its view does not have."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape

from kit.i18n import Catalogs, Locale, Message, Translator, dates
from kit.pages.language import in_language
from kit.pages.static import FOLDER, StaticFiles

KIT = Path(__file__).parent.parent

_FILTERS: dict[str, Callable[..., Any]] = {}


class _Compiled(jinja2.BytecodeCache):
    """Templates are compiled once in a process, however many apps show them: that costs more than to render them.

    As many as there are files; Jinja compares the digest of the source before it takes one."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        code = self._code.get(bucket.key)
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


class Pages:
    """``packages`` maps the first part of a template's name to the folder whose slices hold ``pages/``.

    Their ``locales/`` are read after kit's own, their ``static/`` is served beside it. ``home`` is where the product's
    name in the header leads.
    """

    def __init__(self, packages: Mapping[str, Path], *, static_prefix: str, home: str = "/") -> None:
        self._packages = dict(packages)
        folders = tuple(folder / "static" for folder in packages.values())
        self.static = StaticFiles(static_prefix, (FOLDER, *folders))
        self._catalogs = Catalogs.load([KIT / "locales", *(folder / "locales" for folder in packages.values())])
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(self._source),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
            bytecode_cache=_COMPILED,
        )
        self._environment.filters.update(_FILTERS)
        self._environment.globals.update(static=self.static.href, home=home, locales=tuple(Locale))

    def render(
        self, template: str, *, locale: Locale, csrf: str | None = None, path: str | None = None, **view: Any
    ) -> str:
        translator = self._catalogs.translator(locale)
        return self._environment.get_template(template).render(
            {
                **view,
                "locale": locale,
                "path": path,
                "csrf_token": csrf,
                "in_language": in_language,
                "translator": translator,
                "_": _saying(translator),
                "ngettext": _counting(translator),
            }
        )

    def translator(self, locale: Locale) -> Translator:
        """For what is not a page: a mail, a PDF."""
        return self._catalogs.translator(locale)

    def _source(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """``idp/sign_in/sign_in.html`` → ``<idp>/sign_in/pages/sign_in.html``; ``kit/pages/x.html`` is kit's own."""
        package, _, rest = name.partition("/")
        slice_, _, file = rest.rpartition("/")
        if package == "kit" and slice_ == "pages":
            path = KIT / "pages" / file
        elif package in self._packages and slice_:
            path = self._packages[package] / slice_ / "pages" / file
        else:
            return None
        return (path.read_text(encoding="utf-8"), str(path), lambda: True) if path.is_file() else None


def _saying(translator: Translator) -> Callable[..., Markup]:
    def say(message: str | Message | Markup, **values: Any) -> Markup:
        if isinstance(message, Markup):  # said already
            return message
        if isinstance(message, Message):
            values = {**message.values, **values}
            message = message.msgid
        # A translation is text: escaped first, so that only a value that is Markup itself (name|bdi) can hold tags.
        text = escape(translator.gettext(message))
        return text % values if values else text

    return say


def _counting(translator: Translator) -> Callable[..., Markup]:
    def count(singular: str, plural: str, n: int, **values: Any) -> Markup:
        return escape(translator.plural(singular, plural, n)) % {"num": n, **values}

    return count


def _filter(function: Callable[..., Any]) -> Callable[..., Any]:
    _FILTERS[function.__name__] = function
    return function


@_filter
def bdi(text: object) -> Markup:
    """Isolates a name, so that its direction does not reorder the sentence around it."""
    return Markup("<bdi>{}</bdi>").format(text)


@_filter
def ltr(text: object) -> Markup:
    """Identifiers, phone numbers, hashes: left to right in every language."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(text)


def _translator(context: Context) -> Translator:
    found = context["translator"]
    assert isinstance(found, Translator)
    return found


@_filter
@jinja2.pass_context
def date(context: Context, when: dt.date) -> Markup:
    return _time(when, _translator(context).date(when))


@_filter
@jinja2.pass_context
def moment(context: Context, when: dt.datetime) -> Markup:
    return _time(when, _translator(context).moment(when))


@_filter
def clock(when: dt.datetime) -> Markup:
    return _time(when, dates.clock(when))


@_filter
@jinja2.pass_context
def relative(context: Context, when: dt.datetime) -> Markup:
    return _time(when, _translator(context).relative(when))


@_filter
@jinja2.pass_context
def expiry(context: Context, when: dt.datetime) -> Markup:
    return _time(when, _translator(context).expiry(when))


def _time(when: dt.date, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), text)
