"""The parameters that only this endpoint has (CIBA Core §7.1), each judged by itself."""

import re
import unicodedata

from idp.backchannel.refusals import InvalidBindingMessage
from idp.backchannel.schema import LIFETIME_MAX_S, LIFETIME_S
from idp.clients.schema import Client
from idp.parameters import Parameters
from idp.refusals import InvalidRequest

BINDING_MESSAGE_MAX = 20
_NOTIFICATION_TOKEN_MAX = 1_024
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_HINTS = ("login_hint", "id_token_hint", "login_hint_token")


def hint_of(parameters: Parameters) -> tuple[str, str]:
    """Name and value of the one hint (§7.1: one and only one)."""
    found = [(name, parameters[name]) for name in _HINTS if name in parameters]
    if len(found) != 1:
        raise InvalidRequest("exactly one of login_hint and id_token_hint")
    if found[0][0] == "login_hint_token":
        raise InvalidRequest("login_hint_token is not supported")
    return found[0]


def binding_message_of(parameters: Parameters) -> str | None:
    """Short, and of characters that every telephone shows and that make no link: letters, digits, spaces, dashes."""
    text = parameters.get("binding_message")
    if text is None:
        return None
    if len(text) > BINDING_MESSAGE_MAX or not all(_plain(character) for character in text) or not text.strip():
        raise InvalidBindingMessage
    return text.strip()


def _plain(character: str) -> bool:
    return character in " -" or unicodedata.category(character) in ("Lu", "Ll", "Lo", "Nd")


def notification_token_of(parameters: Parameters, client: Client) -> str | None:
    """Required of a client that is pinged, meaningless for one that polls (§7.1)."""
    if client.metadata.backchannel_token_delivery_mode != "ping":
        return None
    token = parameters.get("client_notification_token")
    if token is None:
        raise InvalidRequest("client_notification_token is missing")
    if len(token) > _NOTIFICATION_TOKEN_MAX or not _B64TOKEN.fullmatch(token):
        raise InvalidRequest("client_notification_token")
    return token


def lifetime_of(parameters: Parameters) -> int:
    """As asked for, and never longer than ours (§7.1, requested_expiry)."""
    text = parameters.get("requested_expiry")
    if text is None:
        return LIFETIME_S
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise InvalidRequest("requested_expiry: a positive number of seconds")
    return min(int(text), LIFETIME_MAX_S)


def check_user_code(parameters: Parameters) -> None:
    """It would be a secret of the citizen's in the hands of the client: there is none here."""
    if "user_code" in parameters:
        raise InvalidRequest("user_code is not supported")
