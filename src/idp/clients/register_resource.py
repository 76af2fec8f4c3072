from collections.abc import Sequence

from idp.clients import store
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def register_resource(
    db: Database,
    audit: Audit,
    resource: str,
    *,
    name: str,
    scopes: Sequence[str],
    sector: str | None,
    details_types: Sequence[str] = (),
    officer: str,
) -> None:
    """Make or change a resource server: access tokens with one of ``scopes`` are for it (RFC 8707 §2, RFC 9068 §3).

    They carry the citizen's pairwise ``sub`` of ``sector``, whatever client asked; without one, the client's own. Of
    authorization details it is told those of ``details_types`` (RFC 9396 §9).
    """

    async def record(tx: Tx) -> None:
        await store.insert_resource(tx, resource, name=name, scopes=scopes, sector=sector, details_types=details_types)
        await audit.append(
            tx,
            AuditEvent(
                action="resource.registered",
                actor_kind="officer",
                actor=officer,
                object_id=resource,
                detail={"scopes": list(scopes), "details_types": list(details_types)},
            ),
        )

    await db.transact(record)
