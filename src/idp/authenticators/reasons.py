"""The reasons of PasswordRefused, as sentences beside the field."""

from idp.authenticators.refusals import PasswordRefused
from kit.i18n import Message, _


def reason_of(refusal: PasswordRefused) -> Message:
    match refusal.detail:
        case "length":
            return _("Use at least 8 characters. A sentence is good.")
        case "characters":
            return _("This password has characters that cannot be typed everywhere.")
        case "common":
            return _("This password is on lists that thieves try first. Choose another one.")
        case _:
            return _("This password is made of your name, birth date or identifier. Choose another one.")
