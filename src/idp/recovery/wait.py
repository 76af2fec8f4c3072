"""Password and second factor are both lost: a waiting time in which the owner can say no, on every channel."""

from uuid import UUID

from idp.activation.open_after_recovery import open_after_recovery
from idp.authenticators.passkey import Site
from idp.citizens.find import find_citizen
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.recovery import store
from idp.recovery.notices import recovery_begun, recovery_goes_on, recovery_ready, recovery_stopped
from idp.recovery.prove import opened
from idp.recovery.refusals import RecoveryOver
from idp.recovery.schema import WAIT_OPEN_S, Recovery
from idp.recovery.stop_link import recovery_in, stop_token
from idp.settings import IdpSettings
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.i18n import Locale
from kit.ids import new_id
from kit.throttle import Limit, Throttle

STARTS = Limit("recovery-wait", 2, 86_400)
_AT_ONCE_MAX = 50


def recovery_parts(settings: IdpSettings, db: Database, secrets: Secrets, post: Post) -> Recovery:
    """For the routes and for the worker alike."""
    return Recovery(
        db=db,
        audit=Audit("idp"),
        throttle=Throttle("idp"),
        secrets=secrets,
        post=post,
        issuer=f"{Site.of(settings.issuer).origin}/idp",
        one_time_code_lifetime_s=settings.one_time_code_lifetime_s,
        wait_s=settings.recovery_wait_s,
    )


async def begin_wait(parts: Recovery, browser_sha256: bytes) -> bool:
    """False where one runs already, or too many were stopped. Raises RecoveryOver: also for a link by text message."""
    recovery = await opened(parts, browser_sha256)
    if not recovery.may_wait:
        raise RecoveryOver
    who, recovery_id = recovery.who, new_id()

    async def once(tx: Tx) -> bool:
        await store.close(tx, browser_sha256)
        if not await parts.throttle.count(tx, STARTS, str(who.citizen_id), blocks=False):
            return False
        if not await store.begin_wait(tx, recovery_id, who.citizen_id, wait_s=parts.wait_s, open_s=WAIT_OPEN_S):
            return False
        await parts.post.tell(
            tx,
            citizen_id=who.citizen_id,
            claims=who.claims,
            notice=recovery_begun(parts.wait_s // 3_600, stop=_stop_link(parts, recovery_id)),
            locale=Locale(who.locale),
        )
        await _record(tx, parts, "recovery.begun", who.citizen_id, recovery_id)
        return True

    return await parts.db.transact(once)


async def open_if_ready(parts: Recovery, browser_sha256: bytes) -> bool:
    """A link by mail that is opened after the waiting time leads to choosing everything anew."""
    recovery = await opened(parts, browser_sha256)
    citizen_id = recovery.who.citizen_id

    async def once(tx: Tx) -> bool:
        waiting = await store.waiting(tx, citizen_id)
        if waiting is None or not waiting.ready or not recovery.may_wait:
            return False
        await store.close(tx, browser_sha256)
        await open_after_recovery(tx, citizen_id, browser_sha256)
        return True

    return await parts.db.transact(once)


async def stop(parts: Recovery, token: str) -> bool:
    """False for what runs no more; True for what this word has stopped."""
    recovery_id = recovery_in(parts.secrets, token)

    async def once(tx: Tx) -> bool:
        citizen_id = None if recovery_id is None else await store.stop_wait(tx, recovery_id)
        citizen = None if citizen_id is None else await find_citizen(tx, citizen_id)
        if citizen is None or recovery_id is None:
            return False
        await parts.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=recovery_stopped(),
            locale=Locale(citizen.locale),
        )
        await _record(tx, parts, "recovery.stopped", citizen.citizen_id, recovery_id)
        return True

    return await parts.db.transact(once)


async def remind(parts: Recovery) -> int:
    """One round of the worker: each running recovery is told of once a day, and once when its time is over."""

    async def once(tx: Tx) -> int:
        rows = await store.claim_due_notices(tx, count_max=_AT_ONCE_MAX)
        for row in rows:
            link = _stop_link(parts, row["recovery_id"])
            notice = (
                recovery_ready(f"{parts.issuer}/recover", stop=link) if row["ready"] else recovery_goes_on(stop=link)
            )
            await parts.post.tell(
                tx,
                citizen_id=row["citizen_id"],
                claims=row["claims"],
                notice=notice,
                locale=Locale(row["locale"]),
            )
        return len(rows)

    return await parts.db.transact(once)


def _stop_link(parts: Recovery, recovery_id: UUID) -> str:
    return f"{parts.issuer}/recover/stop?token={stop_token(parts.secrets, recovery_id)}"


async def _record(tx: Tx, parts: Recovery, action: str, citizen_id: UUID, recovery_id: UUID) -> None:
    await parts.audit.append(
        tx,
        AuditEvent(
            action=action,
            actor_kind="anonymous",
            owner=str(citizen_id),
            object_id=str(recovery_id),
        ),
    )
