"""From the letters that somebody typed to the device that waits, without letting anybody try many."""

import msgspec

from idp.authorization.schema import AuthorizationRequest
from idp.device import store
from idp.device.refusals import SignInFirst
from idp.device.schema import Devices, WaitingDevice
from idp.device.sealing import mac_of, opened
from idp.device.user_code import readings
from kit.db import Row, Tx
from kit.throttle import Limit

BROWSER = Limit("user-code-browser", 10, 600)
ADDRESS = Limit("user-code-address", 30, 600)
EVERYWHERE = Limit("user-code-failures", 300, 300)
CITIZEN = Limit("user-code-citizen", 10, 600)


async def find_by_user_code(
    parts: Devices, typed: str, *, browser_sha256: bytes, address_prefix: str, citizen: str | None
) -> WaitingDevice | None:
    """None for a code that no waiting device has.

    Raises TooManyRequests before the code is looked at; SignInFirst while codes are being guessed from many addresses
    at once: then only who is known may try, and is counted.
    """
    macs = [mac_of(parts.secrets, user_code) for user_code in readings(typed)]
    if citizen is None and await _codes_are_being_guessed(parts):
        raise SignInFirst

    async def once(tx: Tx) -> Row | None:
        await parts.throttle.count(tx, BROWSER, browser_sha256.hex())
        await parts.throttle.count(tx, ADDRESS, address_prefix)
        if citizen is not None:
            await parts.throttle.count(tx, CITIZEN, citizen)
        row = await store.select_by_user_code(tx, macs) if macs else None
        if row is None:
            await parts.throttle.count(tx, EVERYWHERE, "", blocks=False)
        else:
            await parts.throttle.give_back(tx, ADDRESS, address_prefix)
        return row

    row = await parts.db.transact(once)
    return None if row is None else _waiting(parts, row)


async def find_waiting(parts: Devices, device_code_sha256: bytes) -> WaitingDevice | None:
    row = await store.select_waiting(parts.db, device_code_sha256)
    return None if row is None else _waiting(parts, row)


async def _codes_are_being_guessed(parts: Devices) -> bool:
    return await parts.throttle.attempts(parts.db, EVERYWHERE, "") >= EVERYWHERE.attempts


def _waiting(parts: Devices, row: Row) -> WaitingDevice:
    return WaitingDevice(
        device_code_sha256=row["device_code_sha256"],
        client_id=row["client_id"],
        user_code=opened(parts.secrets, row["user_code_sealed"], row["device_code_sha256"]),
        request=msgspec.convert(row["request"], AuthorizationRequest),
        created_at=row["created_at"],
    )
