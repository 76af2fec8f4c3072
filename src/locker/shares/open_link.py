"""Somebody opens a link, or types the code of one."""

import hmac
import ipaddress
from uuid import UUID

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from kit.edge import address_prefix
from kit.errors import TooManyRequests
from kit.ids import new_id, new_public_id
from kit.throttle import Limit
from kit.tokens import digest
from locker.disclosing.share_key import unwrap, wrap
from locker.shares import code as digits
from locker.shares import store
from locker.shares.desk import ShareDesk
from locker.shares.pin import normalised
from locker.shares.refusals import CodesPaused, NotForYou, PinLocked, ShareClosed, WrongPin
from locker.shares.schema import FACE_TO_FACE_S, Link, Opening, SharedItem
from locker.uploads.shared import shared

_GUESSES = Limit("share-guess", attempts=30, per_s=60)
"""Links that open nothing, by prober."""
_PINS = Limit("share-pin", attempts=6, per_s=3_600)
"""PINs tried, by link and prober: anybody else with the right PIN gets in."""
_TOLD = Limit("share-pin-told", attempts=1, per_s=3_600)
_TOKEN_LENGTH = 43

# Codes that open nothing. docs/sharing.md has the arithmetic.
_CODES = Limit("share-code", attempts=10, per_s=FACE_TO_FACE_S)
_CODES_WIDE = Limit("share-code-wide", attempts=100, per_s=FACE_TO_FACE_S)
_CODES_OF_STRANGERS = Limit("share-code-strangers", attempts=1_000, per_s=FACE_TO_FACE_S)
_CODES_OF_KNOWN = Limit("share-code-known", attempts=10_000, per_s=FACE_TO_FACE_S)
_OPENED_BY_CODE = Limit("share-code-opened", attempts=1, per_s=86_400)


class Opener(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    client_id: str | None = None
    """A relying party that proved itself by an access token."""
    browser: str | None = None
    """The secret of a browser that may have opened something before."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """With what a share is opened: one of the two, and the secret that unwraps the share's key."""

    token_sha256: bytes | None = None
    code_mac: bytes | None = None
    key_wrapped: bytes | None
    secret: bytes


Opened = tuple[Opening, list[SharedItem]]


async def look(desk: ShareDesk, token: str, *, opener: Opener) -> Link:
    """What stands behind a token, spending nothing. Raises ShareClosed; TooManyRequests to a prober."""
    found = await store.link(desk.db, token_sha256=digest(token)) if len(token) == _TOKEN_LENGTH else None
    if found is None or not found.live:
        await desk.throttle.count(desk.db, _GUESSES, address_prefix(opener.address))
        raise ShareClosed
    return found


async def open_link(desk: ShareDesk, token: str, *, pin: str | None, opener: Opener, viewing: str) -> Opened:
    """Spend one opening: what may be looked at now, as ``look_at`` says it later.

    ``viewing`` is the secret with which the opener may look again.

    Raises ShareClosed, NotForYou, WrongPin, PinLocked, TooManyRequests.
    """
    found = await store.link(desk.db, token_sha256=digest(token)) if len(token) == _TOKEN_LENGTH else None
    if found is None or not found.live:
        await desk.throttle.count(desk.db, _GUESSES, address_prefix(opener.address))
        if found is not None:
            await desk.audit.append(desk.db, _refused(found, opener, ShareClosed.code))
        raise ShareClosed
    if found.client_id is not None and found.client_id != opener.client_id:
        await desk.audit.append(desk.db, _refused(found, opener, NotForYou.code))
        raise NotForYou
    pin_mac, prober = None, ""
    if found.pin_mac:
        prober = await _pin_key(desk, found, opener)
        pin_mac = await _pin_mac(desk, found, pin, opener, prober)
    proof = Proof(token_sha256=digest(token), key_wrapped=found.key_wrapped, secret=token.encode())
    opened = await _spend(desk, found, proof, pin_mac=pin_mac, opener=opener, viewing=viewing)
    if pin_mac:
        await desk.throttle.forget(desk.db, _PINS, prober)
    return opened


async def open_code(desk: ShareDesk, code: str, *, opener: Opener, viewing: str) -> Opened:
    """The same by the 12 digits of a share face to face.

    Raises ShareClosed, CodesPaused, TooManyRequests. Of these the link itself, which the QR code holds, knows none but
    the first: whoever stands there is never locked out by somebody's guesses.
    """
    counted = await _count_code(desk, opener)
    typed = digits.normalised(code)
    found = await store.link_of_code(desk.db, code_mac=desk.codes.mac(typed)) if typed else None
    if found is None or typed is None:
        raise ShareClosed
    proof = Proof(
        code_mac=desk.codes.mac(typed),
        key_wrapped=found.code_wrapped,
        secret=desk.codes.secret_of(typed, share_id=found.share_id),
    )
    opened = await _spend(desk, found, proof, pin_mac=None, opener=opener, viewing=viewing)
    for limit, key in counted:
        await desk.throttle.give_back(desk.db, limit, key)
    await desk.throttle.count(desk.db, _OPENED_BY_CODE, address_prefix(opener.address), blocks=False)
    return opened


async def _count_code(desk: ShareDesk, opener: Opener) -> list[tuple[Limit, str]]:
    """Before it is looked at, so that racing guesses cannot slip through; a right one is given back."""
    address = address_prefix(opener.address)
    known_browser = opener.browser is not None and await store.has_opened(
        desk.db, viewing_sha256=digest(opener.browser), owner=None, share_id=None
    )
    known = known_browser or await desk.throttle.attempts(desk.db, _OPENED_BY_CODE, address) > 0
    # A counter that opened something before is not slowed by those with whom it shares an address.
    prober = f"browser:{digest(opener.browser).hex()}" if known_browser and opener.browser else address
    counted = [(_CODES, prober)]
    if not known:
        counted.append((_CODES_WIDE, _wide_prefix(opener.address)))
    for limit, key in counted:
        await desk.throttle.count(desk.db, limit, key)
    # Those who opened something today have a share of their own, which a flood of strangers does not use up.
    everybody = (_CODES_OF_KNOWN, "") if known else (_CODES_OF_STRANGERS, "")
    try:
        await desk.throttle.count(desk.db, *everybody)
    except TooManyRequests as full:
        raise CodesPaused(FACE_TO_FACE_S) from full
    return [*counted, everybody]


def _wide_prefix(address: str) -> str:
    """What one provider easily hands out: an IPv6 /48; of IPv4 the /24."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


async def _spend(
    desk: ShareDesk, found: Link, proof: Proof, *, pin_mac: bytes | None, opener: Opener, viewing: str
) -> Opened:
    share_key = unwrap(proof.key_wrapped, proof.secret, share_id=found.share_id) if proof.key_wrapped else None
    audit_id = new_id()

    async def within(tx: Tx) -> Opened | None:
        opening = await store.spend_opening(
            tx,
            owner=found.owner,
            share_id=found.share_id,
            token_sha256=proof.token_sha256,
            code_mac=proof.code_mac,
            pin_mac=pin_mac,
            client_id=opener.client_id,
            opening_id=new_public_id(),
            viewing_sha256=digest(viewing),
            viewing_s=desk.viewing_s,
            audit_id=audit_id,
            key_wrapped=wrap(share_key, viewing.encode(), share_id=found.share_id) if share_key else None,
        )
        if opening is None:
            return None
        items = await store.shared_documents(tx, owner=found.owner, share_id=found.share_id)
        uploads = [upload.upload_id for upload in await shared(tx, owner=found.owner, share_id=found.share_id)]
        opening = msgspec.structs.replace(opening, uploads=uploads)
        await _log(desk, tx, opening, opener, items, audit_id)
        return opening, items

    opened = await desk.db.transact(within)
    if opened is None:
        # Spent, ended or changed by somebody else between our look and now.
        raise ShareClosed
    return opened


async def _pin_mac(desk: ShareDesk, found: Link, pin: str | None, opener: Opener, key: str) -> bytes:
    """The digest of the right PIN. Counted before it is looked at, so racing guesses cannot slip through."""
    if not await desk.throttle.count(desk.db, _PINS, key, blocks=False):
        if await desk.throttle.count(desk.db, _TOLD, key, blocks=False):
            await desk.audit.append(desk.db, _refused(found, opener, PinLocked.code, action="share.pin-locked"))
        raise PinLocked
    typed = normalised(pin or "")
    mac = desk.pins.mac(typed, share_id=found.share_id) if typed else b""
    if not hmac.compare_digest(mac, found.pin_mac or b""):
        await desk.audit.append(desk.db, _refused(found, opener, WrongPin.code))
        raise WrongPin
    return mac


async def _pin_key(desk: ShareDesk, found: Link, opener: Opener) -> str:
    """A service by its name, a browser that opened this very share before by itself, anybody else by the address."""
    if opener.client_id:
        return f"{found.share_id}:{opener.client_id}"
    if opener.browser and await store.has_opened(
        desk.db, viewing_sha256=digest(opener.browser), owner=found.owner, share_id=found.share_id
    ):
        return f"{found.share_id}:browser:{digest(opener.browser).hex()}"
    return f"{found.share_id}:{address_prefix(opener.address)}"


async def _log(
    desk: ShareDesk,
    tx: Tx,
    opening: Opening,
    opener: Opener,
    items: list[SharedItem],
    audit_id: UUID,
) -> None:
    fields = list(dict.fromkeys(name for item in items for name in item.fields or ()))
    event = AuditEvent(
        action="share.opened",
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=opening.owner,
        object_id=opening.share_id,
        purpose=opening.purpose,
        detail={
            "opening": opening.opening_id,
            "documents": [item.document.document_id for item in items],
            "types": [item.document.type for item in items],
            **({"uploads": opening.uploads} if opening.uploads else {}),
            **({"fields": fields} if fields else {}),
        },
    )
    await desk.audit.append(tx, event, audit_id=audit_id)


def _refused(found: Link, opener: Opener, code: str, *, action: str = "share.refused") -> AuditEvent:
    return AuditEvent(
        action=action,
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=found.owner,
        object_id=found.share_id,
        result=code,
    )
