"""Somebody opens a link, or types the code of one."""

import hmac
import ipaddress

import msgspec

from kit.audit import AuditEvent
from kit.edge import address_prefix
from kit.errors import TooManyRequests
from kit.ids import new_id, new_public_id
from kit.strangers import StrangersLines
from kit.throttle import Limit
from kit.tokens import digest
from locker.disclosing.share_key import unwrap, wrap
from locker.shares import code as digits
from locker.shares import store
from locker.shares.desk import ShareDesk
from locker.shares.look_at import look_at
from locker.shares.pin import normalised
from locker.shares.refusals import CodesPaused, NotForYou, PinLocked, ShareClosed, WrongPin
from locker.shares.schema import FACE_TO_FACE_S, Link, Opened
from locker.uploads.shared import shared

_GUESSES = Limit("share-guess", attempts=30, per_s=60)
"""Links that open nothing, by prober."""
_NOT_FOR_THEM = Limit("share-not-for-you", attempts=30, per_s=60)
"""Tries of a link that is for somebody else, by prober: each is a line in the citizen's history."""
_REFUSALS = StrangersLines("share-refused")
_TOKEN_LENGTH = 43
NOT_CONNECTED = "not-connected"
"""For the citizen's history alone: outside, a share whose connection ended is closed like any other."""

# PINs tried at a link: whoever comes from elsewhere with the right one gets in. docs/sharing.md has the arithmetic.
_HOUR_S, _DAY_S = 3_600, 86_400
_PINS = Limit("share-pin", attempts=6, per_s=_HOUR_S)
_PINS_WIDE = Limit("share-pin-wide", attempts=24, per_s=_DAY_S)
_PINS_AT_LINK = Limit("share-pin-link", attempts=100, per_s=_DAY_S)
"""By everybody: it refuses nobody. More, and somebody guesses from many places: each place has less from then on."""
_PINS_ON_GUARD = Limit("share-pin-guard", attempts=2, per_s=_DAY_S)
_TOLD = Limit("share-pin-told", attempts=1, per_s=_HOUR_S)
_TOLD_OF_LINK = Limit("share-pin-told-link", attempts=20, per_s=_HOUR_S)

# Codes that open nothing. docs/sharing.md has the arithmetic.
_CODES = Limit("share-code", attempts=10, per_s=FACE_TO_FACE_S)
_CODES_WIDE = Limit("share-code-wide", attempts=100, per_s=FACE_TO_FACE_S)
_CODES_OF_STRANGERS = Limit("share-code-strangers", attempts=1_000, per_s=FACE_TO_FACE_S)
_CODES_OF_KNOWN = Limit("share-code-known", attempts=10_000, per_s=FACE_TO_FACE_S)
_OPENED_BY_CODE = Limit("share-code-opened", attempts=1, per_s=86_400)

_AGE_MAX_S = 0.2
"""Of what an opening that waited for another one read before it waited."""


class Opener(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    client_id: str | None = None
    """A relying party that proved itself by an access token."""
    grant_id: str | None = None
    """The connection of a citizen with a relying party from which a token was shown: it is that citizen and that party.
    """
    browser: str | None = None
    """The secret of a browser that may have opened something before."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """With what a share is opened: one of the two, and the secret that unwraps the share's key."""

    token_sha256: bytes | None = None
    code_mac: bytes | None = None
    key_wrapped: bytes | None
    secret: bytes


Counted = tuple[Limit, str]
"""A limit and the key under which an attempt was counted."""


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
            await _tell_refused(desk, found, opener, ShareClosed.code)
        raise ShareClosed
    if found.grant_id is not None and found.grant_id == opener.grant_id:
        # Whoever holds a token of the connection could have had the link made.
        opener = msgspec.structs.replace(opener, client_id=found.client_id)
    if found.client_id is not None and found.client_id != opener.client_id:
        await desk.throttle.count(desk.db, _NOT_FOR_THEM, address_prefix(opener.address))
        await _tell_refused(desk, found, opener, NotForYou.code)
        raise NotForYou
    if found.grant_id is not None and not await desk.provider.stands(found.grant_id):
        await desk.throttle.count(desk.db, _NOT_FOR_THEM, address_prefix(opener.address))
        await _tell_refused(desk, found, opener, NOT_CONNECTED)
        raise ShareClosed
    counted: list[Counted] = []
    pin_mac = None
    if found.pin_mac:
        counted = await _count_pin(desk, found, opener)
        pin_mac = await _pin_mac(desk, found, pin, opener)
    proof = Proof(token_sha256=digest(token), key_wrapped=found.key_wrapped, secret=token.encode())
    opened = await _spend(desk, found, proof, pin_mac=pin_mac, opener=opener, viewing=viewing)
    for limit, key in counted:
        await (desk.throttle.forget if limit is _PINS else desk.throttle.give_back)(desk.db, limit, key)
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


async def _count_code(desk: ShareDesk, opener: Opener) -> list[Counted]:
    """Before it is looked at, so that racing guesses cannot slip through; a right one is given back."""
    address = address_prefix(opener.address)
    known_browser = opener.browser is not None and await store.has_opened(
        desk.db, viewing_sha256=digest(opener.browser), owner=None, share_id=None
    )
    known = known_browser or await desk.throttle.attempts(desk.db, _OPENED_BY_CODE, address) > 0
    # A counter that opened something before is not slowed by those with whom it shares an address.
    prober = f"browser:{digest(opener.browser).hex()}" if known_browser and opener.browser else address
    # Apart from strangers there, and bounded all the same: whoever shares with himself is known, from many addresses.
    place = _wide_prefix(opener.address)
    counted = [(_CODES, prober), (_CODES_WIDE, f"known|{place}" if known else place)]
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
    opening_id = new_public_id()
    event = AuditEvent(
        action="share.opened",
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=found.owner,
        object_id=found.share_id,
        purpose=found.purpose,
        detail={"opening": opening_id},
    )
    opened = await store.spend_opening(
        desk.db,
        event,
        owner=found.owner,
        share_id=found.share_id,
        token_sha256=proof.token_sha256,
        code_mac=proof.code_mac,
        pin_mac=pin_mac,
        client_id=opener.client_id,
        grant_id=found.grant_id,
        opening_id=opening_id,
        viewing_sha256=digest(viewing),
        viewing_s=desk.viewing_s,
        audit_id=new_id(),
        key_wrapped=wrap(share_key, viewing.encode(), share_id=found.share_id) if share_key else None,
    )
    if opened is None:
        # Spent, ended or changed by somebody else between our look and now.
        await _tell_refused(desk, found, opener, ShareClosed.code)
        raise ShareClosed
    desk.audit.count(event)
    return opened if opened.age_s < _AGE_MAX_S else await _read_again(desk, opened, viewing)


async def _read_again(desk: ShareDesk, opened: Opened, viewing: str) -> Opened:
    """What was revoked, binned or ended while we waited reaches each link within a second. Raises ShareClosed."""
    opening, items = await look_at(desk.db, desk.provider, opened.opening.opening_id, viewing)
    served = {each.upload_id for each in await shared(desk.db, owner=opening.owner, share_id=opening.share_id)}
    uploads = [upload for upload in opened.uploads if upload.upload_id in served]
    return msgspec.structs.replace(opened, opening=opening, items=items, uploads=uploads)


async def _count_pin(desk: ShareDesk, found: Link, opener: Opener) -> list[Counted]:
    """Before it is looked at, so racing guesses cannot slip through. Raises PinLocked."""
    known = await _known(desk, found, opener)
    prober = f"{found.share_id}:{known or address_prefix(opener.address)}"
    place = f"{found.share_id}:{_wide_prefix(opener.address)}"
    counted: list[Counted] = []

    async def count(limit: Limit, key: str) -> None:
        if not await desk.throttle.count(desk.db, limit, key, blocks=False):
            await _tell_locked(desk, found, opener, prober)
            raise PinLocked(limit.per_s)
        counted.append((limit, key))

    await count(_PINS, prober)
    if known is None:
        await count(_PINS_WIDE, place)
        on_guard = not await desk.throttle.count(desk.db, _PINS_AT_LINK, found.share_id, blocks=False)
        counted.append((_PINS_AT_LINK, found.share_id))
        if on_guard:
            await count(_PINS_ON_GUARD, place)
    return counted


async def _pin_mac(desk: ShareDesk, found: Link, pin: str | None, opener: Opener) -> bytes:
    """The digest of the right PIN."""
    typed = normalised(pin or "")
    mac = desk.pins.mac(typed, share_id=found.share_id) if typed else b""
    if not hmac.compare_digest(mac, found.pin_mac or b""):
        await desk.audit.append(desk.db, _refused(found, opener, WrongPin.code))
        raise WrongPin
    return mac


async def _known(desk: ShareDesk, found: Link, opener: Opener) -> str | None:
    """The service for which alone the link is, by its name; a browser that opened this very share before, by itself."""
    if found.client_id is not None:
        return found.client_id
    if opener.browser and await store.has_opened(
        desk.db, viewing_sha256=digest(opener.browser), owner=found.owner, share_id=found.share_id
    ):
        return f"browser:{digest(opener.browser).hex()}"
    return None


async def _tell_locked(desk: ShareDesk, found: Link, opener: Opener, prober: str) -> None:
    """Once for a prober, and not from each of a thousand places."""
    for limit, key in ((_TOLD, prober), (_TOLD_OF_LINK, found.share_id)):
        if not await desk.throttle.count(desk.db, limit, key, blocks=False):
            return
    await desk.audit.append(desk.db, _refused(found, opener, PinLocked.code, action="share.pin-locked"))


async def _tell_refused(desk: ShareDesk, found: Link, opener: Opener, code: str) -> None:
    line = _refused(found, opener, code)
    await _REFUSALS.write(desk.db, desk.audit, desk.throttle, [line], thing=found.share_id)


def _refused(found: Link, opener: Opener, code: str, *, action: str = "share.refused") -> AuditEvent:
    return AuditEvent(
        action=action,
        actor_kind="client" if opener.client_id else "anonymous",
        actor=opener.client_id or "",
        owner=found.owner,
        object_id=found.share_id,
        result=code,
    )
