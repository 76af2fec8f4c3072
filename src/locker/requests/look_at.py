"""What a citizen sees before answering: who asks, what for, what is new since the last time."""

from kit.db import Database
from kit.throttle import Limit, Throttle
from kit.tokens import digest
from locker.catalogue.find_type import find_type
from locker.documents.fields import labels
from locker.requests import store
from locker.requests.ask import beyond, merged
from locker.requests.refusals import RequestUnknown
from locker.requests.schema import Asked, AskedOf, DocumentRequest, RequestForCitizen

_GUESSES = Limit("request-guess", attempts=30, per_s=60)
_CANDIDATES_MAX = 10


async def open_request(db: Database, throttle: Throttle, token: str, *, owner: str) -> DocumentRequest:
    """Raises RequestUnknown, also where its purpose allows less by now; TooManyRequests to a citizen who guesses."""
    found = await store.by_token(db, token_sha256=digest(token))
    if found is None:
        await throttle.count(db, _GUESSES, owner)
        raise RequestUnknown
    if beyond(found.documents, found.registered):
        raise RequestUnknown
    return found


async def look_at(db: Database, throttle: Throttle, token: str, *, owner: str) -> RequestForCitizen:
    """Raises as ``open_request``."""
    request = await open_request(db, throttle, token, owner=owner)
    before = await store.last_answer(db, owner=owner, client_id=request.client_id, purpose_id=request.purpose_id)
    return RequestForCitizen(
        request_id=request.request_id,
        client_id=request.client_id,
        names=request.names,
        purpose=request.purpose,
        purpose_version=request.purpose_version,
        expires_at=request.expires_at,
        asked_before=before is not None,
        documents=[await _asked_of(db, asked, before, owner=owner) for asked in request.documents],
    )


async def _asked_of(db: Database, asked: Asked, before: list[Asked] | None, *, owner: str) -> AskedOf:
    type_ = await find_type(db, asked.type)
    schema = type_.fields.get("properties", {}) if type_ else {}
    properties = schema if isinstance(schema, dict) else {}
    described = {name: properties.get(name) for name in asked.fields or ()}
    return AskedOf(
        asked=asked,
        type_names={} if type_ is None else {tag: getattr(type_.names, tag) for tag in ("ar", "fr", "zgh", "en")},
        field_names={name: labels(name, own if isinstance(own, dict) else {}) for name, own in described.items()},
        new=[] if before is None else grown(asked, before),
        candidates=await store.candidates(db, owner=owner, type_=asked.type, limit=_CANDIDATES_MAX),
    )


def grown(asked: Asked, before: list[Asked]) -> list[str]:
    """What of it was not asked for before: names of fields, ``""`` for the whole document."""
    known = frozenset(part for each in merged(before) for part in each.parts)
    if (asked.type, None) in known:
        return []
    return sorted(name or "" for type_, name in asked.parts if (type_, name) not in known)
