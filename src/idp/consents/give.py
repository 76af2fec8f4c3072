from collections.abc import Sequence

from idp.authorization.schema import AuthorizationRequest
from idp.consents import store
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
) -> None:
    """The citizen allowed what the request needs, and of its optional claims those in ``optional``."""
    claims = sorted(needed_claims(request) | (set(optional) & optional_claims(request)))

    async def record(tx: Tx) -> None:
        consent_id = await store.upsert(
            tx,
            new_id(),
            citizen_id=session.citizen_id,
            client_id=request.client_id,
            scopes=request.scopes,
            claims=claims,
            authorization_details=request.authorization_details,
            purpose=purpose,
        )
        await audit.append(
            tx,
            AuditEvent(
                action="consent.given",
                actor_kind="citizen",
                actor=str(session.citizen_id),
                owner=str(session.citizen_id),
                object_id=str(consent_id),
                purpose=(purpose or {}).get("en"),
                detail={
                    "client_id": request.client_id,
                    "scopes": list(request.scopes),
                    "claims": claims,
                    "documents": document_types(request),
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


def document_types(request: AuthorizationRequest) -> list[str]:
    return sorted({code for detail in request.authorization_details for code in detail.document_types})
