"""What an opener may still see: a few minutes, and not a second after the share ended."""

import datetime as dt

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal
from kit.throttle import Limit, Throttle
from kit.tokens import digest
from locker.access.provider import Provider
from locker.disclosing.share_key import unseal, unwrap
from locker.documents.schema import HeldDocument
from locker.references.confirm import confirm
from locker.references.desk import ReferenceDesk
from locker.shares import store
from locker.shares.refusals import FieldsOnly, NoOriginal, NotServed, ShareClosed
from locker.shares.schema import Opening, SharedItem
from locker.verification.schema import Answer, Check, IssuedDocument, SignatureAnswer

DOWNLOADS = Limit("share-download", attempts=60, per_s=60)
"""By opening: each is a line in the citizen's history."""
_STOPPED = ("revoked", "suspended")
_ID_LENGTH = 25


async def look_at(
    db: Database, provider: Provider, opening_id: str, viewing: str | None
) -> tuple[Opening, list[SharedItem]]:
    """Raises ShareClosed, as an unknown link does."""
    opening = await find_opening(db, provider, opening_id, viewing)
    return opening, await store.shared_documents(db, owner=opening.owner, share_id=opening.share_id)


async def look_at_document(
    db: Database, provider: Provider, opening_id: str, viewing: str | None, document_id: str, *, whole: bool = True
) -> tuple[Opening, HeldDocument, bool]:
    """One of the documents that were shared; another one of the same citizen is ShareClosed (K-12).

    ``whole``: for something that shows more of it than some fields; FieldsOnly where no more were shared.
    """
    opening = await find_opening(db, provider, opening_id, viewing)
    return opening, *await _document(db, opening, document_id, whole=whole)


async def _document(tx: Tx, opening: Opening, document_id: str, *, whole: bool) -> tuple[HeldDocument, bool]:
    found = await store.shared_document(tx, owner=opening.owner, share_id=opening.share_id, document_id=document_id)
    if found is None:
        raise ShareClosed
    if whole and found.fields is not None:
        raise FieldsOnly
    return found.document, found.entitled


def disclosed(opening: Opening, item: SharedItem, viewing: str) -> str | None:
    """The credential of the fields that were shared; None of a whole document, and of one that its issuer stopped."""
    if not item.document.stored.wrapped_key:
        # The document itself was destroyed.
        return None
    if item.credential_sealed is None or opening.key_wrapped is None or not shows_pictures(item.document):
        return None
    share_key = unwrap(opening.key_wrapped, viewing.encode(), share_id=opening.share_id)
    if share_key is None:
        return None
    return unseal(
        item.credential_sealed,
        share_key,
        owner=opening.owner,
        share_id=opening.share_id,
        document_id=item.document.document_id,
    )


async def take_original(
    db: Database,
    audit: Audit,
    throttle: Throttle,
    provider: Provider,
    references: ReferenceDesk,
    opening_id: str,
    viewing: str | None,
    document_id: str,
) -> HeldDocument:
    """As it is stored now. Raises NoOriginal where pictures were shared only, NotServed where the issuer stopped the
    document; TooManyRequests; and as ``confirm`` does."""
    opening = await find_opening(db, provider, opening_id, viewing)
    await throttle.count(db, DOWNLOADS, opening.opening_id)
    looked_at, _entitled = await _document(db, opening, document_id, whole=True)
    unconfirmed: Refusal | None = None
    if not opening.view_only and shows_pictures(looked_at):
        try:
            # Its issuer may take its time: whatever ends meanwhile is asked after it.
            looked_at = await confirm(references, looked_at)
        except Refusal as why:
            unconfirmed = why
        # The connection too, which only the provider knows of.
        await find_opening(db, provider, opening_id, viewing)

    async def within(tx: Tx) -> tuple[HeldDocument, Refusal | None]:
        opening = await hold_opening(tx, opening_id, viewing)
        document, _entitled = await _document(tx, opening, document_id, whole=True)
        refusal: Refusal | None = unconfirmed
        if opening.view_only:
            refusal = NoOriginal()
        elif not shows_pictures(document):
            refusal = NotServed()
        await audit.append(
            tx,
            AuditEvent(
                action="share.downloaded",
                actor_kind="client" if opening.client_id else "anonymous",
                actor=opening.client_id or "",
                owner=opening.owner,
                object_id=opening.share_id,
                purpose=opening.purpose,
                result=refusal.code if refusal else "ok",
                detail={"opening": opening.opening_id, "documents": [document_id], "types": [document.type]},
            ),
        )
        return document, refusal

    document, refusal = await db.transact(within)
    if refusal:
        raise refusal
    return msgspec.structs.replace(document, stored=looked_at.stored)


def shows_pictures(document: HeldDocument) -> bool:
    """Of a document that its issuer stopped only the verdict is shown (K-15)."""
    return document.standing not in _STOPPED


def watermark(opening: Opening) -> tuple[str, ...]:
    """Recipient, time, reference: in no language, so that whoever finds the picture can read two of them."""
    return (
        opening.recipient[:48],
        f"{opening.opened_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
        f"Khizana · {opening.opening_id[:10]}",
    )


def answer(document: HeldDocument, *, entitled: bool, until: dt.datetime) -> Answer:
    """By the verdict at deposit, which is kept with the bytes, and the issuer's word of today."""
    passed = document.indication == "TOTAL-PASSED"
    return Answer(
        signature=SignatureAnswer(
            indication="TOTAL-PASSED" if passed else "INDETERMINATE",
            sub_indication=None,
            reasons=[],
            signer=document.signer,
            level=document.level,
            signed_at=document.signed_at,
            judged="at-deposit",
            policy="khizana-deposit",
            trust_version="",
        ),
        standing=document.standing,
        document=IssuedDocument(
            uri=document.uri,
            type=document.type,
            type_names=document.type_names,
            administration=document.administration,
            administration_names=document.administration_names,
            valid_from=document.valid_from,
            valid_until=document.valid_until,
        ),
        signer_administration=document.administration_names,
        checks=[
            Check(name="whole", passed=passed),
            Check(name="entitled", passed=entitled),
            Check(name="not-revoked", passed=document.standing not in _STOPPED),
            Check(name="in-dates", passed=document.in_dates),
            Check(name="shared", passed=True),
        ],
        sha256=document.sha256.hex(),
        shared_until=until,
        checked_at=dt.datetime.now(dt.UTC),
    )


async def find_opening(db: Database, provider: Provider, opening_id: str, viewing: str | None) -> Opening:
    """Raises ShareClosed; Unavailable where it depends on a connection and the provider does not answer."""
    opening = await _opening(db, opening_id, viewing)
    if opening.grant_id is not None and not await provider.stands(opening.grant_id):
        raise ShareClosed
    return opening


async def hold_opening(tx: Tx, opening_id: str, viewing: str | None) -> Opening:
    """In the transaction that writes the line of a download: whoever ends the share waits for it, or it for them.

    Raises ShareClosed.
    """
    await store.hold_opened(tx, opening_id=opening_id, viewing_sha256=digest(viewing or ""))
    return await _opening(tx, opening_id, viewing)


async def _opening(tx: Tx, opening_id: str, viewing: str | None) -> Opening:
    if not viewing or len(opening_id) != _ID_LENGTH:
        raise ShareClosed
    opening = await store.opening(tx, opening_id=opening_id, viewing_sha256=digest(viewing))
    if opening is None:
        raise ShareClosed
    return opening
