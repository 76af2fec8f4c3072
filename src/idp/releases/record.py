"""Userinfo gave out claims: the citizen's history says which, to whom, by which agreement and mandate.

A row for each reading would say the same thing hundreds of times a day and make userinfo wait for the disk, so a set of
names stands in the history once for each grant, and again when it changes; when it was read last is kept beside.
"""

from collections.abc import Iterable
from uuid import UUID

from idp.releases.store import Release, ReleaseStore
from kit.audit import AuditEvent


async def record(
    store: ReleaseStore,
    *,
    family_id: UUID,
    names: Iterable[str],
    citizen_id: UUID,
    client_id: str,
    consent_id: UUID,
    mandate_id: UUID | None,
) -> None:
    # The languages of a claim are one field to its owner, and a set of fields stays short.
    sorted_names = sorted({name.partition("#")[0] for name in names})
    await store.record(
        Release(family_id, tuple(sorted_names), citizen_id, client_id),
        AuditEvent(
            action="claims.released",
            actor_kind="client",
            actor=client_id,
            owner=str(citizen_id),
            object_id=client_id,
            detail={
                "claims": sorted_names,
                "consent": str(consent_id),
                **({"mandate": str(mandate_id)} if mandate_id else {}),
            },
        ),
    )
