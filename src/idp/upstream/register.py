from typing import Any

import msgspec

from idp.sessions.end import end_all_through
from idp.upstream import store
from idp.upstream.check_metadata import check_issuer
from idp.upstream.providers import Providers
from idp.upstream.refusals import RegistrationRefused, UpstreamAway, UpstreamUnknown
from idp.upstream.schema import Registration, RegistrationInput, Upstream
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.jose import SigningKey


async def register(
    db: Database,
    audit: Audit,
    providers: Providers,
    wanted: RegistrationInput,
    *,
    our_issuer: str,
    loopback_allowed: bool,
    officer: str,
) -> dict[str, Any]:
    """Make or change a provider, after a look at its metadata. What the other side has to register of us is the answer:
    the redirect URI, and with private_key_jwt our public key, which is made here and stays through later changes.

    Raises RegistrationRefused, naming the member.
    """
    registration = msgspec.convert(
        {name: value for name, value in msgspec.to_builtins(wanted).items() if name != "client_secret"}, Registration
    )
    _check(wanted, our_issuer=our_issuer, loopback_allowed=loopback_allowed)
    try:
        await providers.discover(registration)
    except UpstreamAway as away:
        raise RegistrationRefused(f"issuer: its metadata cannot be had ({away.reason})") from None
    before = await store.find_upstream(db, registration.slug)
    credential_sealed, jwks = _credential(providers, wanted, registration, before)

    async def record(tx: Tx) -> None:
        if not await store.upsert_upstream(tx, registration, credential_sealed=credential_sealed):
            raise RegistrationRefused("issuer: it stays, because links name it; register another slug")
        await audit.append(
            tx,
            AuditEvent(action="upstream.registered", actor_kind="officer", actor=officer, object_id=registration.slug),
        )

    await db.transact(record)
    return {
        **msgspec.to_builtins(registration),
        "redirect_uri": f"{our_issuer}/upstream/{registration.slug}/callback",
        **({"jwks": jwks} if jwks else {}),
    }


async def set_state(db: Database, audit: Audit, slug: str, *, enabled: bool, officer: str) -> None:
    """Disabling also ends every session that began there: it is what one does with a provider that was broken into.

    Raises UpstreamUnknown.
    """

    async def record(tx: Tx) -> None:
        if not await store.set_state(tx, slug, "active" if enabled else "disabled"):
            raise UpstreamUnknown
        if not enabled:
            await end_all_through(tx, audit, slug, citizen_id=None, because="upstream-disabled")
        await audit.append(
            tx,
            AuditEvent(
                action="upstream.enabled" if enabled else "upstream.disabled",
                actor_kind="officer",
                actor=officer,
                object_id=slug,
            ),
        )

    await db.transact(record)


def _check(wanted: RegistrationInput, *, our_issuer: str, loopback_allowed: bool) -> None:
    check_issuer(wanted.issuer, loopback_allowed=loopback_allowed)
    if wanted.issuer == our_issuer:
        raise RegistrationRefused("issuer: this is our own")
    if "openid" not in wanted.scope.split():
        raise RegistrationRefused("scope: lacks openid")


def _credential(
    providers: Providers, wanted: RegistrationInput, registration: Registration, before: Upstream | None
) -> tuple[bytes, dict[str, Any] | None]:
    """Sealed, and with private_key_jwt the key set for the other side."""
    if registration.token_endpoint_auth_method != "private_key_jwt":
        if wanted.client_secret is not None:
            return providers.seal(registration.slug, wanted.client_secret.encode()), None
        if before is None or before.registration.token_endpoint_auth_method == "private_key_jwt":
            raise RegistrationRefused("client_secret: missing")
        return before.credential_sealed, None
    if wanted.client_secret is not None:
        raise RegistrationRefused("client_secret: not with private_key_jwt")
    key = _kept_key(providers, registration, before) or SigningKey.generate(
        registration.token_endpoint_auth_signing_alg
    )
    return providers.seal(registration.slug, key.pem()), {"keys": [key.public_jwk]}


def _kept_key(providers: Providers, registration: Registration, before: Upstream | None) -> SigningKey | None:
    if before is None or before.registration.token_endpoint_auth_method != "private_key_jwt":
        return None
    if before.registration.token_endpoint_auth_signing_alg != registration.token_endpoint_auth_signing_alg:
        return None
    return providers.key_of(before)
