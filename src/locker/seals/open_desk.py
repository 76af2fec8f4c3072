"""The parts of sealing, put together for a server process, the worker or a command."""

from contextlib import AsyncExitStack

import httpx

from kit.audit import Audit
from kit.db import Database
from kit.throttle import Limit, Throttle
from locker.deposits.desk import Places
from locker.deposits.receive import Limits as ReceiveLimits
from locker.seals.ask_time_stamp import TimeStampAuthorities
from locker.seals.collect import Collector
from locker.seals.desk import SealDesk, SealLimits
from locker.seals.device import SealDevice
from locker.seals.keys import SealKeys
from locker.settings import LockerSettings
from locker.signatures.judge import SignatureJudge
from locker.signatures.seal_workers import SealWorkers, seal_workers
from locker.trust.register import TrustRegister
from locker.vault import Vault

_STATUS_MAX_S = 5.0


def seal_keys(settings: LockerSettings) -> SealKeys:
    device = None
    if settings.seal_pkcs11_module is not None:
        assert settings.seal_pkcs11_token is not None
        assert settings.seal_pkcs11_pin is not None
        device = SealDevice(settings.seal_pkcs11_module, token=settings.seal_pkcs11_token, pin=settings.seal_pkcs11_pin)
    return SealKeys(settings.seal_keys_folder or settings.keys_folder / "seals", device)


async def seal_desk(
    settings: LockerSettings,
    stack: AsyncExitStack,
    *,
    db: Database,
    vault: Vault,
    audit: Audit,
    throttle: Throttle,
    judge: SignatureJudge,
    trust: TrustRegister,
) -> SealDesk:
    """``stack`` closes what is opened here."""
    pool = seal_workers(
        workers=settings.seal_workers,
        waiting_max=settings.seal_waiting_max,
        pdf_max_bytes=settings.deposit_pdf_max_bytes,
    )
    stack.push_async_callback(pool.close)
    workers = SealWorkers(pool)
    keys = seal_keys(settings)
    stack.callback(keys.close)
    authorities = TimeStampAuthorities(
        settings.time_stamp_authorities, workers, answer_max_s=settings.time_stamp_answer_max_s
    )
    stack.push_async_callback(authorities.close)
    http = httpx.AsyncClient(timeout=_STATUS_MAX_S, follow_redirects=False, trust_env=False)
    stack.push_async_callback(http.aclose)
    return SealDesk(
        db=db,
        audit=audit,
        throttle=throttle,
        trust=trust,
        judge=judge,
        vault=vault,
        workers=workers,
        keys=keys,
        authorities=authorities,
        collector=Collector(http, settings.revocation_hosts),
        locker_url=settings.locker_url,
        limits=SealLimits(
            receive=ReceiveLimits(
                pdf_max_bytes=settings.deposit_pdf_max_bytes,
                json_max_bytes=settings.deposit_json_max_bytes,
                # Only a PDF is sealed.
                data_max_bytes=0,
                data_signature_max_bytes=0,
                receive_max_s=settings.deposit_receive_max_s,
                folder=settings.temporary_folder,
            ),
            per_client=Limit("seals", settings.seals_per_client_per_minute, 60),
            lease_s=settings.seal_lease_s,
            lifetime_s=settings.seal_lifetime_s,
            pending_max=settings.seals_pending_max,
        ),
        places=Places(settings.seals_at_once_max),
    )
