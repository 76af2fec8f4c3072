"""Catalogs: ``.po`` files in git, compiled in memory; and the question which sentences a catalog lacks."""

import ast
import gettext
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import jinja2
import msgspec
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from jinja2.ext import extract_from_ast

from kit.i18n.locale import Locale
from kit.i18n.translator import Translator

# English is the language of the msgids.
TRANSLATED = (Locale.AR, Locale.FR, Locale.ZGH)


class Sentence(msgspec.Struct, frozen=True, order=True):
    """A msgid as it stands in a source, with its plural if it counts something."""

    singular: str
    plural: str | None = None


class Catalogs:
    """A later folder's word wins over an earlier one's."""

    def __init__(self, translations: dict[Locale, gettext.NullTranslations]) -> None:
        self._translators = {locale: Translator(locale, known) for locale, known in translations.items()}

    @classmethod
    def load(cls, folders: Iterable[Path]) -> "Catalogs":
        """``folders`` hold ``ar.po``, ``fr.po``, ``zgh.po``; one that does not exist holds nothing."""
        present = [folder for folder in folders if folder.is_dir()]
        return cls({locale: _chained(locale, present) for locale in Locale})

    def translator(self, locale: Locale) -> Translator:
        return self._translators[locale]


def _chained(locale: Locale, folders: list[Path]) -> gettext.NullTranslations:
    chained = gettext.NullTranslations()
    for folder in folders:
        file = folder / f"{locale.value}.po"
        if file.is_file():
            latest = compiled(read(file, locale))
            latest.add_fallback(chained)
            chained = latest
    return chained


def read(file: Path, locale: Locale) -> Catalog:
    with file.open("rb") as stream:
        return pofile.read_po(stream, locale=locale.babel, abort_invalid=True)


def compiled(catalog: Catalog) -> gettext.GNUTranslations:
    buffer = BytesIO()
    mofile.write_mo(buffer, catalog)
    buffer.seek(0)
    return gettext.GNUTranslations(buffer)


def sentences(package: Path) -> set[Sentence]:
    """Every msgid in the templates and modules under ``package``.

    ``_()``, ``ngettext()``, titles of Refusals, and sentences in a table whose name ends in ``_TITLES``.
    """
    found: set[Sentence] = set()
    for file in package.rglob("*.html"):
        found.update(_in_template(file.read_text(encoding="utf-8")))
    for file in package.rglob("*.py"):
        found.update(_in_module(file.read_text(encoding="utf-8")))
    return found


def missing(package: Path, locale: Locale, *, also: Iterable[Path] = ()) -> list[Sentence]:
    """Sentences of ``package`` that its ``locales`` (or those of ``also``) do not say in ``locale``, in full."""
    said: set[Sentence] = set()
    for folder in (package / "locales", *(other / "locales" for other in also)):
        file = folder / f"{locale.value}.po"
        if file.is_file():
            said.update(_said(read(file, locale)))
    return sorted(sentences(package) - said, key=lambda sentence: sentence.singular)


def _said(catalog: Catalog) -> Iterator[Sentence]:
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, (tuple, list)):
            forms = message.string or ()
            if len(forms) == catalog.num_plurals and all(forms):
                yield Sentence(message.id[0], message.id[1])
        elif message.string:
            yield Sentence(str(message.id))


def _in_template(source: str) -> Iterator[Sentence]:
    tree = jinja2.Environment(autoescape=True).parse(source)
    for _line, function, message in extract_from_ast(tree, gettext_functions=("_", "ngettext"), babel_style=False):
        if function == "_" and isinstance(message, tuple):
            message = message[0]
        if isinstance(message, str):
            yield Sentence(message)
        elif isinstance(message, tuple) and message[0] and message[1]:
            yield Sentence(message[0], message[1])


def _in_module(source: str) -> Iterator[Sentence]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _marked(node)
        elif isinstance(node, ast.ClassDef):
            yield from _titled(node)
        elif isinstance(node, ast.Assign) and any(getattr(t, "id", "").endswith("_TITLES") for t in node.targets):
            for text in ast.walk(node.value):
                if isinstance(text, ast.Constant) and isinstance(text.value, str) and " " in text.value:
                    yield Sentence(text.value)


def _marked(call: ast.Call) -> Iterator[Sentence]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name in ("_", "Message", "gettext") and texts:
        yield Sentence(texts[0])
    elif name == "ngettext" and len(texts) >= 2:
        yield Sentence(texts[0], texts[1])


def _titled(node: ast.ClassDef) -> Iterator[Sentence]:
    """``title = "…"`` or ``code, status, title = …, …, "…"`` in a class is a Refusal's sentence."""
    for statement in node.body:
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            names, values = [target], [statement.value]
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                names, values = target.elts, statement.value.elts
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and name.id == "title" and isinstance(value, ast.Constant):
                    yield Sentence(str(value.value))
