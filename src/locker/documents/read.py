"""Open one's own document: found, and written down, or neither."""

import re

import msgspec

from kit.audit import ActorKind, Audit, AuditEvent
from kit.db import Database, Tx
from locker.documents import read_store
from locker.documents.refusals import DocumentUnknown
from locker.documents.schema import HeldDocument

_DOCUMENT_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads for ``owner``: the citizen at our pages, or a wallet app with the citizen's token."""

    owner: str
    kind: ActorKind = "citizen"
    actor: str


async def read(db: Database, audit: Audit, reader: Reader, document_id: str, *, action: str) -> HeldDocument:
    """``action`` is what the history says: ``document.viewed``, ``document.downloaded``."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise DocumentUnknown

    async def within(tx: Tx) -> HeldDocument | None:
        document = await read_store.find(tx, owner=reader.owner, document_id=document_id)
        await audit.append(tx, _event(reader, document_id, document, action))
        return document

    document = await db.transact(within)
    if document is None:
        raise DocumentUnknown
    return document


async def read_again(db: Database, *, owner: str, document_id: str) -> HeldDocument:
    """A part of what was written down when it was opened: a page's picture."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise DocumentUnknown
    document = await read_store.find(db, owner=owner, document_id=document_id)
    if document is None:
        raise DocumentUnknown
    return document


def _event(reader: Reader, document_id: str, document: HeldDocument | None, action: str) -> AuditEvent:
    if document is None:
        # In the history of who asked, and goes with it; whose it may be is not looked up, so asking tells nothing.
        return AuditEvent(
            action=action,
            actor_kind=reader.kind,
            actor=reader.actor,
            owner=reader.owner,
            object_id=document_id,
            result=DocumentUnknown.code,
        )
    return AuditEvent(
        action=action,
        actor_kind=reader.kind,
        actor=reader.actor,
        owner=reader.owner,
        object_id=document_id,
        detail={"type": document.type, "administration": document.administration},
    )
