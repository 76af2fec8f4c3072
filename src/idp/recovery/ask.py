from idp.authenticators.one_time_code import as_typed
from idp.recovery import store
from idp.recovery.notices import recovery_asked, recovery_link
from idp.recovery.schema import LINK_LIFETIME_S, Asker, Recovery
from kit.audit import AuditEvent
from kit.db import Tx
from kit.i18n import Locale
from kit.throttle import Limit
from kit.tokens import digest, new_token

PER_UID = Limit("recovery-account", 5, 3_600)
PER_ADDRESS = Limit("recovery-address", 20, 3_600)


async def ask(parts: Recovery, *, uid: str, address_prefix: str) -> None:
    """Whoever it is, there is no answer but the messages: nobody learns here who has an account (L-13).

    Raises TooManyRequests, by what was typed and not by what it means.
    """
    uid = as_typed(uid)[:10]

    async def count(tx: Tx) -> bool:
        await parts.throttle.count(tx, PER_ADDRESS, address_prefix)
        return await parts.throttle.count(tx, PER_UID, uid.encode("ascii", "replace").hex(), blocks=False)

    if not await parts.db.transact(count):
        return

    async def once(tx: Tx) -> None:
        who = await store.asker(tx, uid)
        if who is not None:
            await _tell(tx, parts, who)
        await parts.audit.append(
            tx,
            AuditEvent(action="recovery.asked", actor_kind="anonymous", owner=str(who.citizen_id) if who else None),
        )

    await parts.db.transact(once)


async def _tell(tx: Tx, parts: Recovery, who: Asker) -> None:
    locale, confirmed = Locale(who.locale), who.confirmed
    for to in confirmed:
        token = new_token()
        await store.insert_link(
            tx, digest(token), citizen_id=who.citizen_id, channel=to.channel, lifetime_s=LINK_LIFETIME_S
        )
        await parts.post.post(
            tx,
            citizen_id=who.citizen_id,
            channel=to.channel,
            address=to.address,
            notice=recovery_link(f"{parts.issuer}/recover/link?token={token}"),
            locale=locale,
        )
    addresses = {to.address for to in confirmed}
    others = {name: who.claims.get(name) for name in ("phone_number", "email") if who.claims.get(name) not in addresses}
    await parts.post.tell(tx, citizen_id=who.citizen_id, claims=others, notice=recovery_asked(), locale=locale)
