"""A relying party asks: never for more than is registered."""

import re

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Invalid
from kit.ids import new_public_id
from kit.throttle import Limit, Throttle
from kit.tokens import digest, new_token
from locker.catalogue.find_type import find_type
from locker.disclosing.refusals import FieldUnknown
from locker.requests import store
from locker.requests.refusals import PurposeUnknown, RequestTooWide, RequestUnknown
from locker.requests.schema import FIELDS_MAX, Asked, DocumentRequest, NewRequest, Purpose

_ASKED = Limit("requests", attempts=600, per_s=60)
_REQUEST_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


async def ask(
    db: Database, audit: Audit, throttle: Throttle, new: NewRequest, *, client_id: str
) -> tuple[DocumentRequest, str]:
    """The request, and the token of the address that the citizen opens.

    Raises PurposeUnknown, RequestTooWide (which counts in the public figures), FieldUnknown, TooManyRequests.
    """
    await throttle.count(db, _ASKED, client_id)
    registered = await store.purpose(db, client_id=client_id, purpose_id=new.purpose)
    if registered is None:
        raise PurposeUnknown
    documents = merged(new.documents or registered.documents)
    if wider := beyond(documents, registered.documents):
        await refuse_too_wide(db, audit, client_id, new.purpose, wider)
        raise RequestTooWide(members={"beyond": wider[:20]})
    await _refuse_unknown_fields(db, documents, registered)
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
    found = None
    if _REQUEST_ID.fullmatch(request_id):
        found = await store.by_id(db, request_id=request_id, client_id=client_id)
    if found is None:
        raise RequestUnknown
    return found


def merged(documents: list[Asked]) -> list[Asked]:
    """One for each type: the whole document where any of them means it, else all fields in the order asked.

    Invalid for more fields of one type than one may name.
    """
    by_type: dict[str, Asked] = {}
    for asked in documents:
        other = by_type.get(asked.type)
        if other is None:
            by_type[asked.type] = asked
        elif other.fields is None or asked.fields is None:
            by_type[asked.type] = Asked(type=asked.type)
        else:
            by_type[asked.type] = Asked(type=asked.type, fields=[*other.fields, *asked.fields])
    found = [
        Asked(type=asked.type, fields=list(dict.fromkeys(asked.fields))) if asked.fields else asked
        for asked in by_type.values()
    ]
    if any(len(asked.fields or ()) > FIELDS_MAX for asked in found):
        raise Invalid(f"documents: at most {FIELDS_MAX} fields of one type")
    return found


def beyond(documents: list[Asked], registered: list[Asked]) -> list[str]:
    """What of it is not registered, as ``TYPE`` or ``TYPE.field``.

    Who may see a whole document may see fields of it; who may see fields may not see the whole.
    """
    allowed = merged(registered)
    whole = {asked.type for asked in allowed if asked.fields is None}
    fields = _names(allowed)
    return sorted(name for name in _names(documents) if name.partition(".")[0] not in whole and name not in fields)


def _names(documents: list[Asked]) -> set[str]:
    return {f"{type_}.{name}" if name else type_ for asked in documents for type_, name in asked.parts}


async def _refuse_unknown_fields(db: Database, documents: list[Asked], registered: Purpose) -> None:
    """Citizens read the names of fields: they are those of an officer or of the type, never the asker's own words."""
    known = _names(registered.documents)
    for asked in documents:
        named = {name for name in asked.fields or () if f"{asked.type}.{name}" not in known}
        if not named:
            continue
        type_ = await find_type(db, asked.type)
        properties = type_.fields.get("properties") if type_ else None
        if not isinstance(properties, dict) or not named <= properties.keys():
            raise FieldUnknown


async def refuse_too_wide(db: Database, audit: Audit, client_id: str, purpose_id: str, beyond: list[str]) -> None:
    """Counts it for all to see."""

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
