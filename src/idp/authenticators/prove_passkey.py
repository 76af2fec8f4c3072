"""A passkey proves who is there. The challenge is spent first, so that a second try with it finds nothing."""

import hmac
import time
from typing import Literal
from uuid import UUID

import msgspec

from idp.authenticators import store
from idp.authenticators.passkey import Assertion, Site, judge_assertion, user_handle
from idp.authenticators.passkey_challenge import LIFETIME_S, Ceremony, was_given
from idp.keys.secrets import Secrets
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.tokens import digest_bytes


class Proven(msgspec.Struct, frozen=True):
    citizen_id: UUID


class NotProven(msgspec.Struct, frozen=True):
    why: Literal["not-ours", "unknown", "wrong", "copied"]
    """``copied``: the signature is right and the count went back, so the key may exist twice (§7.2 step 21)."""
    citizen_id: UUID | None = None


async def prove_passkey(
    tx: Tx,
    audit: Audit,
    secrets: Secrets,
    site: Site,
    assertion: Assertion,
    *,
    ceremony: Ceremony,
    browser_sha256: bytes,
    errand: str,
    of: UUID | None = None,
) -> Proven | NotProven:
    """``of`` is who must be proven; without it the authenticator says who it is, and must say so."""
    challenge = assertion.challenge
    given = was_given(
        secrets, challenge, ceremony=ceremony, browser_sha256=browser_sha256, errand=errand, now_s=time.time()
    )
    if not given or not await store.spend_challenge(tx, digest_bytes(challenge), lifetime_s=2 * LIFETIME_S):
        return NotProven("not-ours")
    passkey = await store.passkey(tx, assertion.credential_id)
    if passkey is None or (of is not None and passkey.citizen_id != of):
        return NotProven("unknown")
    if not _is_owners(secrets, assertion, passkey.citizen_id, needed=of is None):
        return NotProven("wrong", passkey.citizen_id)
    asserted = judge_assertion(site, assertion, passkey)
    if asserted is None:
        return NotProven("wrong", passkey.citizen_id)
    if not await store.use_passkey(
        tx, passkey.passkey_id, sign_count=asserted.sign_count, backed_up=asserted.backed_up
    ):
        await audit.append(
            tx,
            AuditEvent(
                action="passkey.copy-suspected",
                actor_kind="anonymous",
                owner=str(passkey.citizen_id),
                object_id=str(passkey.passkey_id),
                result="refused",
            ),
        )
        return NotProven("copied", passkey.citizen_id)
    return Proven(passkey.citizen_id)


def _is_owners(secrets: Secrets, assertion: Assertion, citizen_id: UUID, *, needed: bool) -> bool:
    """§7.2 step 6: a discoverable credential names its owner."""
    if assertion.user_handle is None:
        return not needed
    return hmac.compare_digest(assertion.user_handle, user_handle(secrets, citizen_id))
