"""A message in the four languages at once."""

from collections.abc import Callable

from kit.i18n import Locale, Message, Translator
from locker.reports.schema import Meaning, Reason, Said
from locker.reports.sub_indications import SUB_INDICATIONS
from locker.signatures.reasons import REASONS

Translators = Callable[[Locale], Translator]


def in_each(translators: Translators, message: Callable[[Locale], Message]) -> Said:
    """``message`` for a locale, because a name in it may have a form of its own there."""
    said = {locale.value: translators(locale).gettext(message(locale)) for locale in Locale}
    return Said(**said)


def say(translators: Translators, message: Message) -> Said:
    return in_each(translators, lambda _locale: message)


def say_reason(translators: Translators, code: str) -> Reason:
    """A code that has no sentence yet is said as it is."""
    return Reason(code=code, says=say(translators, REASONS.get(code, Message(code))))


def say_meaning(translators: Translators, sub_indication: str | None) -> Meaning | None:
    explained = SUB_INDICATIONS.get(sub_indication or "")
    if explained is None:
        return None
    return Meaning(means=say(translators, explained.means), next=say(translators, explained.next))
