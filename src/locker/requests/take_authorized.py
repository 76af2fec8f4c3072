"""A relying party takes what a citizen allowed it at sign-in: the detail ``locker_document`` becomes a share."""

import datetime as dt
from typing import NamedTuple

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale
from kit.ids import new_public_id
from kit.throttle import Limit
from kit.tokens import digest
from locker.access.bearer import CitizenCaller, Granted
from locker.documents.schema import name_in
from locker.requests import store
from locker.requests.ask import beyond, merged, refuse_too_wide
from locker.requests.held_fields import held_fields
from locker.requests.refusals import (
    AuthorizationEnded,
    AuthorizationUsed,
    DetailNotGiven,
    NothingHeld,
    PurposeUnknown,
    RequestTooWide,
)
from locker.requests.schema import Asked, Authorized, KeptAuthorization, LockerDocument, Purpose
from locker.requests.sealed_link import SealedLinks
from locker.shares.create import Prepared, Sharer, prepare, record
from locker.shares.desk import ShareDesk
from locker.shares.list_shares import find_share
from locker.shares.schema import LIFETIME_S, OPENINGS, NewShare, Share

_TAKEN = Limit("authorized", attempts=600, per_s=60)
"""By relying party."""
_TAKEN_OF = Limit("authorized-of", attempts=30, per_s=60)
"""By relying party and citizen: what is too wide is counted for all to see, and one citizen's token makes no number."""
ONCE_S = 900
"""How long what was allowed once waits for its one opening."""
_DAY_S = 86_400


class _Take(NamedTuple):
    """Whose detail of whom, and by what it is known again."""

    caller: CitizenCaller
    granted: Granted
    detail: LockerDocument
    purpose: Purpose
    key: bytes


async def take_authorized(
    desk: ShareDesk,
    links: SealedLinks,
    detail: LockerDocument,
    *,
    caller: CitizenCaller,
    granted: Granted,
    locale: Locale,
) -> Authorized:
    """The share of this detail: the same one again while it lives; of a detail until a day the next one after it.

    Raises DetailNotGiven, PurposeUnknown, RequestTooWide (which counts in the public figures), NothingHeld,
    AuthorizationUsed, AuthorizationEnded, TooManyRequests.
    """
    await desk.throttle.count(desk.db, _TAKEN, caller.client_id)
    await desk.throttle.count(desk.db, _TAKEN_OF, f"{caller.client_id}|{caller.owner}")
    documents, purpose = await _held_to_registration(desk, detail, caller=caller, granted=granted)
    take = _Take(caller, granted, detail, purpose, _key(detail, granted))
    kept = await _kept(desk, take)
    if kept is not None and (standing := await _standing(desk, take, kept)):
        return _said(links, take, kept, standing, is_new=False)
    made = await _make(desk, links, take, documents, locale=locale, instead_of=kept.share_id if kept else None)
    kept = await _kept(desk, take)
    if kept is None:
        # An officer changed it between our look and now; asked again, it is judged by what it is then.
        raise PurposeUnknown
    share = await _standing(desk, take, kept)
    if share is None:
        # Somebody else took it between our look and now, and it is over already.
        raise AuthorizationUsed
    return _said(links, take, kept, share, is_new=made)


async def _held_to_registration(
    desk: ShareDesk, detail: LockerDocument, *, caller: CitizenCaller, granted: Granted
) -> tuple[list[Asked], Purpose]:
    if detail.canonical not in _canonical(granted) or (detail.until and detail.until < _today()):
        raise DetailNotGiven
    purpose = await store.purpose(desk.db, client_id=caller.client_id, purpose_id=detail.purpose)
    if purpose is None:
        raise PurposeUnknown
    documents = merged([Asked(type=type_, fields=list(detail.fields) or None) for type_ in detail.document_types])
    if wider := beyond(documents, purpose.documents):
        await refuse_too_wide(desk.db, desk.audit, caller.client_id, detail.purpose, wider)
        raise RequestTooWide(members={"beyond": wider[:20]})
    return documents, purpose


def _canonical(granted: Granted) -> list[bytes]:
    """Those that we know; of a type or a form of a later provider we give nothing."""
    known = []
    for given in granted.authorization_details:
        try:
            known.append(msgspec.convert(given, LockerDocument).canonical)
        except msgspec.ValidationError:
            continue
    return known


def _key(detail: LockerDocument, granted: Granted) -> bytes:
    """What is for once is so for each answer of the citizen; what is until a day is one as long as the connection."""
    answer = granted.authorization_id if detail.once else ""
    return digest(f"{answer}|{detail.canonical.decode()}")


async def _kept(desk: ShareDesk, take: _Take) -> KeptAuthorization | None:
    return await store.authorized(desk.db, owner=take.caller.owner, grant_id=take.granted.grant_id, detail_key=take.key)


async def _standing(desk: ShareDesk, take: _Take, kept: KeptAuthorization) -> Share | None:
    """The share that was made of it, if it lives; None where the next one may be made.

    Raises AuthorizationEnded, AuthorizationUsed.
    """
    share = await find_share(desk.db, owner=take.caller.owner, share_id=kept.share_id)
    if share.live:
        return share
    if share.revoked_at:
        raise AuthorizationEnded
    if take.detail.once:
        raise AuthorizationUsed
    return None


async def _make(
    desk: ShareDesk,
    links: SealedLinks,
    take: _Take,
    documents: list[Asked],
    *,
    locale: Locale,
    instead_of: str | None,
) -> bool:
    """False where somebody else was first. Raises NothingHeld."""
    share_id = new_public_id()
    prepared = await _prepare(desk, take, documents, locale=locale, share_id=share_id)
    sealed = links.seal(prepared.token, of=share_id)
    over_at = _now() + dt.timedelta(seconds=_DAY_S) if take.detail.until is None else _end_of(take.detail.until)
    sharer = Sharer(owner=take.caller.owner, kind="client", actor=take.caller.client_id)

    async def within(tx: Tx) -> bool:
        if not await store.keep_authorized(
            tx,
            owner=take.caller.owner,
            grant_id=take.granted.grant_id,
            detail_key=take.key,
            purpose=take.purpose,
            share_id=share_id,
            link_sealed=sealed,
            over_at=over_at,
            instead_of=instead_of,
        ):
            return False
        await record(desk, tx, prepared, sharer=sharer, share_id=share_id, pin_mac=None, grant_id=take.granted.grant_id)
        if instead_of is None:
            # Asked and given with one answer; the shares that follow one another are all of that answer.
            await store.count(tx, client_id=take.caller.client_id, what="asked")
            await store.count(tx, client_id=take.caller.client_id, what="given")
        await desk.audit.append(
            tx,
            AuditEvent(
                action="request.authorized",
                actor_kind="client",
                actor=take.caller.client_id,
                owner=take.caller.owner,
                object_id=share_id,
                purpose=take.detail.purpose,
                detail={"types": list(take.detail.document_types), "once": take.detail.once},
            ),
        )
        return True

    return await desk.db.transact(within)


async def _prepare(desk: ShareDesk, take: _Take, documents: list[Asked], *, locale: Locale, share_id: str) -> Prepared:
    """Of each type the newest document that is valid today; of fields those that it has."""
    owner = take.caller.owner
    fields: dict[str, list[str]] = {}
    chosen: list[str] = []
    for asked in documents:
        for newest in await store.candidates(desk.db, owner=owner, type_=asked.type, limit=1):
            if asked.fields is not None:
                held = await held_fields(desk, asked.fields, owner=owner, document_id=newest.document_id)
                if not held:
                    continue
                fields[newest.document_id] = held
            chosen.append(newest.document_id)
    if not chosen:
        raise NothingHeld
    new = NewShare(
        documents=chosen,
        fields=fields,
        recipient=name_in(take.purpose.names, locale)[:200],
        purpose=name_in(take.purpose.purpose, locale)[:200],
        until=_until(take.detail),
        openings=1 if take.detail.once else OPENINGS,
        client_id=take.caller.client_id,
        view_only=False,
    )
    return await prepare(desk, new, owner=owner, share_id=share_id)


def _until(detail: LockerDocument) -> dt.datetime | None:
    """None: as long as any share, which the database's clock says."""
    if detail.until is None:
        return _now() + dt.timedelta(seconds=ONCE_S)
    end = _end_of(detail.until)
    return end if end < _now() + dt.timedelta(seconds=LIFETIME_S) else None


def _end_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _today() -> dt.date:
    return _now().date()


def _said(links: SealedLinks, take: _Take, kept: KeptAuthorization, share: Share, *, is_new: bool) -> Authorized:
    there = {document.type for document in share.documents}
    return Authorized(
        share_id=share.share_id,
        token=links.open(kept.link_sealed, of=kept.share_id),
        until=share.until,
        missing=[type_ for type_ in take.detail.document_types if type_ not in there],
        is_new=is_new,
    )
