"""The browser comes back from the other provider."""

from idp.alerts.alert import alert_if_new
from idp.citizens.schema import State
from idp.citizens.sealed import BlindIndex
from idp.keys.secrets import Secrets
from idp.sessions.start import start
from idp.sign_in.refusals import Closed, Frozen, NotActive
from idp.sign_in.schema import Errand, Visitor
from idp.upstream import store
from idp.upstream.begin import place_of, verifier_sealer
from idp.upstream.levels import acr_of, amr_of
from idp.upstream.providers import Providers
from idp.upstream.refusals import AlreadyLinked, UpstreamAway, UpstreamLost, UpstreamRefused, UpstreamUnknown
from idp.upstream.schema import Answer, Linked, Linking, LinkNeeded, NotSignedIn, Shown, SignedIn, Spent, Upstream
from idp.upstream.verify_id_token import verify_id_token
from kit.audit import AuditEvent
from kit.db import Tx
from kit.edge import PageRefusal
from kit.tokens import digest

PROOF_LIFETIME_S = 900


async def spend_request(parts: Linking, upstream: Upstream, visitor: Visitor, answer: Answer) -> Spent:
    """The question to this answer. Raises UpstreamLost, and then nothing else of the answer was looked at."""
    if answer.state is None:
        raise UpstreamLost
    spent = await store.spend_request(
        parts.db, state_sha256=digest(answer.state), browser_sha256=visitor.browser_sha256, slug=upstream.slug
    )
    if spent is None:
        raise UpstreamLost
    return spent


async def finish(
    parts: Linking,
    providers: Providers,
    upstream: Upstream,
    visitor: Visitor,
    errand: Errand,
    spent: Spent,
    answer: Answer,
) -> SignedIn | LinkNeeded | NotSignedIn:
    """Raises AlreadyLinked, and NotActive, Frozen or Closed for the citizen of a link."""
    try:
        shown = await _shown(parts, providers, upstream, spent, answer)
    except UpstreamAway as away:
        await _record_refusal(parts, upstream, visitor, errand, reason=f"away: {away.reason}")
        return NotSignedIn("away")
    except UpstreamRefused as refused:
        await _record_refusal(parts, upstream, visitor, errand, reason=refused.reason)
        return NotSignedIn("declined" if refused.reason == "access_denied" else "failed")
    sub_mac = mac_of(parts.secrets, issuer=upstream.issuer, sub=shown.sub)
    if spent.citizen_id is not None:
        return await _for_a_link(parts, upstream, visitor, errand, spent, sub_mac)
    return await _for_a_sign_in(parts, upstream, visitor, errand, shown, sub_mac)


def mac_of(secrets: Secrets, *, issuer: str, sub: str) -> bytes:
    """``sub`` may be a number that names a person, so at rest there is only what finds it again."""
    return BlindIndex(secrets.derive("upstream-sub")).of(f"{issuer}\n{sub}")


async def _shown(parts: Linking, providers: Providers, upstream: Upstream, spent: Spent, answer: Answer) -> Shown:
    metadata = await providers.metadata(upstream)
    # Before anything else is believed: who speaks (mix-up, RFC 9207 §2.4).
    expected = upstream.issuer if metadata.authorization_response_iss_parameter_supported else None
    if answer.iss != expected and answer.iss != upstream.issuer:
        raise UpstreamRefused("iss")
    if answer.error is not None:
        raise UpstreamRefused("access_denied" if answer.error == "access_denied" else "error")
    if answer.code is None:
        raise UpstreamRefused("code")
    verifier = verifier_sealer(parts).open(spent.verifier_sealed, place=place_of(digest(answer.state or "")))
    tokens = await providers.exchange(
        upstream,
        code=answer.code,
        code_verifier=verifier.decode(),
        redirect_uri=parts.redirect_uri(upstream.slug),
    )
    return await verify_id_token(providers, upstream, tokens, nonce_sha256=spent.nonce_sha256, asked_s=spent.created_s)


async def _for_a_sign_in(
    parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, shown: Shown, sub_mac: bytes
) -> SignedIn | LinkNeeded:
    async def once(tx: Tx) -> SignedIn | LinkNeeded | Linked:
        if not await store.is_active(tx, upstream.slug):
            raise UpstreamUnknown
        linked = await store.use_link(tx, issuer=upstream.issuer, sub_mac=sub_mac)
        if linked is None:
            await _keep_proof(tx, upstream, visitor, errand, None, sub_mac)
            return LinkNeeded()
        if linked.state != "active":
            await parts.audit.append(tx, _refusal(upstream, visitor, errand, reason=linked.state, owner=linked))
            return linked
        started = await start(
            tx,
            parts.audit,
            citizen_id=linked.citizen_id,
            acr=acr_of(upstream.registration, shown, acr_max=linked.acr_max, proofing=linked.proofing),
            amr=amr_of(shown),
            browser_label=visitor.browser_label,
            lifetime_s=parts.session_lifetime_s,
            before_sha256=visitor.session.session_sha256 if visitor.session else None,
            purpose=errand.client_id,
            upstream=upstream.slug,
        )
        await alert_if_new(
            tx,
            parts.secrets,
            parts.post,
            origin=parts.origin,
            citizen_id=linked.citizen_id,
            sid=started.sid,
            browser_label=visitor.browser_label,
            address_prefix=visitor.address_prefix,
        )
        return SignedIn(started.token)

    outcome = await parts.db.transact(once)
    if isinstance(outcome, Linked):
        raise _not_open(outcome.state)
    return outcome


def _not_open(state: State) -> PageRefusal:
    match state:
        case "frozen":
            return Frozen()
        case "registered":
            return NotActive()
        case _:
            return Closed()


async def _for_a_link(
    parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, spent: Spent, sub_mac: bytes
) -> LinkNeeded:
    async def once(tx: Tx) -> LinkNeeded:
        if await store.citizen_of_link(tx, issuer=upstream.issuer, sub_mac=sub_mac) is not None:
            raise AlreadyLinked
        await _keep_proof(tx, upstream, visitor, errand, spent, sub_mac)
        return LinkNeeded()

    return await parts.db.transact(once)


async def _keep_proof(
    tx: Tx, upstream: Upstream, visitor: Visitor, errand: Errand, spent: Spent | None, sub_mac: bytes
) -> None:
    await store.keep_proof(
        tx,
        browser_sha256=visitor.browser_sha256,
        errand=errand.key,
        slug=upstream.slug,
        issuer=upstream.issuer,
        sub_mac=sub_mac,
        citizen_id=spent.citizen_id if spent else None,
        lifetime_s=PROOF_LIFETIME_S,
    )


async def _record_refusal(parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, *, reason: str) -> None:
    await parts.audit.append(parts.db, _refusal(upstream, visitor, errand, reason=reason, owner=None))


def _refusal(upstream: Upstream, visitor: Visitor, errand: Errand, *, reason: str, owner: Linked | None) -> AuditEvent:
    return AuditEvent(
        action="sign-in.refused",
        actor_kind="anonymous",
        owner=str(owner.citizen_id) if owner else None,
        purpose=errand.client_id,
        result=reason,
        detail={"browser": visitor.browser_label, "upstream": upstream.slug},
    )
