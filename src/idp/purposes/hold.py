"""A service asks at sign-in for no more of a citizen's documents than is registered."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from idp.authorization.details import DetailsRefused, LockerDocument
from idp.authorization.schema import AuthorizationRequest
from idp.purposes import store
from idp.purposes.schema import DocumentPurpose
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def hold(db: Database, audit: Audit, request: AuthorizationRequest, *, is_proven: bool) -> None:
    """Raises DetailsRefused for a detail of no registered purpose, and for one that is wider than its purpose.

    The latter is counted for all to see where the client proved who it is (``is_proven``): anybody can write a link
    in a service's name.
    """
    details = request.authorization_details
    known = await _known(db, request.client_id, details)
    if any(detail.purpose not in known for detail in details):
        raise DetailsRefused("purpose: none of that name is registered for this client")
    if wider := beyond(details, known):
        if is_proven:
            await _count(db, audit, request.client_id, wider)
        raise DetailsRefused("more than what is registered for this purpose")


async def is_held(tx: Tx, request: AuthorizationRequest) -> bool:
    """Still, when the answer is about to be given."""
    return await held(tx, request.client_id, request.authorization_details) == [*request.authorization_details]


async def held(tx: Tx, client_id: str, details: Sequence[LockerDocument]) -> list[LockerDocument]:
    """Those that today's registration allows."""
    known = await _known(tx, client_id, details)
    return [detail for detail in details if detail.purpose in known and not beyond([detail], known)]


async def still_held(tx: Tx, client_id: str, given: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The same of what a grant holds."""
    details = await held(tx, client_id, msgspec.convert(given, tuple[LockerDocument, ...]))
    return tuple(msgspec.to_builtins(detail) for detail in details)


async def texts(tx: Tx, request: AuthorizationRequest, language: str) -> dict[str, str]:
    """Purpose → what it says in this language."""
    known = await _known(tx, request.client_id, request.authorization_details)
    return {purpose_id: getattr(purpose.purpose, language) for purpose_id, purpose in known.items()}


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


async def _known(tx: Tx, client_id: str, details: Sequence[LockerDocument]) -> dict[str, DocumentPurpose]:
    if not details:
        return {}
    return await store.purposes(tx, client_id=client_id, purpose_ids=[detail.purpose for detail in details])


async def _count(db: Database, audit: Audit, client_id: str, wider: list[str]) -> None:
    detail: dict[str, Any] = {"beyond": wider[:20]}

    async def within(tx: Tx) -> None:
        await store.count_refused(tx, client_id=client_id)
        await audit.append(
            tx,
            AuditEvent(
                action="authorization.too-wide",
                actor_kind="client",
                actor=client_id,
                object_id=client_id,
                result="invalid_authorization_details",
                detail=detail,
            ),
        )

    await db.transact(within)
