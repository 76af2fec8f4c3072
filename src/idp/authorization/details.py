"""Authorization details (RFC 9396): what is asked for in more words than a scope has. One type is registered."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from idp.authorization.refusals import AuthorizationError
from kit import strict_json

LOCKER_DOCUMENT = "locker_document"
TYPES = (LOCKER_DOCUMENT,)
_DETAILS_MAX = 10
_UNTIL_MAX = dt.timedelta(days=731)

DocumentTypeCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,16}$")]
FieldName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class LockerDocument(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Documents of the citizen's locker, or some of their fields: once, or as often as needed until a day.

    No ``fields`` means the whole document. ``purpose`` names one that an officer registered for the service, which says
    what may be asked for and in what words citizens read it.
    """

    type: Literal["locker_document"]
    document_types: Annotated[tuple[DocumentTypeCode, ...], Meta(min_length=1, max_length=20)]
    fields: Annotated[tuple[FieldName, ...], Meta(max_length=50)] = ()
    purpose: Annotated[str, Meta(min_length=1, max_length=300)]
    once: bool = False
    until: dt.date | None = None


def read_details(text: str, *, registered: tuple[str, ...], today: dt.date) -> tuple[LockerDocument, ...]:
    """AuthorizationError for a type that the client has not registered, and for any member that the type has not."""
    try:
        details = strict_json.decode(text, tuple[LockerDocument, ...])
    except strict_json.MemberTwice as twice:
        raise DetailsRefused(str(twice)) from None
    except msgspec.DecodeError as fault:
        raise DetailsRefused(_where(fault)) from None
    if LOCKER_DOCUMENT not in registered:
        raise DetailsRefused("type: this client has not registered it")
    if not 0 < len(details) <= _DETAILS_MAX:
        raise DetailsRefused(f"1 to {_DETAILS_MAX} of them")
    for detail in details:
        if detail.once == (detail.until is not None):
            raise DetailsRefused("either once or until")
        if detail.until is not None and not today <= detail.until <= today + _UNTIL_MAX:
            raise DetailsRefused("until: from today to two years ahead")
        if not detail.purpose.isprintable():
            raise DetailsRefused("purpose: one line")
    return details


def narrowed_details(
    text: str, given: Sequence[Mapping[str, Any]], *, registered: tuple[str, ...], today: dt.date
) -> tuple[dict[str, Any], ...]:
    """What a token request asks for of what was given (RFC 9396 §6). AuthorizationError unless each detail is inside
    one that was given: the same purpose, no more document types and fields, no longer and no oftener."""
    asked = read_details(text, registered=registered, today=today)
    wholes = msgspec.convert(given, tuple[LockerDocument, ...])
    if not all(any(_within(detail, whole) for whole in wholes) for detail in asked):
        raise DetailsRefused("more than what was given")
    return tuple(msgspec.to_builtins(detail) for detail in asked)


def _within(detail: LockerDocument, whole: LockerDocument) -> bool:
    return (
        detail.purpose == whole.purpose
        and set(detail.document_types) <= set(whole.document_types)
        # No fields: the whole document.
        and (not whole.fields or (bool(detail.fields) and set(detail.fields) <= set(whole.fields)))
        and (whole.until is None) == (detail.until is None)
        and (whole.until is None or detail.until is None or detail.until <= whole.until)
    )


def lasting(details: Sequence[Mapping[str, Any]], *, today: dt.date) -> tuple[dict[str, Any], ...]:
    """Of details that were given, those that still hold when tokens are given anew: what was for once is not, what was
    until a day is until then."""
    return tuple(dict(detail) for detail in details if detail.get("until", "") >= today.isoformat())


class DetailsRefused(AuthorizationError):
    def __init__(self, description: str) -> None:
        super().__init__("invalid_authorization_details", description)


def _where(fault: msgspec.DecodeError) -> str:
    """The place, never what stood there."""
    _, at, path = str(fault).rpartition(" - at `")
    return f"not of a known type and form at {path.rstrip('`')}" if at else "not of a known type and form"
