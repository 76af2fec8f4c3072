from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Refusal
from locker.administrations.schema import Depositor
from locker.deposits.desk import DepositDesk


async def record_refusal(
    desk: DepositDesk, depositor: Depositor, refusal: Refusal, *, client_id: str, tx: Tx | None = None
) -> None:
    """All that stays of a deposit that was refused."""
    await desk.audit.append(
        tx or desk.db,
        AuditEvent(
            action="deposit.refused",
            actor_kind="client",
            actor=client_id,
            result=refusal.code,
            detail={"administration": depositor.administration}
            | {
                name: refusal.members[name]
                for name in ("part", "indication", "sub_indication", "signature")
                if name in refusal.members
            },
        ),
    )
