"""Somebody opens a link."""

import hmac

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.edge import address_prefix
from kit.ids import new_public_id
from kit.throttle import Limit, Throttle
from kit.tokens import digest
from locker.documents.schema import HeldDocument
from locker.shares import store
from locker.shares.pin import Pins, normalised
from locker.shares.refusals import NotForYou, PinLocked, ShareClosed, WrongPin
from locker.shares.schema import Link, Opening

_GUESSES = Limit("share-guess", attempts=30, per_s=60)
"""Links that open nothing, by prober."""
_PINS = Limit("share-pin", attempts=6, per_s=3_600)
"""PINs tried, by link and prober: anybody else with the right PIN gets in."""
_TOLD = Limit("share-pin-told", attempts=1, per_s=3_600)
_TOKEN_LENGTH = 43


class Opener(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    client_id: str | None = None
    """A relying party that proved itself by an access token."""


async def look(db: Database, throttle: Throttle, token: str, *, opener: Opener) -> Link:
    """What stands behind a token, spending nothing. Raises ShareClosed; TooManyRequests to a prober."""
    found = await store.link(db, token_sha256=digest(token)) if len(token) == _TOKEN_LENGTH else None
    if found is None or not found.live:
        await throttle.count(db, _GUESSES, address_prefix(opener.address))
        raise ShareClosed
    return found


async def open_link(
    db: Database,
    audit: Audit,
    throttle: Throttle,
    pins: Pins,
    token: str,
    *,
    pin: str | None,
    opener: Opener,
    viewing: str,
    viewing_s: int,
) -> tuple[Opening, list[tuple[HeldDocument, bool]]]:
    """Spend one opening: what may be looked at now, as ``look_at`` says it later.

    ``viewing`` is the secret with which the opener may look again.

    Raises ShareClosed, NotForYou, WrongPin, PinLocked, TooManyRequests.
    """
    found = await store.link(db, token_sha256=digest(token)) if len(token) == _TOKEN_LENGTH else None
    if found is None or not found.live:
        await throttle.count(db, _GUESSES, address_prefix(opener.address))
        if found is not None:
            await audit.append(db, _refused(found, opener, ShareClosed.code))
        raise ShareClosed
    if found.client_id is not None and found.client_id != opener.client_id:
        await audit.append(db, _refused(found, opener, NotForYou.code))
        raise NotForYou
    pin_mac = await _pin_mac(db, audit, throttle, pins, found, pin, opener) if found.pin_mac else None

    async def within(tx: Tx) -> tuple[Opening, list[tuple[HeldDocument, bool]]] | None:
        opening = await store.spend_opening(
            tx,
            owner=found.owner,
            share_id=found.share_id,
            token_sha256=digest(token),
            pin_mac=pin_mac,
            client_id=opener.client_id,
            opening_id=new_public_id(),
            viewing_sha256=digest(viewing),
            viewing_s=viewing_s,
        )
        if opening is None:
            return None
        documents = await store.shared_documents(tx, owner=found.owner, share_id=found.share_id)
        await audit.append(tx, _opened(opening, opener, [document for document, _entitled in documents]))
        return opening, documents

    opened = await db.transact(within)
    if opened is None:
        # Spent, ended or changed by somebody else between our look and now.
        raise ShareClosed
    if pin_mac:
        await throttle.forget(db, _PINS, _pin_key(found, opener))
    return opened


async def _pin_mac(
    db: Database, audit: Audit, throttle: Throttle, pins: Pins, found: Link, pin: str | None, opener: Opener
) -> bytes:
    """The digest of the right PIN. Counted before it is looked at, so racing guesses cannot slip through."""
    key = _pin_key(found, opener)
    if not await throttle.count(db, _PINS, key, blocks=False):
        if await throttle.count(db, _TOLD, key, blocks=False):
            await audit.append(db, _refused(found, opener, PinLocked.code, action="share.pin-locked"))
        raise PinLocked
    digits = normalised(pin or "")
    mac = pins.mac(digits, share_id=found.share_id) if digits else b""
    if not hmac.compare_digest(mac, found.pin_mac or b""):
        await audit.append(db, _refused(found, opener, WrongPin.code))
        raise WrongPin
    return mac


def _pin_key(found: Link, opener: Opener) -> str:
    return f"{found.share_id}:{opener.client_id or address_prefix(opener.address)}"


def _opened(opening: Opening, opener: Opener, documents: list[HeldDocument]) -> AuditEvent:
    return AuditEvent(
        action="share.opened",
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=opening.owner,
        object_id=opening.share_id,
        purpose=opening.purpose,
        detail={
            "opening": opening.opening_id,
            "documents": [document.document_id for document in documents],
            "types": [document.type for document in documents],
        },
    )


def _refused(found: Link, opener: Opener, code: str, *, action: str = "share.refused") -> AuditEvent:
    return AuditEvent(
        action=action,
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=found.owner,
        object_id=found.share_id,
        result=code,
    )
