"""A one-time code goes out through the outbox, capped for each number and each citizen."""

import hashlib
from uuid import UUID

from idp.authenticators import store
from idp.authenticators.one_time_code import TRIES_MAX, code_mac, new_code
from idp.authenticators.refusals import NumberNotServed, TooManyCodes
from idp.authenticators.schema import Destination, Purpose
from idp.keys.secrets import Secrets
from idp.messages.notices import code_notice
from idp.messages.post import Post
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.i18n import Locale
from kit.throttle import Limit, Throttle

PER_ADDRESS = Limit("codes-to-address", 6, 3_600)
PER_CITIZEN = Limit("codes-of-citizen", 12, 3_600)
PER_ASKING_ADDRESS = Limit("codes-asked-from", 100, 3_600)


async def send_code(
    tx: Tx,
    audit: Audit,
    throttle: Throttle,
    secrets: Secrets,
    post: Post,
    citizen_id: UUID,
    to: Destination,
    *,
    purpose: Purpose,
    binding: str,
    locale: Locale,
    lifetime_s: int,
    capped: bool = True,
    asked_from: str | None = None,
) -> None:
    """``asked_from`` is the address prefix of who asks. Raises TooManyCodes: over the caps, or this transaction's tries
    are used up; NumberNotServed.
    """
    if not post.serves(to.channel, to.address):
        raise NumberNotServed(retry_after_s=86_400)
    if capped and asked_from is not None and to.channel == "sms":
        await _count_asking(tx, throttle, asked_from)
    if capped:
        # The throttle's table holds no phone numbers.
        address = hashlib.sha256(to.address.encode()).hexdigest()[:32]
        within = await throttle.count(tx, PER_ADDRESS, address, blocks=False)
        within = await throttle.count(tx, PER_CITIZEN, str(citizen_id), blocks=False) and within
        if not within:
            raise TooManyCodes(retry_after_s=600)
    code = new_code()
    kept = await store.put_code(
        tx,
        citizen_id,
        purpose=purpose,
        binding=binding,
        to=to,
        code_mac=code_mac(secrets, code, citizen_id=citizen_id, purpose=purpose, binding=binding),
        tries_max=TRIES_MAX,
        lifetime_s=lifetime_s,
    )
    if not kept:
        raise TooManyCodes(retry_after_s=600)
    sent = await post.post(
        tx,
        citizen_id=citizen_id,
        channel=to.channel,
        address=to.address,
        notice=code_notice(code, purpose=purpose, lifetime_s=lifetime_s),
        locale=locale,
    )
    if not sent:
        raise TooManyCodes(retry_after_s=3_600)
    await audit.append(
        tx,
        AuditEvent(
            action="code.sent",
            actor_kind="system",
            owner=str(citizen_id),
            detail={"channel": to.channel, "purpose": purpose},
        ),
    )


async def _count_asking(tx: Tx, throttle: Throttle, asked_from: str) -> None:
    """One address that has messages sent to many numbers (L-31)."""
    if not await throttle.count(tx, PER_ASKING_ADDRESS, asked_from, blocks=False):
        raise TooManyCodes(retry_after_s=3_600)
