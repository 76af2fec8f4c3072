"""Make a share, and say its link once."""

import datetime as dt

import msgspec

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database, Tx
from kit.i18n import strip_controls
from kit.ids import new_public_id
from kit.throttle import Limit, Throttle
from kit.tokens import digest, new_token
from locker.documents import read_store
from locker.documents.refusals import DocumentUnknown
from locker.shares import caveats, store
from locker.shares.pin import Pins
from locker.shares.refusals import LimitTooWide
from locker.shares.schema import LIFETIME_MAX_S, LIFETIME_S, Created, NewShare

FLOOD = Limit("share-create", attempts=60, per_s=60)


class Sharer(msgspec.Struct, frozen=True, kw_only=True):
    """Who shares for ``owner``: the citizen at our pages, or a wallet app with the citizen's token."""

    owner: str
    kind: ActorKind = "citizen"
    actor: str


async def create(
    db: Database, audit: Audit, throttle: Throttle, pins: Pins, new: NewShare, *, sharer: Sharer
) -> Created:
    """Raises DocumentUnknown (K-17), LimitTooWide (K-18), TooManyRequests (K-22)."""
    await throttle.count(db, FLOOD, sharer.owner)
    share_id = new_public_id()
    pin_mac = pins.mac(new.pin, share_id=share_id) if new.pin else None

    async def within(tx: Tx) -> Created:
        return await record(tx, audit, new, sharer=sharer, share_id=share_id, pin_mac=pin_mac)

    return await db.transact(within)


async def record(
    tx: Tx, audit: Audit, new: NewShare, *, sharer: Sharer, share_id: str, pin_mac: bytes | None
) -> Created:
    """Inside a transaction: the share, its documents and its line in the history, or none of them."""
    document_ids = list(dict.fromkeys(new.documents))
    until = new.until or await store.database_time(tx) + dt.timedelta(seconds=LIFETIME_S)
    token = new_token()
    inserted = await store.insert(
        tx,
        owner=sharer.owner,
        share_id=share_id,
        token_sha256=digest(token),
        caveats=_caveats(new, document_ids, until, asks_pin=pin_mac is not None),
        recipient=_line(new.recipient),
        purpose=_line(new.purpose),
        until=until,
        openings_max=new.openings,
        pin_mac=pin_mac,
        client_id=new.client_id,
        view_only=new.view_only,
        lifetime_max_s=LIFETIME_MAX_S,
    )
    if not inserted:
        raise LimitTooWide
    held = await store.insert_documents(tx, owner=sharer.owner, share_id=share_id, document_ids=document_ids)
    if held != len(document_ids):
        raise DocumentUnknown
    documents = await read_store.chosen(tx, owner=sharer.owner, document_ids=document_ids)
    await audit.append(
        tx,
        AuditEvent(
            action="share.created",
            actor_kind=sharer.kind,
            actor=sharer.actor,
            owner=sharer.owner,
            object_id=share_id,
            purpose=_line(new.purpose),
            detail={
                "types": [document.type for document in documents],
                "documents": document_ids,
                "openings": new.openings,
                "view_only": new.view_only,
            },
        ),
    )
    return Created(share_id=share_id, token=token, until=until)


def _caveats(new: NewShare, document_ids: list[str], until: dt.datetime, *, asks_pin: bool) -> list[caveats.Caveat]:
    listed: list[caveats.Caveat] = [
        caveats.Documents(tuple(document_ids)),
        caveats.Until(until),
        caveats.Openings(new.openings),
        caveats.Purpose(_line(new.purpose)),
    ]
    if new.client_id:
        listed.append(caveats.OnlyForClient(new.client_id))
    if asks_pin:
        listed.append(caveats.Pin())
    if new.view_only:
        listed.append(caveats.ViewOnly())
    return listed


def _line(text: str) -> str:
    """One line without controls (K-20)."""
    return " ".join(strip_controls(text.replace("\n", " ").replace("\r", " ")).split())
