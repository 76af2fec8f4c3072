from idp.activation import store
from idp.activation.code import code_mac
from idp.activation.schema import OPEN_S, Activation
from idp.authenticators.one_time_code import as_typed
from kit.audit import AuditEvent
from kit.db import Tx
from kit.throttle import Limit

PER_UID = Limit("activation-account", 10, 3_600)
PER_ADDRESS = Limit("activation-address", 50, 3_600)


async def open_code(parts: Activation, *, uid: str, code: str, browser_sha256: bytes, address_prefix: str) -> bool:
    """Enter the code from the desk; False for a wrong one, whoever the identifier belongs to.

    Raises TooManyRequests before anything is compared.
    """
    uid = as_typed(uid)[:10]

    async def count(tx: Tx) -> None:
        await parts.throttle.count(tx, PER_UID, uid.encode("ascii", "replace").hex())
        await parts.throttle.count(tx, PER_ADDRESS, address_prefix)

    await parts.db.transact(count)

    async def once(tx: Tx) -> bool:
        citizen_id = await store.open_in_browser(
            tx,
            uid,
            code_mac=code_mac(parts.secrets, code),
            browser_sha256=browser_sha256,
            lifetime_s=OPEN_S,
        )
        await parts.audit.append(
            tx,
            AuditEvent(
                action="activation.opened" if citizen_id else "activation.refused",
                actor_kind="anonymous",
                owner=str(citizen_id) if citizen_id else None,
                result="ok" if citizen_id else "wrong-credentials",
            ),
        )
        if citizen_id:
            await parts.throttle.give_back(tx, PER_ADDRESS, address_prefix)
        return citizen_id is not None

    return await parts.db.transact(once)
