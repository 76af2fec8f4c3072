from typing import Any

import msgspec

from kit.i18n import Locale
from locker.documents.schema import name_in
from locker.requests.schema import AskedOf, RequestForCitizen


class AskedView(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    name: str
    fields: list[tuple[str, bool]]
    """Labels, and whether they are new since the last time; none for the whole document."""
    is_new: bool
    """The document as a whole."""
    options: list[tuple[str, str, Any]]
    """Value, issuer, hint."""


def asked_views(request: RequestForCitizen, locale: Locale) -> list[AskedView]:
    return [_view(each, locale) for each in request.documents]


def _view(each: AskedOf, locale: Locale) -> AskedView:
    return AskedView(
        type=each.asked.type,
        name=name_in(each.type_names, locale) or each.asked.type,
        fields=[
            (name_in(each.field_names.get(name, {}), locale) or name, name in each.new)
            for name in each.asked.fields or ()
        ],
        is_new="" in each.new,
        options=[
            (candidate.document_id, name_in(candidate.issuer_names, locale), candidate.valid_until)
            for candidate in each.candidates
        ],
    )
