"""A relying party asks: never for more than is registered."""

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_public_id
from kit.throttle import Limit, Throttle
from kit.tokens import digest, new_token
from locker.requests import store
from locker.requests.refusals import PurposeUnknown, RequestTooWide, RequestUnknown
from locker.requests.schema import Asked, DocumentRequest, NewRequest, Purpose

_ASKED = Limit("requests", attempts=600, per_s=60)


async def ask(
    db: Database, audit: Audit, throttle: Throttle, new: NewRequest, *, client_id: str
) -> tuple[DocumentRequest, str]:
    """The request, and the token of the address that the citizen opens.

    Raises PurposeUnknown, RequestTooWide (which counts in the public figures), TooManyRequests.
    """
    await throttle.count(db, _ASKED, client_id)
    registered = await store.purpose(db, client_id=client_id, purpose_id=new.purpose)
    if registered is None:
        raise PurposeUnknown
    documents = merged(new.documents or registered.documents)
    if beyond := sorted(_names(documents) - _allowed(documents, registered)):
        await _refuse(db, audit, client_id, new.purpose, beyond)
        raise RequestTooWide(members={"beyond": beyond[:20]})
    request_id, token = new_public_id(), new_token()

    async def within(tx: Tx) -> DocumentRequest:
        await store.insert(
            tx,
            request_id=request_id,
            token_sha256=digest(token),
            client_id=client_id,
            purpose_id=new.purpose,
            documents=documents,
            lifetime_s=new.lifetime_s,
        )
        await store.count(tx, client_id=client_id, what="asked")
        made = await store.by_id(tx, request_id=request_id, client_id=client_id)
        assert made is not None
        return made

    return await db.transact(within), token


async def find_request(db: Database, *, request_id: str, client_id: str) -> DocumentRequest:
    """Raises RequestUnknown."""
    found = await store.by_id(db, request_id=request_id, client_id=client_id)
    if found is None:
        raise RequestUnknown
    return found


def merged(documents: list[Asked]) -> list[Asked]:
    """One for each type: the whole document where any of them means it, else all fields in the order asked."""
    by_type: dict[str, Asked] = {}
    for asked in documents:
        other = by_type.get(asked.type)
        if other is None:
            by_type[asked.type] = asked
        elif other.fields is None or asked.fields is None:
            by_type[asked.type] = Asked(type=asked.type)
        else:
            by_type[asked.type] = Asked(type=asked.type, fields=[*other.fields, *asked.fields])
    return [
        Asked(type=asked.type, fields=list(dict.fromkeys(asked.fields))) if asked.fields else asked
        for asked in by_type.values()
    ]


def _names(documents: list[Asked]) -> set[str]:
    return {f"{type_}.{name}" if name else type_ for asked in documents for type_, name in asked.parts}


def _allowed(documents: list[Asked], registered: Purpose) -> set[str]:
    """Who may see a whole document may see fields of it; who may see fields may not see the whole."""
    allowed = merged(registered.documents)
    whole = {asked.type for asked in allowed if asked.fields is None}
    fields = _names(allowed)
    return {name for name in _names(documents) if name.partition(".")[0] in whole or name in fields}


async def _refuse(db: Database, audit: Audit, client_id: str, purpose_id: str, beyond: list[str]) -> None:
    async def within(tx: Tx) -> None:
        await store.count(tx, client_id=client_id, what="refused")
        await audit.append(
            tx,
            AuditEvent(
                action="request.refused",
                actor_kind="client",
                actor=client_id,
                result=RequestTooWide.code,
                detail={"purpose": purpose_id, "beyond": beyond[:20]},
            ),
        )

    await db.transact(within)
