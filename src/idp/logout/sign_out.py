from idp.sessions.end import end
from idp.sessions.schema import Session
from idp.token.end_with_session import end_with_session
from kit.audit import Audit
from kit.db import Database, Tx


async def sign_out(db: Database, audit: Audit, session: Session) -> None:
    """End the session and what was not to outlive it."""

    async def both(tx: Tx) -> None:
        await end(tx, audit, session.session_sha256)
        await end_with_session(tx, session.sid)

    await db.transact(both)
