from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.catalogue import store
from locker.catalogue.fields import compile_schema
from locker.catalogue.schema import DocumentType, TypeRegistration


async def register_type(db: Database, audit: Audit, registration: TypeRegistration, *, officer: str) -> DocumentType:
    """Make or change a type. Documents that exist keep the version that they were checked against.

    Raises SchemaUnfit.
    """
    compile_schema(registration.fields)

    async def record(tx: Tx) -> DocumentType:
        type_ = await store.upsert(tx, registration)
        await audit.append(
            tx,
            AuditEvent(
                action="type.registered",
                actor_kind="officer",
                actor=officer,
                object_id=type_.type,
                detail={"version": type_.version, "level_min": type_.signature.level_min},
            ),
        )
        return type_

    return await db.transact(record)
