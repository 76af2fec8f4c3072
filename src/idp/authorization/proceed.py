"""From a valid request to the next page or to the answer."""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec

from idp.authorization import store
from idp.authorization.prompts import Situation, next_prompt
from idp.authorization.refusals import AuthorizationError, InteractionOver
from idp.authorization.respond import AuthorizationResponse, failure, success
from idp.authorization.schema import AuthorizationRequest, ClaimsRequest, Interaction
from idp.clients.schema import Client
from idp.clients.scopes import ScopeRegistry
from idp.consents.current import current_consent
from idp.consents.schema import Consent
from idp.keys.ring import KeyRing
from idp.keys.secrets import Secrets
from idp.sessions.schema import Session
from idp.subjects.pairwise import pairwise_sub
from idp.subjects.remember import remember
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_id
from kit.tokens import digest, new_token


class PageNeeded(msgspec.Struct, frozen=True):
    page: Literal["login", "consent"]
    interaction_id: str


class Provider(msgspec.Struct, frozen=True):
    """The parts that the ways to an answer share."""

    db: Database
    audit: Audit
    secrets: Secrets
    keys: KeyRing
    scopes: ScopeRegistry
    issuer: str
    interaction_lifetime_s: int
    code_lifetime_s: int


async def begin(
    provider: Provider, request: AuthorizationRequest, client: Client, *, session: Session | None, browser_sha256: bytes
) -> AuthorizationResponse | PageNeeded:
    """Answer at once where nothing stands in the way; else keep the request and say which page comes first."""
    at = await _situation(provider, request, client.sector, session=session, begun_at=None)
    page = next_prompt(at)
    if page is None:
        assert session is not None
        assert at.consent is not None
        assert at.sub is not None
        return await _give_code(
            provider, request, client.sector, session=session, sub=at.sub, consent=at.consent, finishing=None
        )
    if "none" in request.prompt:
        raise AuthorizationError("login_required" if page == "login" else "consent_required")
    interaction_id = new_token()
    await store.insert_interaction(
        provider.db,
        interaction_id,
        browser_sha256=browser_sha256,
        request=request,
        lifetime_s=provider.interaction_lifetime_s,
    )
    return PageNeeded(page, interaction_id)


async def resume(
    provider: Provider, interaction: Interaction, sector: str, *, session: Session | None, browser_sha256: bytes
) -> AuthorizationResponse | PageNeeded:
    """The citizen comes back from a page."""
    request = interaction.request
    at = await _situation(provider, request, sector, session=session, begun_at=interaction.created_at)
    page = next_prompt(at)
    if page is None:
        assert session is not None
        assert at.consent is not None
        assert at.sub is not None
        return await _give_code(
            provider,
            request,
            sector,
            session=session,
            sub=at.sub,
            consent=at.consent,
            finishing=(interaction.interaction_id, browser_sha256),
        )
    signed_in_now = session is not None and session.auth_time >= interaction.created_at
    if page == "login" and signed_in_now and request.hinted_subs and at.sub not in request.hinted_subs:
        # Somebody signed in, and is not the one whom the relying party asked for (OpenID Connect Core §3.1.2.2).
        return await refuse(
            provider, interaction, AuthorizationError("login_required"), session=session, browser_sha256=browser_sha256
        )
    return PageNeeded(page, interaction.interaction_id)


async def refuse(
    provider: Provider,
    interaction: Interaction,
    error: AuthorizationError,
    *,
    session: Session | None,
    browser_sha256: bytes,
) -> AuthorizationResponse:
    """End the interaction with an error for the relying party: the citizen said no."""

    async def finish(tx: Tx) -> None:
        if not await store.finish_interaction(tx, interaction.interaction_id, browser_sha256=browser_sha256):
            raise InteractionOver
        await provider.audit.append(
            tx,
            AuditEvent(
                action="authorization.refused",
                actor_kind="citizen" if session else "anonymous",
                actor=str(session.citizen_id) if session else "",
                owner=str(session.citizen_id) if session else None,
                object_id=interaction.client_id,
                result=error.error,
            ),
        )

    await provider.db.transact(finish)
    return await failure(interaction.request.reply_to, error, issuer=provider.issuer, keys=provider.keys.current())


async def _situation(
    provider: Provider,
    request: AuthorizationRequest,
    sector: str,
    *,
    session: Session | None,
    begun_at: datetime | None,
) -> Situation:
    consent, sub = None, None
    if session is not None:
        consent = await current_consent(provider.db, citizen_id=session.citizen_id, client_id=request.client_id)
        sub = pairwise_sub(provider.secrets, sector=sector, citizen_id=session.citizen_id)
    return Situation(
        request=request,
        session=session,
        sub=sub,
        consent=consent,
        begun_at=begun_at,
        now=datetime.now(UTC),
    )


async def _give_code(
    provider: Provider,
    request: AuthorizationRequest,
    sector: str,
    *,
    session: Session,
    sub: str,
    consent: Consent,
    finishing: tuple[str, bytes] | None,
) -> AuthorizationResponse:
    code = new_token()
    family_id: UUID = new_id()
    claims = _given(request.claims, consent)
    reached = (await provider.scopes.current()).sectors_reached(frozenset(request.scopes))

    async def give(tx: Tx) -> None:
        if finishing and not await store.finish_interaction(tx, finishing[0], browser_sha256=finishing[1]):
            raise InteractionOver
        await remember(tx, sector=sector, sub=sub, citizen_id=session.citizen_id)
        for other in reached:
            their_sub = pairwise_sub(provider.secrets, sector=other, citizen_id=session.citizen_id)
            await remember(tx, sector=other, sub=their_sub, citizen_id=session.citizen_id)
        await store.insert_code(
            tx,
            digest(code),
            request=request,
            session=session,
            sub=sub,
            consent_id=consent.consent_id,
            family_id=family_id,
            claims=claims,
            lifetime_s=provider.code_lifetime_s,
        )
        await provider.audit.append(
            tx,
            AuditEvent(
                action="authorization.given",
                actor_kind="citizen",
                actor=str(session.citizen_id),
                owner=str(session.citizen_id),
                object_id=request.client_id,
                detail={
                    "family": str(family_id),
                    "scopes": list(request.scopes),
                    "claims": sorted(set(claims.userinfo) | set(claims.id_token)),
                    "acr": session.acr,
                },
            ),
        )

    await provider.db.transact(give)
    return await success(request.reply_to, code=code, issuer=provider.issuer, keys=provider.keys.current())


def _given(claims: ClaimsRequest, consent: Consent) -> ClaimsRequest:
    """Of the claims asked for one by one, those that were given; what is about the sign-in needs no consent."""
    free = {"acr", "auth_time", "sub"}
    return ClaimsRequest(
        locales=claims.locales,
        userinfo={name: wanted for name, wanted in claims.userinfo.items() if name in consent.claims | free},
        id_token={name: wanted for name, wanted in claims.id_token.items() if name in consent.claims | free},
    )
