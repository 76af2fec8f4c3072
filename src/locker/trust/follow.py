from pathlib import PurePath

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.outbound.addresses import FetchRefused
from kit.outbound.fetch import check_url
from locker.administrations.certificates import der, read_certificate
from locker.trust import list_store, store
from locker.trust.list_schema import ListShown
from locker.trust.refusals import ListUnknown, SourceUnfit

_SIGNERS_MAX = 16
_TERRITORIES_MAX = 100


async def follow(
    db: Database,
    audit: Audit,
    source: str,
    *,
    signers: list[str],
    territories: list[str],
    loopback_allowed: bool,
    officer: str,
) -> list[ListShown]:
    """Follow a trust list from now on; it is read with the next sync. Again: with these signers instead.

    ``source``: https address or absolute path. ``signers``: certificates (PEM, or DER in base64), one of which must
    have signed it. ``territories``: of a list of lists, whose lists to follow; all without any. Raises SourceUnfit.
    """
    if not 1 <= len(signers) <= _SIGNERS_MAX or len(territories) > _TERRITORIES_MAX:
        raise SourceUnfit("signers: from 1 to 16 certificates")
    if not is_file(source):
        try:
            check_url(source, loopback_allowed=loopback_allowed)
        except FetchRefused as refused:
            raise SourceUnfit(f"source: {refused.reason}") from None
    certificates = [der(read_certificate(text)) for text in signers]

    async def record(tx: Tx) -> list[ListShown]:
        await list_store.follow(
            tx, source=source, signers=certificates, territories=[territory.upper() for territory in territories]
        )
        await audit.append(
            tx,
            AuditEvent(action="trust-list.followed", actor_kind="officer", actor=officer, detail={"source": source}),
        )
        return await list_store.shown(tx)

    return await db.transact(record)


async def unfollow(db: Database, audit: Audit, source: str, *, officer: str) -> list[ListShown]:
    """Stop believing a list and what it pointed at, from the next judgement on. Raises ListUnknown."""

    async def record(tx: Tx) -> list[ListShown]:
        await store.move_version(tx)
        if not await list_store.unfollow(tx, source=source):
            raise ListUnknown
        await audit.append(
            tx,
            AuditEvent(action="trust-list.unfollowed", actor_kind="officer", actor=officer, detail={"source": source}),
        )
        return await list_store.shown(tx)

    return await db.transact(record)


def is_file(source: str) -> bool:
    return PurePath(source).is_absolute()
