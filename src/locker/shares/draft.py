"""The four small steps before a share is made."""

import datetime as dt
import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kit.db import Database, Tx, database_time
from kit.ids import new_public_id
from locker.documents import read_store
from locker.documents.refusals import DocumentUnknown
from locker.documents.schema import ListedDocument
from locker.shares import store
from locker.shares.create import FLOOD, Sharer, prepare, record
from locker.shares.desk import ShareDesk
from locker.shares.pin import Pins
from locker.shares.refusals import DraftChanged, ShareUnknown
from locker.shares.schema import Created, NewShare, ShareDraft
from locker.uploads.refusals import UploadUnknown
from locker.uploads.shared import chosen as chosen_uploads

LIFETIME_S = 3_600


async def begin_draft(db: Database, *, owner: str, document_ids: list[str], upload_ids: list[str]) -> str:
    """Raises DocumentUnknown, UploadUnknown."""
    if len(await chosen_uploads(db, owner=owner, upload_ids=upload_ids)) != len(upload_ids):
        raise UploadUnknown
    held = await chosen(db, owner=owner, document_ids=document_ids)
    if not (document_ids or upload_ids) or len(held) != len(document_ids):
        raise DocumentUnknown
    draft_id = new_public_id()
    draft = ShareDraft(documents=document_ids, uploads=upload_ids)
    await store.begin_draft(db, draft, owner=owner, draft_id=draft_id, lifetime_s=LIFETIME_S)
    return draft_id


async def chosen(tx: Tx, *, owner: str, document_ids: list[str]) -> list[ListedDocument]:
    return await read_store.chosen(tx, owner=owner, document_ids=document_ids)


async def find_draft(tx: Tx, *, owner: str, draft_id: str) -> ShareDraft:
    """Raises ShareUnknown where it is another's, too old or made already."""
    found = await store.draft(tx, owner=owner, draft_id=draft_id)
    if found is None:
        raise ShareUnknown
    return found[0]


async def look_at_draft(tx: Tx, *, owner: str, draft_id: str) -> tuple[ShareDraft, str]:
    """With what names this state of it: ``create_from_draft`` shares nothing else. Raises ShareUnknown."""
    found = await store.draft(tx, owner=owner, draft_id=draft_id)
    if found is None:
        raise ShareUnknown
    return found[0], _state(*found)


async def say_recipient(db: Database, *, owner: str, draft_id: str, recipient: str, purpose: str) -> None:
    await _change(db, {"recipient": recipient, "purpose": purpose}, owner=owner, draft_id=draft_id)


async def say_limits(
    db: Database,
    pins: Pins,
    *,
    owner: str,
    draft_id: str,
    days: int,
    openings: int,
    view_only: bool,
    client_id: str | None,
    pin: str | None,
    face_to_face: bool,
) -> None:
    await _change(
        db,
        {
            "days": days,
            "openings": openings,
            "view_only": view_only,
            "client_id": client_id,
            "has_pin": pin is not None,
            "face_to_face": face_to_face,
        },
        owner=owner,
        draft_id=draft_id,
        pin_mac=pins.mac(pin, share_id=draft_id) if pin else None,
    )


async def say_fields(db: Database, *, owner: str, draft_id: str, fields: dict[str, list[str]]) -> None:
    """Of these documents only these fields. Raises ShareUnknown."""
    await _change(db, {"fields": fields}, owner=owner, draft_id=draft_id)


async def create_from_draft(desk: ShareDesk, *, owner: str, draft_id: str, seen: object) -> Created | None:
    """``seen`` names the state that the citizen looked at (``look_at_draft``).

    None where it was made already: a second click makes no second share. Raises DraftChanged; else as ``create`` does.
    """
    await desk.throttle.count(desk.db, FLOOD, owner)
    found = await store.draft(desk.db, owner=owner, draft_id=draft_id)
    if found is None:
        return None
    draft, _mac = found
    if seen != _state(*found):
        raise DraftChanged
    if not draft.recipient or not draft.purpose:
        raise ShareUnknown
    prepared = await prepare(desk, await _new(desk.db, draft), owner=owner, share_id=draft_id)

    async def within(tx: Tx) -> Created | None:
        spent = await store.spend_draft(tx, owner=owner, draft_id=draft_id)
        if spent is None:
            return None
        if spent != found:
            # Since it was read just now.
            raise DraftChanged
        pin_mac = None if draft.face_to_face else spent[1]
        sharer = Sharer(owner=owner, actor=owner)
        return await record(desk, tx, prepared, sharer=sharer, share_id=draft_id, pin_mac=pin_mac)

    return await desk.db.transact(within)


async def _new(tx: Tx, draft: ShareDraft) -> NewShare:
    said = NewShare(
        documents=draft.documents,
        uploads=draft.uploads,
        fields=draft.fields,
        recipient=draft.recipient,
        purpose=draft.purpose,
        view_only=draft.view_only,
        face_to_face=draft.face_to_face,
    )
    if draft.face_to_face:
        return said
    return msgspec.structs.replace(
        said,
        until=await database_time(tx) + dt.timedelta(days=draft.days),
        openings=draft.openings,
        client_id=draft.client_id,
    )


async def _change(
    db: Database,
    answers: dict[str, Any],
    *,
    owner: str,
    draft_id: str,
    pin_mac: bytes | UnsetType | None = UNSET,
) -> None:
    if not await store.change_draft(
        db, answers, owner=owner, draft_id=draft_id, lifetime_s=LIFETIME_S, pin_mac=pin_mac
    ):
        raise ShareUnknown


def _state(draft: ShareDraft, pin_mac: bytes | None) -> str:
    return hashlib.sha256(msgspec.json.encode(draft) + (pin_mac or b"")).hexdigest()
