"""How many wrong guesses are too many, seen from the account, from the address, from the password, from everywhere.

Attempts are counted before the password is looked at, so that parallel ones cannot slip in; a success is given back.
An account is not locked for its owner: from an address that never failed only the hourly sum over all addresses counts.
"""

import hashlib
import hmac
import logging

from idp.keys.secrets import Secrets
from idp.sign_in.schema import Candidate
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.errors import TooManyRequests
from kit.throttle import Limit, Throttle

alerts = logging.getLogger("khizana.alert")

ACCOUNT_FROM_ADDRESS = Limit("sign-in-account-address", 10, 900)
ACCOUNT = Limit("sign-in-account", 60, 3_600)
ADDRESS = Limit("sign-in-address", 100, 300)
ADDRESS_UNDER_ATTACK = Limit("sign-in-address-under-attack", 10, 300)
EVERYWHERE = Limit("sign-in-failures", 600, 300)
ONE_PASSWORD = Limit("sign-in-password", 60, 3_600)
SECOND_FACTOR = Limit("second-factor", 10, 900)
_ALERT = Limit("sign-in-alert", 1, 300)


class Keys:
    """The throttle's keys of one attempt: digests, so that its table says nothing about people or passwords."""

    def __init__(self, secrets: Secrets, *, uid: str, password: str, address_prefix: str) -> None:
        self.account = hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()[:32]
        self.address = address_prefix
        self.account_from_address = f"{self.account}|{address_prefix}"
        # 24 bits of a keyed digest: enough to see one password tried everywhere, too little to find a wrong one back.
        mac = hmac.new(secrets.derive("sprayed-password"), password.encode("utf-8", "replace"), hashlib.sha256)
        self.password = mac.hexdigest()[:6]

    @property
    def everywhere_bucket(self) -> str:
        return f"{EVERYWHERE.name}:"

    @property
    def password_bucket(self) -> str:
        return f"{ONE_PASSWORD.name}:{self.password}"


async def count_attempt(tx: Tx, throttle: Throttle, keys: Keys, candidate: Candidate) -> None:
    """Raises TooManyRequests. The order of rows is the same everywhere, so that attempts never deadlock."""
    # The one that goes over the limit is still looked at, so that count_failure raises the alert.
    if candidate.failures_of_password > ONE_PASSWORD.attempts:
        raise TooManyRequests(ONE_PASSWORD.name, retry_after_s=ONE_PASSWORD.per_s)
    await throttle.count(tx, ACCOUNT_FROM_ADDRESS, keys.account_from_address)
    await throttle.count(tx, ACCOUNT, keys.account)
    await throttle.count(tx, ADDRESS, keys.address)
    if candidate.failures_everywhere >= EVERYWHERE.attempts:
        await throttle.count(tx, ADDRESS_UNDER_ATTACK, keys.address)


async def count_success(tx: Tx, throttle: Throttle, keys: Keys) -> None:
    await throttle.forget(tx, ACCOUNT_FROM_ADDRESS, keys.account_from_address)
    await throttle.forget(tx, ACCOUNT, keys.account)
    await throttle.give_back(tx, ADDRESS, keys.address)


async def count_failure(tx: Tx, throttle: Throttle, audit: Audit, keys: Keys) -> None:
    """Towards the two sums that only a spray reaches; the first time that it does, an alert."""
    few = await throttle.count(tx, EVERYWHERE, "", blocks=False)
    few = await throttle.count(tx, ONE_PASSWORD, keys.password, blocks=False) and few
    if few or not await throttle.count(tx, _ALERT, "", blocks=False):
        return
    alerts.warning("many sign-ins fail: passwords are being tried on many accounts")
    await audit.append(tx, AuditEvent(action="sign-in.spray-suspected", actor_kind="system", result="alert"))
