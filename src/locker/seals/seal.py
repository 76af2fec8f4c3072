import asyncio
import contextlib
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import UNSET

from kit import strict_json
from kit.audit import AuditEvent
from kit.errors import Refusal, Unavailable
from kit.ids import new_id, new_public_id
from locker.administrations.identify import identify
from locker.administrations.schema import Depositor
from locker.deposits.body import Body
from locker.deposits.receive import Received, receive
from locker.deposits.refusals import IdempotencyKeyInFlight, IdempotencyKeyReused
from locker.seals import store
from locker.seals.desk import SealDesk
from locker.seals.keep import Made, judged, keep
from locker.seals.raise_level import Raised, raise_level
from locker.seals.refusals import (
    PendingFull,
    SealCertificateUnregistered,
    SealingNotEnabled,
    SealRequestInvalid,
)
from locker.seals.schema import Sealed, SealRequest
from locker.seals.stamp import stamp_of
from locker.seals.views import sealed
from locker.signatures.room import RoomTooSmall, fill_file
from locker.signatures.schema import Trust
from locker.signatures.seal_request import PrepareSeal
from locker.signatures.sealer import Sealer
from locker.signatures.time_stamp_client import TimeStampAuthorityAway


async def seal_document(desk: SealDesk, body: Body, *, client_id: str, idempotency_key: str) -> Sealed:
    """A PDF under the seal of the administration for which ``client_id`` speaks, at the level that it asks for.

    A repeated key with the same request gets the same seal. While no time-stamp authority answers it is B-B, and
    ``complete_due`` makes the rest of it. Whatever is refused leaves an audit row and nothing else.
    """
    depositor = await identify(desk.db, client_id=client_id)
    await desk.throttle.count(desk.db, desk.limits.per_client, client_id)
    try:
        with desk.places:
            async with receive(
                body.frames,
                content_type=body.content_type,
                content_length=body.content_length,
                repr_digest=body.repr_digest,
                limits=desk.limits.receive,
            ) as received:
                return await _once(desk, received, depositor, client_id=client_id, idempotency_key=idempotency_key)
    except Refusal as refusal:
        if refusal.status < 500 and not isinstance(refusal, IdempotencyKeyInFlight):
            await _record_refusal(desk, depositor, client_id, refusal)
        raise


async def _once(
    desk: SealDesk, received: Received, depositor: Depositor, *, client_id: str, idempotency_key: str
) -> Sealed:
    request, attempt = _decoded(received.deposit), new_id()
    row = await store.begin(
        desk.db,
        administration=depositor.administration,
        seal_id=new_public_id(),
        client_id=client_id,
        key=idempotency_key,
        request_sha256=received.request_sha256,
        attempt=attempt,
        wanted=request.level,
        lease_s=desk.limits.lease_s,
        lifetime_s=desk.limits.lifetime_s,
    )
    if row is None:
        raise IdempotencyKeyInFlight
    if row.request_sha256 != received.request_sha256 or row.administration != depositor.administration:
        raise IdempotencyKeyReused
    if row.level is not None:
        version = await store.version(
            desk.db, administration=row.administration, seal_id=row.seal_id, version=row.version
        )
        if version is None:
            # Its time was over since, and it is forgotten with its key: this is the first request under it.
            return await _once(desk, received, depositor, client_id=client_id, idempotency_key=idempotency_key)
        return sealed(row, version, locker_url=desk.locker_url)
    if row.attempt != attempt:
        raise IdempotencyKeyInFlight
    try:
        return await _seal(desk, received, request, depositor, row.seal_id, client_id=client_id, attempt=attempt)
    except BaseException:
        # Refused, failed or cancelled: the next request with this key starts anew.
        with contextlib.suppress(Unavailable):
            await asyncio.shield(
                store.release(desk.db, administration=depositor.administration, seal_id=row.seal_id, attempt=attempt)
            )
        raise


async def _seal(
    desk: SealDesk,
    received: Received,
    request: SealRequest,
    depositor: Depositor,
    seal_id: str,
    *,
    client_id: str,
    attempt: UUID,
) -> Sealed:
    sealing = await store.sealing(desk.db, administration=depositor.administration)
    if sealing is None:
        raise SealingNotEnabled
    if not sealing.registered:
        raise SealCertificateUnregistered
    sealer = await desk.keys.sealer(sealing)
    trust = await desk.trust.trust(desk.db, depositor)
    now = datetime.now(UTC)
    sealer.check_valid_at(now)
    await desk.workers.check_certificate(sealer, trust=trust, at=now)
    first = await _signed(desk, received.pdf, request, sealer, depositor, trust, seal_id=seal_id, at=now)
    reached = first
    # Not asked again at once where it was asked in vain.
    if not first.reaches(request.level) and first.level != "B-B":
        reached = await raise_level(desk, first.path, level=first.level, wanted=request.level, trust=trust)
    pending = None if reached.reaches(request.level) else request.level
    if pending is not None:
        if not request.fall_back:
            raise TimeStampAuthorityAway
        most = desk.limits.pending_max
        if await store.count_pending(desk.db, administration=depositor.administration, up_to=most) >= most:
            raise PendingFull
    made = Made(
        path=reached.path,
        level=reached.level,
        pending=pending,
        seal_id=seal_id,
        administration=depositor.administration,
        from_version=0,
        verdict=await judged(desk, reached, trust=trust),
        certificate_sha256=hashlib.sha256(sealer.certificate_der).digest(),
    )
    event = AuditEvent(
        action="seal.made",
        actor_kind="client",
        actor=client_id,
        object_id=seal_id,
        detail={
            "administration": depositor.administration,
            "level": made.level,
            "pending": pending or "",
            "original_sha256": received.pdf_sha256.hex(),
            "certificate_sha256": made.certificate_sha256.hex() if made.certificate_sha256 else "",
        },
    )
    return await keep(desk, made, event, attempt=attempt)


async def _signed(
    desk: SealDesk,
    pdf: Path,
    request: SealRequest,
    sealer: Sealer,
    depositor: Depositor,
    trust: Trust,
    *,
    seal_id: str,
    at: datetime,
) -> Raised:
    """B-T where a time stamp is wanted and to be had, else B-B."""
    into, stamped = pdf.with_suffix(".sealed"), request.level != "B-B"
    room = await desk.workers.prepare(
        PrepareSeal(
            path=str(pdf),
            into=str(into),
            size_max_bytes=desk.limits.receive.pdf_max_bytes,
            reserved_bytes=sealer.container_size_bytes + (desk.authorities.reserved_bytes if stamped else 0),
            at=at,
            reason=None if request.reason is UNSET else request.reason,
            location=None if request.location is UNSET else request.location,
            docmdp_locked=not request.co_signature,
            stamp=None
            if request.stamp is UNSET
            else stamp_of(request.stamp, depositor.names, seal_id=seal_id, locker_url=desk.locker_url, at=at),
        )
    )
    attributes = sealer.signed_attributes(room.digest)
    signature = await desk.keys.sign(sealer, attributes)
    if stamped:
        with contextlib.suppress(TimeStampAuthorityAway, RoomTooSmall):
            token = await desk.authorities.token(hashlib.sha256(signature).digest(), trust=trust)
            await asyncio.to_thread(fill_file, into, room, sealer.cms(attributes, signature, token))
            return Raised(path=into, level="B-T")
    await asyncio.to_thread(fill_file, into, room, sealer.cms(attributes, signature))
    return Raised(path=into, level="B-B")


def _decoded(part: bytes) -> SealRequest:
    try:
        return strict_json.decode(part, SealRequest)
    except msgspec.DecodeError as fault:
        # Names the member, never its value.
        raise SealRequestInvalid(str(fault)) from None


async def _record_refusal(desk: SealDesk, depositor: Depositor, client_id: str, refusal: Refusal) -> None:
    await desk.audit.append(
        desk.db,
        AuditEvent(
            action="seal.refused",
            actor_kind="client",
            actor=client_id,
            result=refusal.code,
            detail={"administration": depositor.administration}
            | {name: refusal.members[name] for name in ("reason",) if name in refusal.members},
        ),
    )
