"""``python -m kit.i18n.extract src/idp``: bring a package's catalogs up to date with its sentences.

New sentences come in untranslated, those that nothing says any more go out, translations stay. The test of the catalogs
fails until each new one is translated.
"""

import sys
from pathlib import Path

from babel.messages import pofile
from babel.messages.catalog import Catalog

from kit.i18n.catalogs import TRANSLATED, read, sentences
from kit.i18n.locale import Locale

# By hand: Babel has no plural rule for zgh, and all six Arabic forms stand here whatever its data say.
PLURALS = {
    Locale.AR: (
        "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 :"
        " n%100>=3 && n%100<=10 ? 3 : n%100>=11 && n%100<=99 ? 4 : 5);"
    ),
    Locale.FR: "nplurals=2; plural=(n > 1);",
    Locale.ZGH: "nplurals=1; plural=0;",
}
_FORMS = {Locale.AR: 6, Locale.FR: 2, Locale.ZGH: 1}


def update(package: Path, locale: Locale, *, elsewhere: frozenset[str] = frozenset()) -> int:
    """Rewrite ``package/locales/<locale>.po``; how many of its sentences have no translation.

    Sentences in ``elsewhere`` (kit's own) are left out, unless the package says them differently already.
    """
    file = package / "locales" / f"{locale.value}.po"
    file.parent.mkdir(exist_ok=True)
    known = {message.id: message.string for message in read(file, locale)} if file.is_file() else {}
    catalog = Catalog(fuzzy=False)
    lacking = 0
    for sentence in sorted(sentences(package), key=lambda sentence: sentence.singular):
        msgid = (sentence.singular, sentence.plural) if sentence.plural else sentence.singular
        if sentence.singular in elsewhere and msgid not in known:
            continue
        string = known.get(msgid) or (("",) * _FORMS[locale] if sentence.plural else "")
        lacking += not (string if isinstance(string, str) else all(string))
        catalog.add(msgid, string)
    with file.open("w", encoding="utf-8") as out:
        out.write(_header(locale))
        for message in catalog:
            if message.id:
                out.write("\n" + _entry(message.id, message.string))
    return lacking


def _header(locale: Locale) -> str:
    lines = [
        f"Language: {locale.babel}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {PLURALS[locale]}",
    ]
    return 'msgid ""\nmsgstr ""\n' + "".join(f'"{line}\\n"\n' for line in lines)


def _entry(msgid: object, string: object) -> str:
    if isinstance(msgid, (tuple, list)) and isinstance(string, (tuple, list)):
        forms = "".join(f"msgstr[{index}] {_quoted(form)}\n" for index, form in enumerate(string))
        return f"msgid {_quoted(msgid[0])}\nmsgid_plural {_quoted(msgid[1])}\n{forms}"
    return f"msgid {_quoted(msgid)}\nmsgstr {_quoted(string)}\n"


def _quoted(text: object) -> str:
    return str(pofile.escape(str(text)))


def main(packages: list[str]) -> int:
    from kit.pages.renderer import KIT

    floor = frozenset(sentence.singular for sentence in sentences(KIT))
    total = 0
    for package in map(Path, packages):
        for locale in TRANSLATED:
            lacking = update(package, locale, elsewhere=frozenset() if package.resolve() == KIT.resolve() else floor)
            total += lacking
            sys.stdout.write(f"{package}/locales/{locale.value}.po: {lacking} without translation\n")
    return 1 if total else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
