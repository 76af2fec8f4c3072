from idp.account.schema import Account
from idp.sessions.end import end_all_for, end_by_sid
from idp.sessions.schema import Session
from kit.db import Tx


async def end_sessions(account: Account, session: Session, *, sid: str | None) -> None:
    """One session of this citizen's, or, without ``sid``, all but this one. Somebody else's is not found."""

    async def once(tx: Tx) -> None:
        if sid is None:
            await end_all_for(
                tx,
                account.audit,
                session.citizen_id,
                because="ended-by-citizen",
                except_sid=session.sid,
            )
        else:
            await end_by_sid(tx, account.audit, session.citizen_id, sid, because="ended-by-citizen")

    await account.db.transact(once)
