"""Make a share, and say its link once."""

import datetime as dt
import unicodedata

import msgspec

from kit.audit import ActorKind, AuditEvent
from kit.db import Tx, database_time
from kit.errors import Invalid
from kit.i18n import strip_controls
from kit.ids import new_public_id
from kit.throttle import Limit
from kit.tokens import digest, new_token
from locker.disclosing.make_credential import About, make_credential
from locker.disclosing.refusals import FieldUnknown
from locker.disclosing.schema import Sealed
from locker.disclosing.share_key import new_share_key, seal, wrap
from locker.documents import read_store
from locker.documents.fields import open_fields
from locker.documents.refusals import DocumentUnknown
from locker.shares import caveats, store
from locker.shares.desk import ShareDesk
from locker.shares.pin import normalised
from locker.shares.refusals import LimitsClash, LimitTooWide, NothingShared
from locker.shares.schema import FACE_TO_FACE_S, LIFETIME_S, OPENINGS, Created, NewShare
from locker.shares.tell_ended import tell_ended
from locker.uploads.refusals import UploadUnknown
from locker.uploads.shared import share as share_uploads

FLOOD = Limit("share-create", attempts=60, per_s=60)


class Sharer(msgspec.Struct, frozen=True, kw_only=True):
    """Who shares for ``owner``: the citizen at our pages, or a wallet app with the citizen's token."""

    owner: str
    kind: ActorKind = "citizen"
    actor: str


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """All that is made before the transaction: secrets, times, and the credentials of single fields."""

    new: NewShare
    token: str
    until: dt.datetime
    open_until: dt.datetime | None
    key_wrapped: bytes | None
    code: str | None
    code_wrapped: bytes | None
    sealed: list[Sealed]


async def create(desk: ShareDesk, new: NewShare, *, sharer: Sharer) -> Created:
    """Raises NothingShared, DocumentUnknown and UploadUnknown (K-17), FieldUnknown, LimitTooWide, LimitsClash (K-18),
    TooManyRequests (K-22)."""
    await desk.throttle.count(desk.db, FLOOD, sharer.owner)
    share_id = new_public_id()
    pin = normalised(new.pin or "")
    pin_mac = desk.pins.mac(pin, share_id=share_id) if pin else None
    prepared = await prepare(desk, new, owner=sharer.owner, share_id=share_id)

    async def within(tx: Tx) -> Created:
        return await record(desk, tx, prepared, sharer=sharer, share_id=share_id, pin_mac=pin_mac)

    return await desk.db.transact(within)


async def prepare(desk: ShareDesk, new: NewShare, *, owner: str, share_id: str) -> Prepared:
    """Outside a transaction: fields are opened and signed here. Raises DocumentUnknown, FieldUnknown, LimitsClash."""
    if not new.documents and not new.uploads:
        raise NothingShared
    if not (_says_something(new.recipient) and _says_something(new.purpose)):
        raise Invalid("recipient, purpose: nothing that can be read")
    if new.face_to_face and (new.until or new.pin or new.client_id or new.openings != OPENINGS):
        raise LimitsClash
    now = await database_time(desk.db)
    open_until = now + dt.timedelta(seconds=FACE_TO_FACE_S) if new.face_to_face else None
    if open_until:
        until = open_until + dt.timedelta(seconds=desk.viewing_s)
    else:
        until = in_utc(new.until) or now + dt.timedelta(seconds=min(LIFETIME_S, desk.lifetime_max_s))
    token = new_token()
    code = desk.codes.of_token(token) if new.face_to_face else None
    if not new.fields:
        return Prepared(
            new=new,
            token=token,
            until=until,
            open_until=open_until,
            key_wrapped=None,
            code=code,
            code_wrapped=None,
            sealed=[],
        )
    share_key = new_share_key()
    return Prepared(
        new=new,
        token=token,
        until=until,
        open_until=open_until,
        key_wrapped=wrap(share_key, token.encode(), share_id=share_id),
        code=code,
        code_wrapped=wrap(share_key, desk.codes.secret_of(code, share_id=share_id), share_id=share_id)
        if code
        else None,
        sealed=await _sealed(desk, new, share_key, owner=owner, share_id=share_id, now=now, until=until),
    )


async def _sealed(
    desk: ShareDesk,
    new: NewShare,
    share_key: bytes,
    *,
    owner: str,
    share_id: str,
    now: dt.datetime,
    until: dt.datetime,
) -> list[Sealed]:
    if not set(new.fields) <= set(new.documents):
        raise FieldUnknown
    made = []
    for document_id, names in new.fields.items():
        document = await read_store.find(desk.db, owner=owner, document_id=document_id)
        if document is None:
            raise DocumentUnknown
        fields = await open_fields(desk.vault, document)
        disclosed = list(dict.fromkeys(names))
        about = About(
            locker_url=desk.locker_url,
            credential_id=new_public_id(),
            until=until,
            recipient=_line(new.recipient),
            purpose=_line(new.purpose),
            client_id=new.client_id,
        )
        credential = make_credential(desk.signing, document, fields, disclosed, about, now=now)
        made.append(
            Sealed(
                document_id=document_id,
                fields=disclosed,
                credential_id=about.credential_id,
                credential_sealed=seal(credential, share_key, owner=owner, share_id=share_id, document_id=document_id),
            )
        )
    return made


async def record(
    desk: ShareDesk,
    tx: Tx,
    prepared: Prepared,
    *,
    sharer: Sharer,
    share_id: str,
    pin_mac: bytes | None,
    grant_id: str | None = None,
) -> Created:
    """Inside a transaction: the share, its documents and its line in the history, or none of them.

    ``grant_id``: the connection while which alone it opens.
    """
    new, code = prepared.new, prepared.code
    document_ids = list(dict.fromkeys(new.documents))
    openings = 1 if new.face_to_face else new.openings
    open_until = prepared.open_until or prepared.until
    if new.face_to_face:
        # One at a time: fewer codes are alive, so fewer can be hit by chance.
        ended = await store.end_codes(tx, owner=sharer.owner)
        await desk.audit.append_several(tx, [revoked(each, sharer) for each in ended])
        await tell_ended(tx, ended, owner=sharer.owner)
    inserted = await store.insert(
        tx,
        owner=sharer.owner,
        share_id=share_id,
        token_sha256=digest(prepared.token),
        caveats=[
            *_caveats(new, document_ids, open_until, openings, asks_pin=pin_mac is not None),
            *([caveats.WhileConnected()] if grant_id else []),
        ],
        recipient=_line(new.recipient),
        purpose=_line(new.purpose),
        until=prepared.until,
        open_until=prepared.open_until,
        openings_max=openings,
        pin_mac=pin_mac,
        client_id=new.client_id,
        grant_id=grant_id,
        view_only=new.view_only,
        key_wrapped=prepared.key_wrapped,
        code_mac=desk.codes.mac(code) if code else None,
        code_wrapped=prepared.code_wrapped,
        lifetime_max_s=desk.lifetime_max_s,
    )
    if not inserted:
        raise LimitTooWide
    held = await store.insert_documents(
        tx, owner=sharer.owner, share_id=share_id, document_ids=document_ids, sealed=prepared.sealed
    )
    if held != len(document_ids):
        raise DocumentUnknown
    if not await share_uploads(tx, owner=sharer.owner, share_id=share_id, upload_ids=new.uploads):
        raise UploadUnknown
    documents = await read_store.chosen(tx, owner=sharer.owner, document_ids=document_ids)
    await desk.audit.append(
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
                **({"uploads": new.uploads} if new.uploads else {}),
                "openings": openings,
                "view_only": new.view_only,
                **({"fields": disclosed_names(prepared.sealed)} if prepared.sealed else {}),
            },
        ),
    )
    return Created(share_id=share_id, token=prepared.token, code=code, until=open_until)


def revoked(share_id: str, sharer: Sharer) -> AuditEvent:
    return AuditEvent(
        action="share.revoked",
        actor_kind=sharer.kind,
        actor=sharer.actor,
        owner=sharer.owner,
        object_id=share_id,
    )


def disclosed_names(sealed: list[Sealed]) -> list[str]:
    return list(dict.fromkeys(name for each in sealed for name in each.fields))


def _caveats(
    new: NewShare, document_ids: list[str], until: dt.datetime, openings: int, *, asks_pin: bool
) -> list[caveats.Caveat]:
    listed: list[caveats.Caveat] = [
        caveats.Documents(tuple(document_ids)),
        *([caveats.Uploads(tuple(dict.fromkeys(new.uploads)))] if new.uploads else []),
        *(caveats.Claims(document_id, tuple(names)) for document_id, names in new.fields.items()),
        caveats.Until(until),
        caveats.Openings(openings),
        caveats.Purpose(_line(new.purpose)),
    ]
    if new.client_id:
        listed.append(caveats.OnlyForClient(new.client_id))
    if asks_pin:
        listed.append(caveats.Pin())
    if new.view_only:
        listed.append(caveats.ViewOnly())
    return listed


def in_utc(moment: dt.datetime | None) -> dt.datetime | None:
    """Raises LimitTooWide for one that UTC cannot say: the first or last day of all years, elsewhere."""
    try:
        return moment.astimezone(dt.UTC) if moment else None
    except OverflowError:
        raise LimitTooWide from None


def _line(text: str) -> str:
    """One line without controls (K-20)."""
    return " ".join(strip_controls(text.replace("\n", " ").replace("\r", " ")).split())


def _says_something(text: str) -> bool:
    """Whoever finds a watermark reads who was meant."""
    return any(unicodedata.category(character)[0] in "LNPS" for character in text)
