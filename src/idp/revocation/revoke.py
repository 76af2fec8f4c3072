from idp.clients.schema import Client
from idp.token import store
from idp.token.accept import family_of_claims
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.jose import ASYMMETRIC, KeySet, TokenRefused, verify
from kit.tokens import digest


async def revoke(db: Database, audit: Audit, token: str, client: Client, *, keys: KeySet, issuer: str) -> None:
    """A refresh token takes its family with it; an access token ends alone (RFC 7009 §2.1). What is unknown or another
    client's has no effect and is no error (§2.2)."""
    if token.count(".") == 2:
        await _access_token(db, audit, token, client, keys=keys, issuer=issuer)
    else:
        await _refresh_token(db, audit, token, client)


async def _access_token(db: Database, audit: Audit, token: str, client: Client, *, keys: KeySet, issuer: str) -> None:
    try:
        claims = verify(
            token,
            keys.public,
            algorithms=ASYMMETRIC,
            typ=["at+jwt"],
            issuer=issuer,
            require=("client_id", "exp", "jti"),
            leeway_s=0,
        )
    except TokenRefused:
        return
    if claims["client_id"] != client.client_id:
        return

    async def end(tx: Tx) -> None:
        await store.revoke_access_token(tx, claims["jti"], expires_at=claims["exp"])
        family_id = family_of_claims(claims)
        status = await store.select_status(tx, jti=claims["jti"], client_id=client.client_id, family_id=family_id)
        citizen_id = status["citizen_id"] if status else None
        await audit.append(
            tx,
            AuditEvent(
                action="token.revoked",
                actor_kind="client",
                actor=client.client_id,
                owner=str(citizen_id) if citizen_id else None,
                object_id=str(family_id or claims["jti"]),
            ),
        )

    await db.transact(end)


async def _refresh_token(db: Database, audit: Audit, token: str, client: Client) -> None:
    row = await store.select_refresh_token(db, digest(token))
    if row is None or row["client_id"] != client.client_id:
        return

    async def end(tx: Tx) -> None:
        if await store.end_family(tx, row["family_id"]):
            await audit.append(
                tx,
                AuditEvent(
                    action="token.family_ended",
                    actor_kind="client",
                    actor=client.client_id,
                    owner=str(row["citizen_id"]),
                    object_id=str(row["family_id"]),
                ),
            )

    await db.transact(end)
