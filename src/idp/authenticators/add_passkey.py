import time
from uuid import UUID

from idp.authenticators import store
from idp.authenticators.passkey import NewPasskey, Site, challenge_in, judge_attestation
from idp.authenticators.passkey_challenge import LIFETIME_S, was_given
from idp.keys.secrets import Secrets
from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.ids import new_id
from kit.tokens import digest_bytes

PASSKEYS_MAX = 20


async def add_passkey(
    tx: Tx,
    audit: Audit,
    secrets: Secrets,
    site: Site,
    citizen_id: UUID,
    text: str,
    *,
    name: str,
    browser_sha256: bytes,
    binding: str,
) -> bool:
    """False for an answer that is not to our challenge, a key that somebody has registered, or one too many."""
    challenge = challenge_in(text)
    if challenge is None or not was_given(
        secrets, challenge, ceremony="create", browser_sha256=browser_sha256, errand=binding, now_s=time.time()
    ):
        return False
    if not await store.spend_challenge(tx, digest_bytes(challenge), lifetime_s=2 * LIFETIME_S):
        return False
    made = judge_attestation(site, text, challenge=challenge)
    return made is not None and await _keep(tx, audit, citizen_id, made, name=name)


async def _keep(tx: Tx, audit: Audit, citizen_id: UUID, made: NewPasskey, *, name: str) -> bool:
    passkey_id = new_id()
    if not await store.insert_passkey(tx, passkey_id, citizen_id, made, name=name, passkeys_max=PASSKEYS_MAX):
        return False
    await audit.append(
        tx,
        AuditEvent(
            action="authenticator.added",
            actor_kind="citizen",
            actor=str(citizen_id),
            owner=str(citizen_id),
            object_id=str(passkey_id),
            detail={"method": "passkey"},
        ),
    )
    return True
