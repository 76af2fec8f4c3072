from idp.citizens.find import find_citizen
from idp.sessions.schema import Session
from idp.sign_in.schema import Errand, Visitor
from idp.upstream import store
from idp.upstream.refusals import AlreadyLinked, UpstreamLost
from idp.upstream.schema import Linking, Upstream
from idp.upstream.tell import tell
from kit.db import Tx
from kit.ids import new_id


async def proof_waits(parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, session: Session) -> bool:
    """Did this browser show, for this errand, an account there that the citizen may now link?"""
    return await store.proof_waits(
        parts.db,
        browser_sha256=visitor.browser_sha256,
        errand=errand.key,
        slug=upstream.slug,
        citizen_id=session.citizen_id,
    )


async def link(parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, session: Session) -> None:
    """The citizen, in a fresh session of their own factors, says that the account there is theirs.

    Raises UpstreamLost without a proof, AlreadyLinked.
    """
    assert session.upstream is None

    async def once(tx: Tx) -> None:
        proof = await store.spend_proof(
            tx,
            browser_sha256=visitor.browser_sha256,
            errand=errand.key,
            slug=upstream.slug,
            citizen_id=session.citizen_id,
        )
        citizen = await find_citizen(tx, session.citizen_id)
        if proof is None or citizen is None:
            raise UpstreamLost
        issuer, sub_mac = proof
        made = await store.insert_link(
            tx,
            link_id=new_id(),
            citizen_id=session.citizen_id,
            slug=upstream.slug,
            issuer=issuer,
            sub_mac=sub_mac,
            acr_max=session.acr,
        )
        if not made:
            raise AlreadyLinked
        await tell(tx, parts, citizen, upstream.slug, "upstream.linked")

    await parts.db.transact(once)


async def refuse(parts: Linking, upstream: Upstream, visitor: Visitor, errand: Errand, session: Session) -> None:
    """The citizen does not want the link: what was shown is forgotten."""
    await store.spend_proof(
        parts.db,
        browser_sha256=visitor.browser_sha256,
        errand=errand.key,
        slug=upstream.slug,
        citizen_id=session.citizen_id,
    )
