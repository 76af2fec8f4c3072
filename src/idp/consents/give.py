from collections.abc import Sequence

from idp.authorization.schema import AuthorizationRequest
from idp.consents import store
from idp.mandates.schema import Mandate
from idp.sessions.schema import Session
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_id


async def give(
    db: Database,
    audit: Audit,
    request: AuthorizationRequest,
    *,
    session: Session,
    optional: Sequence[str],
    purpose: dict[str, str] | None,
    mandate: Mandate | None = None,
) -> None:
    """The citizen allowed what the request needs, and of its optional claims those in ``optional``."""
    whom = mandate.represented_id if mandate else session.citizen_id
    claims = sorted(_given(request, optional))

    async def record(tx: Tx) -> None:
        consent_id = await store.upsert(
            tx,
            new_id(),
            citizen_id=whom,
            client_id=request.client_id,
            scopes=request.scopes,
            claims=claims,
            authorization_details=request.authorization_details,
            purpose=purpose,
        )
        # What was given in somebody's name stands in both histories.
        for owner in dict.fromkeys((whom, session.citizen_id)):
            await audit.append(
                tx,
                AuditEvent(
                    action="consent.given" if owner == whom else "consent.given-for",
                    actor_kind="citizen",
                    actor=str(session.citizen_id),
                    owner=str(owner),
                    object_id=str(consent_id),
                    purpose=(purpose or {}).get("en"),
                    detail={
                        "client_id": request.client_id,
                        "scopes": list(request.scopes),
                        "claims": claims,
                        "documents": document_types(request),
                        **({"mandate": str(mandate.mandate_id)} if mandate else {}),
                    },
                ),
            )

    await db.transact(record)


ABOUT_THE_SIGN_IN = frozenset({"acr", "auth_time", "sub", "amr"})


def needed_claims(request: AuthorizationRequest) -> set[str]:
    """Asked for one by one as essential (OpenID Connect Core §5.5.1)."""
    asked = {**request.claims.userinfo, **request.claims.id_token}
    return {name for name, wanted in asked.items() if wanted is not None and wanted.essential} - ABOUT_THE_SIGN_IN


def optional_claims(request: AuthorizationRequest) -> set[str]:
    return set(request.claim_names()) - needed_claims(request) - ABOUT_THE_SIGN_IN


def _given(request: AuthorizationRequest, ticked: Sequence[str]) -> set[str]:
    """Whether an address or a number is verified is no question of its own: it goes with the address or the number."""
    given = needed_claims(request) | (set(ticked) & optional_claims(request))
    return given | {name for name in optional_claims(request) if name.removesuffix("_verified") in given}


def document_types(request: AuthorizationRequest) -> list[str]:
    return sorted({code for detail in request.authorization_details for code in detail.document_types})
