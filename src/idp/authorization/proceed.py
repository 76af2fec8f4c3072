"""From a valid request to the next page or to the answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from idp.authorization import store
from idp.authorization.details import DetailsRefused
from idp.authorization.prompts import Next, Situation, next_prompt
from idp.authorization.refusals import AuthorizationError, InteractionOver, InvalidRequestUri
from idp.authorization.respond import AuthorizationResponse, failure, success
from idp.authorization.schema import AuthorizationRequest, ClaimsRequest, Interaction, Kind
from idp.backchannel import settle as backchannel
from idp.clients.schema import Client
from idp.clients.scopes import CLAIMS_OF_SCOPE, ScopeRegistry
from idp.consents.current import current_consent
from idp.consents.schema import Consent
from idp.consents.use_once import use_once
from idp.device import settle as device
from idp.freezing.frozen import service_is_frozen
from idp.keys.ring import KeyRing
from idp.keys.secrets import Secrets
from idp.mandates.choices import acr_for, choices
from idp.mandates.schema import Mandate
from idp.purposes.held import is_held
from idp.sessions.schema import Session
from idp.subjects.pairwise import pairwise_sub
from idp.subjects.remember import remember
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_id
from kit.tokens import digest, new_token


class PageNeeded(msgspec.Struct, frozen=True):
    page: Next
    interaction_id: str


class Settled(msgspec.Struct, frozen=True):
    """Who waits at the token endpoint has its answer; the browser is sent to nobody."""

    kind: Kind
    allowed: bool


class Provider(msgspec.Struct, frozen=True):
    """The parts that the ways to an answer share."""

    db: Database
    audit: Audit
    secrets: Secrets
    keys: KeyRing
    scopes: ScopeRegistry
    answers: store.Answers
    issuer: str
    interaction_lifetime_s: int
    code_lifetime_s: int


_NOT_HELD = "what is registered for this purpose changed meanwhile"
# OpenID Connect Core §3.1.2.6, where nothing may be asked.
_UNASKED: Mapping[Next, str] = {"login": "login_required", "act-for": "account_selection_required"}


async def begin(
    provider: Provider, request: AuthorizationRequest, client: Client, *, session: Session | None, browser_sha256: bytes
) -> AuthorizationResponse | PageNeeded | Settled:
    """Answer at once where nothing stands in the way; else keep the request and say which page comes first."""
    at, mandate = await _situation(
        provider,
        request,
        client.sector,
        session=session,
        interaction=None,
        representation_allowed=client.metadata.representation_allowed,
    )
    if await _is_frozen(provider, request, session, mandate):
        return await _refused_at_once(provider, request, AuthorizationError("access_denied"))
    if not await is_held(provider.db, request):
        return await _refused_at_once(provider, request, DetailsRefused(_NOT_HELD))
    page = next_prompt(at)
    if page is None:
        assert session is not None
        assert at.consent is not None
        assert at.sub is not None
        return await _give_code(
            provider,
            request,
            client.sector,
            session=session,
            sub=at.sub,
            consent=at.consent,
            mandate=mandate,
            finishing=None,
        )
    if "none" in request.prompt:
        return await _refused_at_once(provider, request, AuthorizationError(_UNASKED.get(page, "consent_required")))
    return PageNeeded(page, await keep(provider, request, browser_sha256))


async def _refused_at_once(
    provider: Provider, request: AuthorizationRequest, error: AuthorizationError
) -> AuthorizationResponse:
    await _spend(provider.db, request)
    return await failure(request.reply_to, error, issuer=provider.issuer, keys=provider.keys.current())


async def keep(provider: Provider, request: AuthorizationRequest, browser_sha256: bytes) -> str:
    """The interaction's id: the request is on its way through the pages of this browser."""
    interaction_id = new_token()
    await store.insert_interaction(
        provider.db,
        interaction_id,
        browser_sha256=browser_sha256,
        request=request,
        lifetime_s=provider.interaction_lifetime_s,
    )
    return interaction_id


async def resume(
    provider: Provider, interaction: Interaction, sector: str, *, session: Session | None, browser_sha256: bytes
) -> AuthorizationResponse | PageNeeded | Settled:
    """The citizen comes back from a page."""
    request = interaction.request
    at, mandate = await _situation(
        provider,
        request,
        sector,
        session=session,
        interaction=interaction,
        representation_allowed=interaction.representation_allowed,
    )
    if await _is_frozen(provider, request, session, mandate):
        return await refuse(
            provider, interaction, AuthorizationError("access_denied"), session=session, browser_sha256=browser_sha256
        )
    if not await is_held(provider.db, request):
        return await refuse(
            provider, interaction, DetailsRefused(_NOT_HELD), session=session, browser_sha256=browser_sha256
        )
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
            mandate=mandate,
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
) -> AuthorizationResponse | Settled:
    """End the interaction with an error for the relying party: the citizen said no."""

    async def finish(tx: Tx) -> None:
        if not await store.finish_interaction(tx, interaction.interaction_id, browser_sha256=browser_sha256):
            raise InteractionOver
        await _spend(tx, interaction.request)
        await _deny(tx, interaction.request, session)
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
    if interaction.request.waiting_sha256 is not None:
        return Settled(interaction.request.kind, allowed=False)
    return await failure(interaction.request.reply_to, error, issuer=provider.issuer, keys=provider.keys.current())


async def _situation(
    provider: Provider,
    request: AuthorizationRequest,
    sector: str,
    *,
    session: Session | None,
    interaction: Interaction | None,
    representation_allowed: bool,
) -> tuple[Situation, Mandate | None]:
    """And by which mandate the session's citizen acts, where they said so."""
    consent, sub, mandate, is_said = None, None, None, False
    others: tuple[str, ...] = ()
    if session is not None:
        whom = session.citizen_id
        if representation_allowed:
            usable = await choices(provider.db, session, request)
            others = tuple(
                pairwise_sub(provider.secrets, sector=sector, citizen_id=one.represented_id) for one in usable
            )
            if interaction is not None and interaction.acting_chosen_by == session.citizen_id:
                chosen = interaction.acting_mandate_id
                mandate = next((one for one in usable if one.mandate_id == chosen), None)
                # One that was chosen and has ended since is not chosen; the person is asked again.
                is_said = chosen is None or mandate is not None
                if not is_said and not others:
                    raise InteractionOver
        if mandate is not None:
            whom = mandate.represented_id
        consent = await current_consent(provider.db, citizen_id=whom, client_id=request.client_id)
        sub = pairwise_sub(provider.secrets, sector=sector, citizen_id=whom)
    situation = Situation(
        request=request,
        session=session,
        sub=sub,
        consent=consent,
        begun_at=interaction.created_at if interaction else None,
        confirmed_at=interaction.confirmed_at if interaction else None,
        now=datetime.now(UTC),
        others=others,
        whom_is_said=is_said,
    )
    return situation, mandate


async def _is_frozen(
    provider: Provider, request: AuthorizationRequest, session: Session | None, mandate: Mandate | None
) -> bool:
    """By whose data it is, or by who acts."""
    if session is None:
        return False
    people = [session.citizen_id, *([mandate.represented_id] if mandate else [])]
    return await service_is_frozen(provider.db, people, request.client_id)


async def _give_code(
    provider: Provider,
    request: AuthorizationRequest,
    sector: str,
    *,
    session: Session,
    sub: str,
    consent: Consent,
    mandate: Mandate | None,
    finishing: tuple[str, bytes] | None,
) -> AuthorizationResponse | Settled:
    code, whom = new_token(), mandate.represented_id if mandate else session.citizen_id
    acr = acr_for(mandate, session) if mandate else session.acr
    family_id: UUID = new_id()
    claims = _given(request, consent)
    reached = (await provider.scopes.current()).sectors_reached(
        frozenset(request.scopes), [detail.type for detail in request.authorization_details]
    )
    subs = {name: pairwise_sub(provider.secrets, sector=name, citizen_id=whom) for name in reached}
    actors = {
        name: pairwise_sub(provider.secrets, sector=name, citizen_id=session.citizen_id) for name in {*reached, sector}
    }

    async def give(tx: Tx) -> None:
        if not await use_once(tx, consent_id=consent.consent_id, details=request.authorization_details):
            raise InteractionOver
        awaited, first = await provider.answers.give(
            tx,
            request.waiting_sha256 or digest(code),
            interaction=finishing,
            request=request,
            session=session,
            sub=sub,
            subs={**subs, sector: sub},
            consent_id=consent.consent_id,
            family_id=family_id,
            claims=claims,
            lifetime_s=await _approve(tx, request, session) or provider.code_lifetime_s,
            acr=acr,
            mandate=mandate,
            event=AuditEvent(
                action="authorization.given",
                actor_kind="citizen",
                actor=str(session.citizen_id),
                owner=str(whom),
                object_id=request.client_id,
                detail={
                    "family": str(family_id),
                    "scopes": list(request.scopes),
                    "claims": sorted(set(claims.userinfo) | set(claims.id_token)),
                    "acr": acr,
                    **({"mandate": str(mandate.mandate_id)} if mandate else {}),
                },
            ),
        )
        if not awaited:
            raise InteractionOver
        if not first:
            raise InvalidRequestUri
        if mandate:
            await _record_acting(tx, provider, request, session, mandate, actors=actors)

    if request.waiting_sha256 is None and not request.authorization_details and mandate is None:
        await give(provider.db)
    else:
        # More than this one statement must hold, or nothing.
        await provider.db.transact(give)
    if request.waiting_sha256 is not None:
        return Settled(request.kind, allowed=True)
    return await success(request.reply_to, code=code, issuer=provider.issuer, keys=provider.keys.current())


async def _record_acting(
    tx: Tx,
    provider: Provider,
    request: AuthorizationRequest,
    session: Session,
    mandate: Mandate,
    *,
    actors: Mapping[str, str],
) -> None:
    """What was done for somebody else stands in the history of who did it too, and ``act`` leads back to them."""
    for name, sub in actors.items():
        await remember(tx, sector=name, sub=sub, citizen_id=session.citizen_id)
    await provider.audit.append(
        tx,
        AuditEvent(
            action="authorization.given-for",
            actor_kind="citizen",
            actor=str(session.citizen_id),
            owner=str(session.citizen_id),
            object_id=request.client_id,
            detail={"mandate": str(mandate.mandate_id), "scopes": list(request.scopes)},
        ),
    )


async def _spend(tx: Tx, request: AuthorizationRequest) -> None:
    """A pushed request is answered once (RFC 9126 §7.3), in whichever tab comes first."""
    if request.request_uri_sha256 is not None and not await store.spend_pushed(tx, request.request_uri_sha256):
        raise InvalidRequestUri


async def _approve(tx: Tx, request: AuthorizationRequest, session: Session) -> int | None:
    """For how many seconds who waits may still come for the tokens; None where nobody waits."""
    if request.waiting_sha256 is None:
        return None
    if request.kind == "ciba":
        remaining_s = await backchannel.approve(tx, request.waiting_sha256, citizen_id=session.citizen_id)
    else:
        remaining_s = await device.approve(tx, request.waiting_sha256)
    if remaining_s is None:
        # Answered in another browser, or too late.
        raise InteractionOver
    return remaining_s


async def _deny(tx: Tx, request: AuthorizationRequest, session: Session | None) -> None:
    if request.waiting_sha256 is None:
        return
    if request.kind == "device_code":
        settled = await device.deny(tx, request.waiting_sha256)
    else:
        # Nobody answers in a citizen's place, not even with a no.
        settled = session is not None and await backchannel.deny(
            tx, request.waiting_sha256, citizen_id=session.citizen_id
        )
    if not settled:
        raise InteractionOver


def _given(request: AuthorizationRequest, consent: Consent) -> ClaimsRequest:
    """Of the claims asked for one by one, those that were given; what is about the sign-in needs no consent. Userinfo
    keeps those of a scope too: a value that is wanted of one counts."""
    claims, given = request.claims, consent.claims | {"acr", "auth_time", "sub"}
    by_scope = {name for scope in request.scopes for name in CLAIMS_OF_SCOPE.get(scope, ())}
    return msgspec.structs.replace(
        claims,
        userinfo={name: wanted for name, wanted in claims.userinfo.items() if name in given | by_scope},
        id_token={name: wanted for name, wanted in claims.id_token.items() if name in given},
    )
