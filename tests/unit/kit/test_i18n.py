"""kit.i18n: the right language, the right plural, the right date."""

import datetime as dt
import gettext
from pathlib import Path

import pytest

import kit
from kit import edge
from kit.i18n import Catalogs, Locale, Translator, _, ascii_digits, negotiate, strip_controls
from kit.i18n.catalogs import TRANSLATED, Sentence, compiled, missing, read, sentences
from kit.i18n.extract import PLURALS, update

KIT = Path(kit.__file__).parent
NOW = dt.datetime(2026, 11, 24, 13, 5, tzinfo=dt.UTC)
COUNTS = (0, 1, 2, 3, 11, 100, 102, 103)


@pytest.fixture(scope="module")
def catalogs() -> Catalogs:
    return Catalogs.load([KIT / "locales"])


@pytest.mark.parametrize(
    ("said", "locale"),
    [
        ({"query_locale": "fr", "cookie": "ar", "ui_locales": "en", "accept_language": "zgh"}, Locale.FR),
        ({"query_locale": "tlh", "cookie": "zgh", "ui_locales": "en"}, Locale.ZGH),
        ({"ui_locales": "de-DE fr-CA en", "profile": "ar"}, Locale.FR),
        ({"profile": "zgh", "accept_language": "fr"}, Locale.ZGH),
        ({"accept_language": "de, en;q=0.3, fr-FR;q=0.8, ar;q=0"}, Locale.FR),
        ({"accept_language": "ber-MA"}, Locale.ZGH),
        ({"accept_language": "tzm-Tfng-MA,fr;q=0.5"}, Locale.ZGH),
        ({"accept_language": "fr;q=many, en"}, Locale.EN),
        ({"accept_language": "*"}, Locale.AR),
        ({}, Locale.AR),
    ],
)
def test_the_language_is_the_nearest_wish_that_we_speak(said: dict[str, str], locale: Locale) -> None:
    assert negotiate(**said) is locale


def test_a_long_accept_language_costs_nothing() -> None:
    assert negotiate(accept_language="en;q=0.1," * 100_000) is Locale.EN


def test_tags_and_directions() -> None:
    assert [(locale.tag, locale.direction) for locale in Locale] == [
        ("ar-MA", "rtl"),
        ("zgh", "ltr"),
        ("fr-MA", "ltr"),
        ("en", "ltr"),
    ]


@pytest.mark.parametrize(
    ("locale", "forms"),
    [(Locale.AR, [0, 1, 2, 3, 4, 5, 5, 3]), (Locale.FR, [0, 0, 1, 1, 1, 1, 1, 1]), (Locale.ZGH, [0] * 8)],
)
def test_plural_forms(tmp_path: Path, locale: Locale, forms: list[int]) -> None:
    number = {Locale.AR: 6, Locale.FR: 2, Locale.ZGH: 1}[locale]
    file = tmp_path / f"{locale.value}.po"
    lines = "".join(f'msgstr[{form}] "form {form} of %(num)s"\n' for form in range(number))
    header = f'msgid ""\nmsgstr ""\n"Plural-Forms: {PLURALS[locale]}\\n"\n\n'
    file.write_text(header + f'msgid "%(num)s page"\nmsgid_plural "%(num)s pages"\n{lines}', encoding="utf-8")

    translator = Translator(locale, compiled(read(file, locale)))

    said = [translator.ngettext("%(num)s page", "%(num)s pages", n) for n in COUNTS]
    assert said == [f"form {form} of {n}" for form, n in zip(forms, COUNTS, strict=True)]


@pytest.mark.parametrize("locale", TRANSLATED)
@pytest.mark.parametrize("package", ["kit", "idp", "locker"])
def test_each_catalog_has_its_plural_rule_by_hand(package: str, locale: Locale) -> None:
    file = KIT.parent / package / "locales" / f"{locale.value}.po"
    assert f'"Plural-Forms: {PLURALS[locale]}\\n"' in file.read_text(encoding="utf-8")


def test_english_counts_without_a_catalog() -> None:
    english = Translator(Locale.EN, gettext.NullTranslations())
    assert [english.ngettext("%(num)s page", "%(num)s pages", n) for n in (1, 2)] == ["1 page", "2 pages"]


@pytest.mark.parametrize("locale", TRANSLATED)
@pytest.mark.parametrize("package", ["kit", "idp", "locker"])
def test_no_sentence_is_missing(package: str, locale: Locale) -> None:
    also = () if package == "kit" else (KIT,)
    assert missing(KIT.parent / package, locale, also=also) == []


@pytest.mark.parametrize("locale", TRANSLATED)
@pytest.mark.parametrize("package", ["kit", "idp", "locker"])
def test_a_translation_keeps_the_placeholders_and_holds_no_markup(package: str, locale: Locale) -> None:
    for message in read(KIT.parent / package / "locales" / f"{locale.value}.po", locale):
        if not message.id:
            continue
        singular, plural = message.id if isinstance(message.id, tuple) else (message.id, message.id)
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms:
            assert "<" not in form, message.id
            # "one document" and "two documents" may say the number as a word.
            optional = {"%(num)s"} if isinstance(message.id, tuple) else set()
            assert placeholders(plural) - optional <= placeholders(form) <= placeholders(singular + plural), message.id


def placeholders(text: str) -> set[str]:
    return {f"%({part.split(')')[0]})s" for part in text.split("%(")[1:]}


def test_what_the_framework_refuses_is_said_too() -> None:
    found = {sentence.singular for sentence in sentences(KIT)}
    assert {title for _code, title in edge.HTTP_TITLES.values()} <= found


def test_sentences_are_found_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text(
        '{{ _("In a page") }}{{ c.button(_("In a call", x=1)) }}{{ ngettext("%(num)s day", "%(num)s days", n) }}'
    )
    (tmp_path / "a.py").write_text(
        'x = _("In Python", limit=3)\nclass A(Refusal):\n    code, status, title = "a", 404, "A title."\n'
    )
    assert {(s.singular, s.plural) for s in sentences(tmp_path)} == {
        ("In a page", None),
        ("In a call", None),
        ("%(num)s day", "%(num)s days"),
        ("In Python", None),
        ("A title.", None),
    }


def test_an_untranslated_sentence_is_missing_until_every_form_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('ngettext("%(num)s day", "%(num)s days", n)\n_("Hello")')
    assert update(tmp_path, Locale.AR) == 2
    file = tmp_path / "locales" / "ar.po"
    said = file.read_text().replace('msgid "Hello"\nmsgstr ""', 'msgid "Hello"\nmsgstr "سلام"')
    file.write_text(said.replace('msgstr[0] ""', 'msgstr[0] "يوم"'))
    assert missing(tmp_path, Locale.AR) == [Sentence("%(num)s day", "%(num)s days")]
    assert update(tmp_path, Locale.AR) == 1, "what was translated stays"


def test_a_message_is_said_in_the_readers_language(catalogs: Catalogs) -> None:
    message = _("Step %(number)s of %(of)s", number=2, of=4)
    assert catalogs.translator(Locale.FR).gettext(message) == "Étape 2 sur 4"
    assert catalogs.translator(Locale.EN).gettext(message) == "Step 2 of 4"


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (Locale.AR, "27 نونبر 2026، 14:05 (خلال 3 أيام)"),
        (Locale.FR, "27 novembre 2026, 14:05 (dans 3 jours)"),
        (Locale.ZGH, "27 ⵏⵓⵡⴰⵏⴱⵉⵔ 2026, 14:05 (ⴷⴰⵔⵜ 3 ⵏ ⵡⵓⵙⵙⴰⵏ)"),
        (Locale.EN, "27 November 2026, 14:05 (in 3 days)"),
    ],
)
def test_an_expiry_is_absolute_and_relative_in_casablanca(catalogs: Catalogs, locale: Locale, text: str) -> None:
    said = catalogs.translator(locale).expiry(NOW + dt.timedelta(days=3), now=NOW)
    assert said.replace("\N{NO-BREAK SPACE}", " ") == text


def test_in_ramadan_casablanca_is_an_hour_earlier(catalogs: Catalogs) -> None:
    assert "12:00" in catalogs.translator(Locale.FR).moment(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC))
    assert "13:00" in catalogs.translator(Locale.FR).moment(dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (dt.timedelta(minutes=-5), "5 ⵏ ⵜⵓⵙⴷⵉⴷⵉⵏ ⴰⵢⴰ"),
        (dt.timedelta(hours=-1), "ⵢⴰⵜ ⵜⵙⵔⴰⴳⵜ ⴰⵢⴰ"),
        (dt.timedelta(days=400), "ⴷⴰⵔⵜ ⵢⴰⵏ ⵓⵙⴳⴳⵯⴰⵙ"),
        (dt.timedelta(0), "ⴷⴰⵔⵜ ⵢⴰⵜ ⵜⵙⵉⵏⵜ"),
    ],
)
def test_amazigh_says_relative_times_that_babel_does_not_know(
    catalogs: Catalogs, delta: dt.timedelta, text: str
) -> None:
    assert catalogs.translator(Locale.ZGH).relative(NOW + delta, now=NOW) == text


def test_a_name_cannot_reorder_its_surroundings() -> None:
    assert strip_controls("fdp.\u202egnp\u2066.exe\x00\x1b\x85\n") == "fdp.gnp.exe"
    assert strip_controls("می\u200cخواهم أحمد\u200f") == "می\u200cخواهم أحمد\u200f"


def test_all_digits_become_ascii() -> None:
    assert ascii_digits("٠١٢٣٤٥٦٧٨٩ ۰۱۲۳۴۵۶۷۸۹ 42 أ") == "0123456789 0123456789 42 أ"
