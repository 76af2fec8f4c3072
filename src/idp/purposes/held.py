"""What today's registration allows of what was asked for or given."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from idp.authorization.details import LockerDocument
from idp.authorization.schema import AuthorizationRequest
from idp.purposes import store
from idp.purposes.schema import DocumentPurpose
from kit.db import Tx


async def held(tx: Tx, client_id: str, details: Sequence[LockerDocument]) -> list[LockerDocument]:
    """Those that are within their purposes."""
    registered = await known(tx, client_id, details)
    return [detail for detail in details if detail.purpose in registered and not beyond([detail], registered)]


async def is_held(tx: Tx, request: AuthorizationRequest) -> bool:
    """Still, when the answer is about to be given."""
    return await held(tx, request.client_id, request.authorization_details) == [*request.authorization_details]


async def still_held(tx: Tx, client_id: str, given: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The same of what a grant holds."""
    details = await held(tx, client_id, msgspec.convert(given, tuple[LockerDocument, ...]))
    return tuple(msgspec.to_builtins(detail) for detail in details)


async def known(tx: Tx, client_id: str, details: Sequence[LockerDocument]) -> dict[str, DocumentPurpose]:
    """The purposes that they name and that stand. Who asks for no documents costs no query."""
    if not details:
        return {}
    return await store.purposes(tx, client_id=client_id, purpose_ids=[detail.purpose for detail in details])


def beyond(details: Sequence[LockerDocument], known: Mapping[str, DocumentPurpose]) -> list[str]:
    """What of them their own purpose does not allow, as ``TYPE`` or ``TYPE.field``.

    Who may see a whole document may see fields of it; who may see fields may not see the whole. Fields of a detail are
    those of each of its types.
    """
    return sorted({name for detail in details for name in _beyond(detail, known[detail.purpose])})


def _beyond(detail: LockerDocument, purpose: DocumentPurpose) -> set[str]:
    whole = {allowed.type for allowed in purpose.documents if allowed.fields is None}
    fields = {f"{allowed.type}.{name}" for allowed in purpose.documents for name in allowed.fields or ()}
    asked = {
        f"{type_}.{name}" if name else type_
        for type_ in detail.document_types
        if type_ not in whole
        for name in detail.fields or ("",)
    }
    return asked - fields
